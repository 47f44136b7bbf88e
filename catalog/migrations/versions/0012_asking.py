"""Asking: events by their time, and what names are found by."""

from pathlib import Path

from alembic import op

from catalog.database import driver_connection

revision = "0012"
down_revision = "0011"

SQL = Path(__file__).parent.parent / "sql" / "0012_asking.sql"


def upgrade() -> None:
    """Create the indexes and the function that they are made by."""
    # The driver's own cursor runs a script of many statements; no value goes into it.
    driver_connection(op.get_bind()).execute(SQL.read_bytes())
