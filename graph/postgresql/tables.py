"""The tables of the graph, as revision 0002 makes them; a test holds the two against each other."""

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import UUID

from catalog.database import metadata
from graph.model import EdgeKind

#: Edge kinds as numbers: every edge and two of its indexes hold one.
EDGE_KIND_NUMBERS = {
    EdgeKind.CONSUMES: 1,
    EdgeKind.PRODUCES: 2,
    EdgeKind.FEEDS: 3,
    EdgeKind.PARENT: 4,
    EdgeKind.ALIAS: 5,
}
EDGE_KINDS = {number: kind for kind, number in EDGE_KIND_NUMBERS.items()}

graph_generation = sa.Table(
    "graph_generation",
    metadata,
    sa.Column("number", sa.Integer, primary_key=True, autoincrement=False),
    sa.Column("state", sa.Text, nullable=False),
    sa.Column(
        "created_at", sa.TIMESTAMP(timezone=True), nullable=False, server_default=sa.func.clock_timestamp()
    ),
    sa.CheckConstraint("state IN ('building', 'current', 'retired')", name="graph_generation_state"),
)
sa.Index(
    "graph_generation_current",
    graph_generation.c.state,
    unique=True,
    postgresql_where=graph_generation.c.state == sa.literal_column("'current'"),
)

graph_node = sa.Table(
    "graph_node",
    metadata,
    sa.Column("id", sa.BigInteger, sa.Identity(always=True), primary_key=True),
    sa.Column("generation", sa.Integer, nullable=False),
    sa.Column("key", UUID(as_uuid=True), nullable=False),
    sa.Column("kind", sa.Text, nullable=False),
    sa.Column("namespace", sa.Text, nullable=False),
    sa.Column("name", sa.Text, nullable=False),
    sa.UniqueConstraint("generation", "key", name="graph_node_key"),
)

graph_edge = sa.Table(
    "graph_edge",
    metadata,
    sa.Column("owner", sa.BigInteger, nullable=False),
    sa.Column("kind", sa.SmallInteger, nullable=False),
    sa.Column("origin", sa.BigInteger, nullable=False),
    sa.Column("destination", sa.BigInteger, nullable=False),
    sa.Column("valid_from", sa.TIMESTAMP(timezone=True), nullable=False),
    sa.Column("valid_to", sa.TIMESTAMP(timezone=True)),
    sa.Column("type", sa.Text, nullable=False),
    sa.Column("sequence", sa.BigInteger, nullable=False),
    sa.CheckConstraint("valid_from < valid_to", name="graph_edge_interval"),
)
sa.Index(
    "graph_edge_downstream",
    graph_edge.c.origin,
    graph_edge.c.destination,
    graph_edge.c.kind,
    graph_edge.c.owner,
    unique=True,
    postgresql_where=graph_edge.c.valid_to.is_(None),
)
sa.Index(
    "graph_edge_upstream",
    graph_edge.c.destination,
    graph_edge.c.origin,
    graph_edge.c.kind,
    postgresql_where=graph_edge.c.valid_to.is_(None),
)
sa.Index("graph_edge_owner", graph_edge.c.owner, graph_edge.c.valid_to)

graph_shape = sa.Table(
    "graph_shape",
    metadata,
    sa.Column("job", sa.BigInteger, primary_key=True, autoincrement=False),
    sa.Column("at", sa.TIMESTAMP(timezone=True), primary_key=True),
    sa.Column("tiebreak", UUID(as_uuid=True), primary_key=True),
    sa.Column("sequence", sa.BigInteger, nullable=False),
    sa.Column("shape", sa.LargeBinary),
)
