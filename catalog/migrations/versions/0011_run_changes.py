"""The moves of pipeline runs in the order in which they were committed."""

from pathlib import Path

from alembic import op

from catalog.database import driver_connection

revision = "0011"
down_revision = "0010"

SQL = Path(__file__).parent.parent / "sql" / "0011_run_changes.sql"


def upgrade() -> None:
    """Add the index; the release before runs on it unchanged."""
    # The driver's own cursor runs a script of many statements; no value goes into it.
    driver_connection(op.get_bind()).execute(SQL.read_bytes())
