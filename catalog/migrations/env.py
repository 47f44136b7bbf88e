"""Alembic's environment: runs the revisions on the connection that `catalog.migrations.migrate` hands over."""

from alembic import context

from catalog.database import metadata

context.configure(
    connection=context.config.attributes["connection"],
    target_metadata=metadata,
    transaction_per_migration=True,
)
with context.begin_transaction():
    context.run_migrations()
