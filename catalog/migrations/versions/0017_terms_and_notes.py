"""What the index of the search costs where something new is heard of."""

from pathlib import Path

from alembic import op

from catalog.database import driver_connection

revision = "0017"
down_revision = "0016"

SQL = Path(__file__).parent.parent / "sql" / "0017_terms_and_notes.sql"


def upgrade() -> None:
    """Make terms and notes cheaper; both say what they said."""
    # The driver's own cursor runs a script of many statements; no value goes into it.
    driver_connection(op.get_bind()).execute(SQL.read_bytes())
