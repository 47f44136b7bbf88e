"""What stands in Neo4j, declared once: labels, types of relationships, and the constraints and indexes they need.

Statements name labels and types literally, or take one of these as a parameter; none comes from input.
"""

from dataclasses import dataclass

from graph.edge_kinds import EDGE_KIND_NUMBERS
from graph.model import EdgeKind, NodeKind


@dataclass(frozen=True, slots=True)
class NodeType:
    """A label, what nodes with it are, and the property that no two of them share."""

    label: str
    means: str
    unique: str = ""


@dataclass(frozen=True, slots=True)
class EdgeType:
    """The relationships of one kind of edge: what holds now, and what has ended (empty where none ever ends)."""

    kind: EdgeKind
    now: str
    ended: str = ""

    @property
    def types(self) -> tuple[str, ...]:
        """The types of its relationships."""
        return (self.now, self.ended) if self.ended else (self.now,)

    @property
    def by_owner(self) -> bool:
        """Whether those of an owner are found by an index, because its own vertices do not lead to them."""
        return self.kind is EdgeKind.DERIVES


VERTEX = NodeType(
    "HeadwaterVertex", "where edges end: a dataset, a job, a field or a step of a job", "vertex"
)
NODE = NodeType("HeadwaterNode", "a dataset, a job or a field of one generation", "key")
SHAPE = NodeType("HeadwaterShape", "what a job's lineage is from an instant on", "place")
GRAPH = NodeType("HeadwaterGraph", "which generation readers use", "name")
GENERATION = NodeType("HeadwaterGeneration", "a generation and its cursor", "number")
WRITER = NodeType("HeadwaterWriter", "held by whoever writes a generation", "generation")

#: The label by which people find a node of each kind.
LABELS = {NodeKind.DATASET: "Dataset", NodeKind.JOB: "Job", NodeKind.FIELD: "Field"}
STEP = NodeType("Step", "a hidden step of a job")

NODE_TYPES = (
    VERTEX,
    NODE,
    SHAPE,
    GRAPH,
    GENERATION,
    WRITER,
    STEP,
    *(NodeType(label, f"a node of kind {kind}") for kind, label in LABELS.items()),
)

EDGE_TYPES = {
    kind: EdgeType(kind, *names)
    for kind, names in {
        EdgeKind.CONSUMES: ("CONSUMES", "CONSUMES_ENDED"),
        EdgeKind.PRODUCES: ("PRODUCES", "PRODUCES_ENDED"),
        EdgeKind.FEEDS: ("FEEDS", "FEEDS_ENDED"),
        EdgeKind.DERIVES: ("DERIVES", "DERIVES_ENDED"),
        EdgeKind.COLUMNS: ("COLUMNS", "COLUMNS_ENDED"),
        EdgeKind.PARENT: ("PARENT",),
        EdgeKind.ALIAS: ("ALIAS",),
        EdgeKind.RENAMED: ("RENAMED",),
    }.items()
}

#: Relationships that are no edges: a dataset and its fields, a job and its steps.
HAS_FIELD, HAS_STEP = "HAS_FIELD", "HAS_STEP"

#: The kind of edge that a relationship is, and as the number that rows hold.
KIND_OF_TYPE = {type_: edge.kind for edge in EDGE_TYPES.values() for type_ in edge.types}
NUMBER_OF_TYPE = {type_: EDGE_KIND_NUMBERS[kind] for type_, kind in KIND_OF_TYPE.items()}
TYPES_OF_NUMBER = {EDGE_KIND_NUMBERS[kind]: edge for kind, edge in EDGE_TYPES.items()}


def schema_statements() -> list[str]:
    """Return what makes the constraints and indexes, where they are not there yet."""
    unique = [
        f"CREATE CONSTRAINT {each.label.lower()}_{each.unique} IF NOT EXISTS"
        f" FOR (n:{each.label}) REQUIRE n.{each.unique} IS UNIQUE"
        for each in NODE_TYPES
        if each.unique
    ]
    owned = [
        f"CREATE INDEX headwater_{type_.lower()}_owner IF NOT EXISTS FOR ()-[e:{type_}]-() ON (e.owner)"
        for edge in EDGE_TYPES.values()
        if edge.by_owner
        for type_ in edge.types
    ]
    return [*unique, *owned]
