"""What an installation was called before it was restored."""

from pathlib import Path

from alembic import op

from catalog.database import driver_connection

revision = "0009"
down_revision = "0008"

SQL = Path(__file__).parent.parent / "sql" / "0009_restored.sql"


def upgrade() -> None:
    """Add the column; the release before reads none of it and leaves it null."""
    # The driver's own cursor runs a script of many statements; no value goes into it.
    driver_connection(op.get_bind()).execute(SQL.read_bytes())
