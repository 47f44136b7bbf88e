"""The schema of the database as Alembic revisions, and the one way to bring a database to the newest."""

from pathlib import Path

import sqlalchemy as sa
from sqlalchemy import Connection, Engine

FOLDER = Path(__file__).parent
#: The newest revision; a test holds it against the revision files.
HEAD = "0017"
#: Held while migrating, so that several processes that start at once migrate one after another.
MIGRATION_LOCK = 0x6865616477617472


def current_revision(engine: Engine) -> str | None:
    """Return the revision of the database, or None when it was never migrated."""
    with engine.connect() as connection:
        if not connection.execute(sa.text("SELECT to_regclass('alembic_version') IS NOT NULL")).scalar_one():
            return None
        revision: str | None = connection.execute(sa.text("SELECT version_num FROM alembic_version")).scalar()
        return revision


def is_known(revision: str) -> bool:
    """Return whether this release has the revision."""
    return any((FOLDER / "versions").glob(f"{revision}_*.py"))


def migrate(engine: Engine) -> bool:
    """Bring the database to `HEAD` at least; return whether anything had to be done. Many processes may call it."""
    current = current_revision(engine)
    # A newer release has migrated it: whether this one may go on says `catalog.schema`.
    if current is not None and current >= HEAD:
        return False
    with engine.connect() as connection:
        connection.execute(sa.text("SELECT pg_advisory_lock(:key)"), {"key": MIGRATION_LOCK})
        connection.commit()
        try:
            migrate_within(connection, HEAD)
            connection.commit()
        finally:
            connection.rollback()
            connection.execute(sa.text("SELECT pg_advisory_unlock(:key)"), {"key": MIGRATION_LOCK})
            connection.commit()
    return True


def migrate_within(connection: Connection, revision: str) -> None:
    """Bring the database to the revision, within the caller's transaction where there is one.

    Without one, each revision is a transaction of its own.
    """
    # Alembic takes a while to import, and a warm start does not need it.
    from alembic import command  # noqa: PLC0415 - see above
    from alembic.config import Config  # noqa: PLC0415 - see above

    config = Config()
    config.set_main_option("script_location", str(FOLDER))
    config.set_main_option("path_separator", "os")
    config.attributes["connection"] = connection
    command.upgrade(config, revision)
