"""Attempts that outside engines run."""

from pathlib import Path

from alembic import op

from catalog.database import driver_connection

revision = "0007"
down_revision = "0006"

SQL = Path(__file__).parent.parent / "sql" / "0007_engine_attempts.sql"


def upgrade() -> None:
    """Create the table of their standing."""
    # The driver's own cursor runs a script of many statements; no value goes into it.
    driver_connection(op.get_bind()).execute(SQL.read_bytes())
