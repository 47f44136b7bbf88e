"""The spine: ledger, observations, documents, versions, pipeline runs, jobs, tokens."""

from pathlib import Path

from alembic import op

from catalog.database import driver_connection

revision = "0001"
down_revision = None

SQL = Path(__file__).parent.parent / "sql"


def upgrade() -> None:
    """Create every table of the spine and the tables of the job queue."""
    connection = driver_connection(op.get_bind())
    for name in ("0001_spine.sql", "0001_procrastinate.sql"):
        # The driver's own cursor runs a script of many statements; no value goes into it.
        connection.execute((SQL / name).read_bytes())
