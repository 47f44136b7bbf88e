"""What a graph store holds after what was observed: nodes, edges and the intervals in which they held."""

import datetime as dt

import pytest

from catalog.keys import DatasetKey, JobKey, NodeId
from catalog.observations import DatasetObserved, JobObserved, ShapeObserved
from catalog.openlineage.shape import Shape
from graph.memory import MemoryGraph
from graph.model import Direction, EdgeKind, HeldEdge, Node
from graph.port import GraphStore
from tests.support.graphs import (
    alias,
    dataset,
    day,
    explicit,
    flow,
    job,
    log,
    node_id,
    parent,
    renamed,
    shape,
    shaped,
)

Told = tuple[str, str, str, int, int | None]


def told(graph: GraphStore) -> list[Told]:
    """The edges in few words: kind, origin, destination, first day, last day; hidden steps as `job/1`."""

    def end(edge: HeldEdge, which: str) -> str:
        vertex = getattr(edge, which)
        return vertex.node.name + (f"/{vertex.step}" if vertex.step else "")

    def number(instant: dt.datetime | None) -> int | None:
        return None if instant is None else (instant - day(0)).days

    return sorted(
        (
            (
                edge.kind,
                end(edge, "origin"),
                end(edge, "destination"),
                number(edge.span.start),
                number(edge.span.end),
            )
            for edge in graph.edges()
        ),
        key=repr,
    )


def consumed(name: str, by: str, first: int, last: int | None) -> Told:
    return (EdgeKind.CONSUMES, name, by, first, last)


def produced(name: str, by: str, first: int, last: int | None) -> Told:
    return (EdgeKind.PRODUCES, by, name, first, last)


def as_told(*edges: Told) -> list[Told]:
    return sorted(edges, key=repr)


def names(graph: GraphStore) -> list[str]:
    return sorted(node.name for node in graph.nodes())


def test_everything_that_is_named_is_a_node(graph: GraphStore) -> None:
    observed = [
        DatasetObserved(dataset("alone")),
        JobObserved(job("idle")),
        shaped("load", shape("a", "b")),
        alias("b", "b2"),
        parent("load", "dag"),
    ]
    graph.apply(log(*observed))
    assert names(graph) == ["a", "alone", "b", "b2", "dag", "idle", "load"]
    assert {node.kind for node in graph.nodes() if node.name in ("load", "dag", "idle")} == {"job"}


def test_nothing_observed_is_an_empty_graph(graph: GraphStore) -> None:
    graph.apply([])
    assert list(graph.nodes()) == []
    assert list(graph.edges()) == []
    assert graph.position() == 0


def test_a_shape_holds_until_the_next_one(graph: GraphStore) -> None:
    graph.apply(log(shaped("load", shape("a", "b"), at=0)))
    assert told(graph) == as_told(consumed("a", "load", 0, None), produced("b", "load", 0, None))
    # The job reads something else from the third day on, and still writes b.
    graph.apply(log(shaped("load", shape("c", "b"), at=3), first=2))
    assert told(graph) == as_told(
        consumed("a", "load", 0, 3), consumed("c", "load", 3, None), produced("b", "load", 0, None)
    )


def test_an_edge_that_comes_back_has_two_intervals(graph: GraphStore) -> None:
    graph.apply(log(shaped("load", shape("a", ""), at=0), shaped("load", shape("b", ""), at=1)))
    graph.apply(log(shaped("load", shape("a", ""), at=4), first=3))
    assert told(graph) == as_told(
        consumed("a", "load", 0, 1), consumed("b", "load", 1, 4), consumed("a", "load", 4, None)
    )


def test_a_late_shape_changes_only_its_own_time(graph: GraphStore) -> None:
    graph.apply(log(shaped("load", shape("a", ""), at=0), shaped("load", shape("a", ""), at=6)))
    assert told(graph) == [consumed("a", "load", 0, None)]
    graph.apply(log(shaped("load", shape("b", ""), at=2), first=3))
    assert told(graph) == as_told(
        consumed("a", "load", 0, 2), consumed("b", "load", 2, 6), consumed("a", "load", 6, None)
    )


def test_a_shape_before_every_other_begins_the_history(graph: GraphStore) -> None:
    graph.apply(log(shaped("load", shape("a", ""), at=5)))
    graph.apply(log(shaped("load", shape("a b", ""), at=1), first=2))
    assert told(graph) == as_told(consumed("a", "load", 1, None), consumed("b", "load", 1, 5))


def test_what_is_withdrawn_gives_its_time_back(graph: GraphStore) -> None:
    first, second = shaped("load", shape("a", ""), at=0), shaped("load", shape("b", ""), at=2)
    graph.apply(log(first, second))
    graph.apply(log(shaped("load", None, at=2), first=3))
    assert told(graph) == [consumed("a", "load", 0, None)]
    graph.apply(log(shaped("load", None, at=0), first=4))
    assert told(graph) == []
    assert names(graph) == ["a", "b", "load"]


def test_a_shape_is_replaced_under_its_identity(graph: GraphStore) -> None:
    graph.apply(log(shaped("load", shape("a", ""), at=1)))
    graph.apply(log(shaped("load", shape("b", ""), at=1), first=2))
    assert told(graph) == [consumed("b", "load", 1, None)]


def test_of_two_shapes_at_one_instant_the_greater_tiebreak_holds(graph: GraphStore) -> None:
    graph.apply(log(shaped("load", shape("b", ""), at=1, tiebreak=2)))
    graph.apply(log(shaped("load", shape("a", ""), at=1, tiebreak=1), first=2))
    assert told(graph) == [consumed("b", "load", 1, None)]
    # Without it the other one, hidden so far, holds.
    graph.apply(log(shaped("load", None, at=1, tiebreak=2), first=3))
    assert told(graph) == [consumed("a", "load", 1, None)]


def test_repeating_what_is_old_changes_nothing(graph: GraphStore) -> None:
    observations = log(
        shaped("load", shape("a", "b"), at=0),
        alias("b", "b2", at=5),
        parent("load", "dag", at=5),
        shaped("load", None, at=0),
        shaped("load", shape("a", "c"), at=1),
        alias("b", "b2", at=3),
        parent("load", "dag", at=3),
    )
    graph.apply(observations)
    expected = graph.digest()
    graph.apply(observations[:3])
    assert graph.digest() == expected
    graph.apply(observations)
    assert graph.digest() == expected
    assert told(graph) == as_told(
        consumed("a", "load", 1, None),
        produced("c", "load", 1, None),
        (EdgeKind.ALIAS, "b", "b2", 3, None),
        (EdgeKind.PARENT, "load", "dag", 3, None),
    )


def test_an_old_statement_beside_a_new_one_does_not_cut_its_time(graph: GraphStore) -> None:
    graph.apply(log(shaped("load", shape("b", ""), at=5), shaped("load", None, at=5)))
    graph.apply(
        [*log(shaped("load", shape("b", ""), at=5)), *log(shaped("load", shape("a", ""), at=1), first=3)]
    )
    assert told(graph) == [consumed("a", "load", 1, None)]


def test_the_last_statement_of_a_batch_counts(graph: GraphStore) -> None:
    graph.apply(log(alias("a", "b", at=3, type_="X"), alias("a", "b", at=1, type_="TABLE")))
    edge = next(iter(graph.edges()))
    assert (edge.span.start, edge.type) == (day(1), "TABLE")


def test_nothing_is_its_own_alias_or_parent(graph: GraphStore) -> None:
    graph.apply(log(alias("a", "a"), parent("load", "load")))
    assert told(graph) == []
    assert names(graph) == ["a", "load"]


def test_data_goes_on_under_a_new_name(graph: GraphStore) -> None:
    graph.apply(
        log(shaped("u", shape("a", "old")), renamed("new", "old", at=1), shaped("v", shape("new", "b")))
    )
    down = graph.lineage(node_id(dataset("a")), Direction.DOWNSTREAM, depth=20, max_nodes=99, seconds=60.0)
    assert [each.split(":")[-1] for each in down.node_ids] == ["a", "u", "old", "new", "v", "b"]
    # Nothing merges: the job that wrote the old name did not write the new one.
    beside = graph.jobs_beside([dataset("new")], Direction.UPSTREAM, most=9, seconds=60.0)
    assert beside.by_dataset[dataset("new")].jobs == ()


def test_stated_flows_go_through_steps_of_their_own(graph: GraphStore) -> None:
    stated = explicit(flow("a", "x"), flow("b", "y"), inputs="c", outputs="z")
    graph.apply(log(shaped("load", stated)))
    assert told(graph) == as_told(
        consumed("a", "load/1", 0, None),
        produced("x", "load/1", 0, None),
        consumed("b", "load/2", 0, None),
        produced("y", "load/2", 0, None),
        # Read and written, but in no flow.
        consumed("c", "load/3", 0, None),
        produced("z", "load/4", 0, None),
    )


def test_one_flow_of_everything_is_the_job_itself(graph: GraphStore) -> None:
    stated = explicit(flow("a", "x", job_inputs="before", job_outputs="after"))
    graph.apply(log(shaped("load", stated)))
    assert told(graph) == as_told(
        consumed("a", "load", 0, None),
        produced("x", "load", 0, None),
        (EdgeKind.FEEDS, "before", "load", 0, None),
        (EdgeKind.FEEDS, "load", "after", 0, None),
    )


def test_two_jobs_may_state_the_same_edge(graph: GraphStore) -> None:
    graph.apply(
        log(
            shaped("u", explicit(flow("", "", job_outputs="v"))),
            shaped("v", explicit(flow("", "", job_inputs="u"))),
        )
    )
    assert told(graph) == as_told(*2 * [(EdgeKind.FEEDS, "u", "v", 0, None)])
    graph.apply(log(shaped("u", None), first=3))
    assert told(graph) == [(EdgeKind.FEEDS, "u", "v", 0, None)]


HOSTILE = [
    "'; DROP TABLE graph_node; --",
    '"}) DETACH DELETE n //',
    "arn:aws:s3:::bucket/key",
    "::",
    "8080:orders",
    "\u202egnp.exe\u202c e\u0301 \U0001f980",
    "a\nb\tc\\d%s%(x)s{}",
    "n" * 8192,
    " ",
]


@pytest.mark.parametrize("name", HOSTILE, ids=range(len(HOSTILE)))
def test_hostile_names_go_round_trip(graph: GraphStore, name: str) -> None:
    key, work = DatasetKey(name, name), JobKey(name, name)
    graph.apply(
        log(ShapeObserved(work, day(0), shaped("x", None).tiebreak, Shape((key,), (dataset("out"),), None)))
    )
    assert {Node.of(key), Node.of(work)} < set(graph.nodes())
    edges = {(edge.origin.node, edge.destination.node) for edge in graph.edges()}
    assert (Node.of(key), Node.of(work)) in edges


def test_ambiguous_ids_are_told_by_what_is_stored(graph: GraphStore) -> None:
    short, long = DatasetKey("postgres", "//host:5432:t"), DatasetKey("postgres://host:5432", "t")
    asked = NodeId.parse("dataset:postgres://host:5432:t")
    graph.apply(log(DatasetObserved(short)))
    assert graph.resolve(asked) == Node.of(short)
    graph.apply(log(DatasetObserved(long), first=2))
    assert graph.resolve(asked) == Node.of(long)
    assert graph.resolve(NodeId.parse("dataset:postgres://host:5432:u")) is None
    assert graph.resolve(NodeId.parse("job:postgres://host:5432:t")) is None
    assert graph.resolve(NodeId.parse("run:0190c4a5-0000-7000-8000-000000000000")) is None


def test_every_node_is_found_by_its_own_id(graph: GraphStore) -> None:
    graph.apply(log(shaped("load", shape("a", "b")), alias("b", "b2")))
    for node in graph.nodes():
        assert graph.resolve(node_id(node)) == node


def test_digests_tell_graphs_apart(graph: GraphStore) -> None:
    digests = [graph.digest()]
    for number, observed in enumerate(
        [
            DatasetObserved(dataset("a")),
            JobObserved(job("a")),
            shaped("a", shape("a", "")),
            shaped("a", shape("", "a"), at=1),
            alias("a", "b"),
            alias("a", "b", type_="LOCATION"),
            alias("a", "b", at=1),
            parent("a", "b"),
        ],
        1,
    ):
        graph.apply(log(observed, first=number))
        digests.append(graph.digest())
    assert len(set(digests)) == len(digests)


def test_a_large_batch_is_one_of_many_small_ones(graph: GraphStore) -> None:
    observed = [
        shaped(
            f"j{number % 40}", shape(f"d{number % 50}", f"d{number % 50 + 1}"), at=number % 7, tiebreak=number
        )
        for number in range(600)
    ]
    graph.apply(log(*observed))
    expected = MemoryGraph()
    for observation in log(*observed):
        expected.apply([observation])
    assert graph.digest() == expected.digest()
