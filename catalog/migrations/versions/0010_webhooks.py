"""Webhooks: who is told what, and the messages on their way."""

from pathlib import Path

from alembic import op

from catalog.database import driver_connection

revision = "0010"
down_revision = "0009"

SQL = Path(__file__).parent.parent / "sql" / "0010_webhooks.sql"


def upgrade() -> None:
    """Add the tables; the release before knows no webhooks, so while its workers run alone nothing is sent."""
    # The driver's own cursor runs a script of many statements; no value goes into it.
    driver_connection(op.get_bind()).execute(SQL.read_bytes())
