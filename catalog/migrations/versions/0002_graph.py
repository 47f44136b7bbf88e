"""The graph: generations, nodes, edges with their intervals, and the shapes that these come from."""

from pathlib import Path

from alembic import op

from catalog.database import driver_connection

revision = "0002"
down_revision = "0001"

SQL = Path(__file__).parent.parent / "sql" / "0002_graph.sql"


def upgrade() -> None:
    """Create the tables of the graph with an empty current generation."""
    # The driver's own cursor runs a script of many statements; no value goes into it.
    driver_connection(op.get_bind()).execute(SQL.read_bytes())
