"""How entries of the index of the search lie on disk."""

from pathlib import Path

from alembic import op

from catalog.database import driver_connection

revision = "0016"
down_revision = "0015"

SQL = Path(__file__).parent.parent / "sql" / "0016_search_storage.sql"


def upgrade() -> None:
    """Set it for what is written from now on."""
    # The driver's own cursor runs a script of many statements; no value goes into it.
    driver_connection(op.get_bind()).execute(SQL.read_bytes())
