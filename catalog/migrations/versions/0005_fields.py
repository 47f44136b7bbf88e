"""Fields of datasets in the graph."""

from pathlib import Path

from alembic import op

from catalog.database import driver_connection

revision = "0005"
down_revision = "0004"

SQL = Path(__file__).parent.parent / "sql" / "0005_fields.sql"


def upgrade() -> None:
    """Add what makes a node a field."""
    # The driver's own cursor runs a script of many statements; no value goes into it.
    driver_connection(op.get_bind()).execute(SQL.read_bytes())
