"""Former names of datasets."""

from pathlib import Path

from alembic import op

from catalog.database import driver_connection

revision = "0008"
down_revision = "0007"

SQL = Path(__file__).parent.parent / "sql" / "0008_renames.sql"


def upgrade() -> None:
    """Add the table; the release before writes none and reads none."""
    # The driver's own cursor runs a script of many statements; no value goes into it.
    driver_connection(op.get_bind()).execute(SQL.read_bytes())
