"""Retention: bodies of events that were given up, and the checkpoint that stands for them."""

from pathlib import Path

from alembic import op

from catalog.database import driver_connection

revision = "0015"
down_revision = "0014"

SQL = Path(__file__).parent.parent / "sql" / "0015_retention.sql"


def upgrade() -> None:
    """Create the tables."""
    # The driver's own cursor runs a script of many statements; no value goes into it.
    driver_connection(op.get_bind()).execute(SQL.read_bytes())
