"""Lineage of columns, and the facets of datasets and jobs."""

from pathlib import Path

from alembic import op

from catalog.database import driver_connection

revision = "0006"
down_revision = "0005"

SQL = Path(__file__).parent.parent / "sql" / "0006_columns_and_facets.sql"


def upgrade() -> None:
    """Add the tables; the release before writes none of them, so what it hears stays out of them."""
    # The driver's own cursor runs a script of many statements; no value goes into it.
    driver_connection(op.get_bind()).execute(SQL.read_bytes())
