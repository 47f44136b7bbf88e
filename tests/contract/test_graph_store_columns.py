"""Fields of datasets in the graph: what each adapter holds of columns, and walks between them."""

from catalog.keys import NodeId
from catalog.openlineage.columns import Transformation
from graph.model import Direction, EdgeKind, Lineage, Want
from graph.port import GraphStore
from graph.steps import transformations_of
from tests.support.graphs import alias, log, shape, shaped, with_columns


def walked(graph: GraphStore, node: str, direction: Direction, *, depth: int = 20) -> Lineage:
    return graph.lineage(
        NodeId.parse(node), direction, depth=depth, max_nodes=100, seconds=60.0, want=Want.NODES | Want.EDGES
    )


def field(name: str) -> str:
    dataset, field = name.split(".")
    return f"datasetField:db:{dataset}:{field}"


def derivations(graph: GraphStore) -> list[tuple[str, str, bool, str]]:
    return sorted(
        (edge.origin.node.id, edge.destination.node.id, edge.span.end is None, edge.type)
        for edge in graph.edges()
        if edge.kind is EdgeKind.DERIVES
    )


def test_a_field_leads_to_what_is_made_of_it_alone(graph: GraphStore) -> None:
    graph.apply(
        log(
            shaped("u", with_columns(shape("a", "b"), b="p=a.p q=a.q")),
            shaped("v", with_columns(shape("b", "c"), c="x=b.p+b.q y=b.q")),
        )
    )
    down = walked(graph, field("a.p"), Direction.DOWNSTREAM)
    assert down.node_ids == (field("a.p"), field("b.p"), field("c.x"))
    assert down.completeness.complete
    up = walked(graph, field("c.x"), Direction.UPSTREAM)
    assert up.node_ids == (field("c.x"), field("b.p"), field("b.q"), field("a.p"), field("a.q"))
    assert walked(graph, field("c.x"), Direction.UPSTREAM, depth=1).completeness.frontier == (
        field("b.p"),
        field("b.q"),
    )


def test_what_every_field_depends_on_goes_through_the_job(graph: GraphStore) -> None:
    graph.apply(log(shaped("u", with_columns(shape("a", "b"), b="p=a.p q= *=a.key"))))
    down = walked(graph, field("a.key"), Direction.DOWNSTREAM)
    assert down.node_ids == (field("a.key"), "job:etl:u", field("b.p"), field("b.q"))
    assert walked(graph, field("b.p"), Direction.UPSTREAM).node_ids == (
        field("b.p"),
        field("a.p"),
        "job:etl:u",
        field("a.key"),
    )


def test_walks_between_tables_do_not_meet_columns(graph: GraphStore) -> None:
    graph.apply(log(shaped("u", with_columns(shape("a", "b"), b="p=a.p q= *=a.key"))))
    for node in ("dataset:db:a", "job:etl:u"):
        found = walked(graph, node, Direction.BOTH)
        assert sorted(found.node_ids) == ["dataset:db:a", "dataset:db:b", "job:etl:u"]


def test_a_field_is_the_same_by_every_name_of_its_dataset(graph: GraphStore) -> None:
    graph.apply(
        log(
            shaped("u", with_columns(shape("a", "path"), path="p=a.p")),
            shaped("v", with_columns(shape("table", "c"), c="x=table.p")),
            # No field of this name is known in between.
            alias("path", "link"),
            alias("link", "table"),
        )
    )
    down = walked(graph, field("a.p"), Direction.DOWNSTREAM)
    assert down.node_ids == (field("a.p"), field("path.p"), field("table.p"), field("c.x"))
    assert EdgeKind.ALIAS in {edge.kind for edge in down.edges}
    assert walked(graph, field("c.x"), Direction.UPSTREAM).node_ids[-1] == field("a.p")


def test_how_a_field_is_made_has_a_history(graph: GraphStore) -> None:
    plain = with_columns(shape("a", "b"), b="p=a.p")
    [(output, lineage)] = plain.columns
    [(name, [source])] = lineage.fields
    masked = (Transformation("DIRECT", "TRANSFORMATION", "sha256", True),)
    hidden = type(lineage)(((name, (source._replace(transformations=masked),)),), ())
    changed = type(plain)(plain.inputs, plain.outputs, None, columns=((output, hidden),))
    graph.apply(log(shaped("u", plain, at=0), shaped("u", changed, at=1)))
    old, new = derivations(graph)
    assert old == (field("a.p"), field("b.p"), False, "")
    assert new[:3] == (field("a.p"), field("b.p"), True)
    assert transformations_of(new[3]) == masked


def test_columns_that_are_told_no_more_hold_no_more(graph: GraphStore) -> None:
    graph.apply(log(shaped("u", with_columns(shape("a", "b"), b="p=a.p"), at=0)))
    graph.apply(log(shaped("u", shape("a", "b"), at=1), first=2))
    assert walked(graph, field("a.p"), Direction.DOWNSTREAM).node_ids == (field("a.p"),)
    assert walked(graph, "dataset:db:a", Direction.DOWNSTREAM).node_ids[-1] == "dataset:db:b"


def test_fields_with_colons_are_found(graph: GraphStore) -> None:
    stated = shape("a", "b")
    columns = with_columns(stated, b="p=a.x:y:z").columns
    graph.apply(log(shaped("u", type(stated)(stated.inputs, stated.outputs, None, columns=columns))))
    node = graph.resolve(NodeId.parse("datasetField:db:a:x:y:z"))
    assert node is not None
    assert (node.name, node.field) == ("a", "x:y:z")
