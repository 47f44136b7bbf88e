"""Search over columns, tags, owners and descriptions: what is found by what, and what is not up to date yet."""

from pathlib import Path

from alembic import op

from catalog.database import driver_connection

revision = "0014"
down_revision = "0013"

SQL = Path(__file__).parent.parent / "sql" / "0014_search.sql"


def upgrade() -> None:
    """Create the tables of the index and the triggers that feed it."""
    # The driver's own cursor runs a script of many statements; no value goes into it.
    driver_connection(op.get_bind()).execute(SQL.read_bytes())
