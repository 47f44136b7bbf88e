"""Operating: the level of logs at run time, the pause of all pipelines, parked records that are left out."""

from pathlib import Path

from alembic import op

from catalog.database import driver_connection

revision = "0003"
down_revision = "0002"

SQL = Path(__file__).parent.parent / "sql" / "0003_operating.sql"


def upgrade() -> None:
    """Add the tables; the release before knows none of them and needs none."""
    # The driver's own cursor runs a script of many statements; no value goes into it.
    driver_connection(op.get_bind()).execute(SQL.read_bytes())
