"""Where in its log a follower applied what had been parked."""

from pathlib import Path

from alembic import op

from catalog.database import driver_connection

revision = "0004"
down_revision = "0003"

SQL = Path(__file__).parent.parent / "sql" / "0004_applied_late.sql"


def upgrade() -> None:
    """Add the table; the release before needs none, and what it applies late a replay takes for on time."""
    # The driver's own cursor runs a script of many statements; no value goes into it.
    driver_connection(op.get_bind()).execute(SQL.read_bytes())
