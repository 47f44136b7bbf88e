"""Which releases may run beside each other, and what one of them left to the other."""

from pathlib import Path

from alembic import op

from catalog.database import driver_connection

revision = "0013"
down_revision = "0012"

SQL = Path(__file__).parent.parent / "sql" / "0013_rolling.sql"


def upgrade() -> None:
    """Add the table and the columns; the release before reads none of them."""
    # The driver's own cursor runs a script of many statements; no value goes into it.
    driver_connection(op.get_bind()).execute(SQL.read_bytes())
