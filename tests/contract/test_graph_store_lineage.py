"""What a graph store answers when it is asked what lies up- or downstream."""

from typing import Any

import pytest

from catalog.errors import InvalidInput, NotFound
from catalog.keys import NodeId
from graph.model import Direction, EdgeKind, Incomplete, Lineage, Want
from graph.port import GraphStore
from tests.support.graphs import alias, dataset, explicit, flow, job, log, node_id, parent, shape, shaped

DOWN, UP, BOTH = Direction.DOWNSTREAM, Direction.UPSTREAM, Direction.BOTH


def ask(graph: GraphStore, asked: str, direction: Direction, **limits: Any) -> Lineage:
    """The lineage of the dataset of this name, or of the job where the name is in capitals."""
    key = job(asked) if asked.isupper() else dataset(asked)
    question = {"depth": 100, "max_nodes": 1000, "seconds": 60.0, "want": Want.NODES | Want.EDGES} | limits
    return graph.lineage(node_id(key), direction, **question)


def names(found: Lineage) -> str:
    """The names of the nodes, in order."""
    return " ".join(node.name for node in found.nodes)


def short(node_ids: tuple[str, ...]) -> str:
    """The names in node ids, in order."""
    return " ".join(node_id.rsplit(":", 1)[1] for node_id in node_ids)


def edges(found: Lineage) -> set[str]:
    """The edges as `from>to`."""
    return {f"{short((edge.origin,))}>{short((edge.destination,))}" for edge in found.edges}


@pytest.fixture
def chain(graph: GraphStore) -> GraphStore:
    """a > J > b > K > c, and b > L > d."""
    graph.apply(log(shaped("J", shape("a", "b")), shaped("K", shape("b", "c")), shaped("L", shape("b", "d"))))
    return graph


def test_downstream_is_everything_that_the_start_feeds_nearest_first(chain: GraphStore) -> None:
    found = ask(chain, "a", DOWN)
    assert names(found) == "a J b K L c d"
    assert edges(found) == {"a>J", "J>b", "b>K", "K>c", "b>L", "L>d"}
    assert found.completeness.complete
    assert found.completeness.frontier == ()
    assert found.node_ids[:2] == ("dataset:db:a", "job:etl:J")


def test_upstream_is_everything_that_feeds_the_start_without_siblings(chain: GraphStore) -> None:
    found = ask(chain, "c", UP)
    assert names(found) == "c K b J a"
    assert edges(found) == {"a>J", "J>b", "b>K", "K>c"}


def test_both_is_the_two_closures_without_siblings_and_cousins(chain: GraphStore) -> None:
    # L and d stem from b too, and are no part of where c comes from or goes to.
    found = ask(chain, "K", BOTH)
    assert names(found) == "K b c J a"
    assert edges(found) == {"a>J", "J>b", "b>K", "K>c"}
    assert found.completeness.complete


def test_an_edge_that_goes_past_the_start_is_in_neither_closure(graph: GraphStore) -> None:
    # a feeds v through m, and directly as well.
    graph.apply(log(shaped("U", shape("a", "m")), shaped("V", shape("a m", "z"))))
    assert edges(ask(graph, "m", BOTH)) == {"a>U", "U>m", "m>V", "V>z"}


def test_depth_counts_edges_and_says_where_it_stopped(chain: GraphStore) -> None:
    found = ask(chain, "a", DOWN, depth=2)
    assert names(found) == "a J b"
    assert found.completeness.reason is Incomplete.DEPTH
    assert short(found.completeness.frontier) == "b"
    assert names(ask(chain, "a", DOWN, depth=0)) == "a"


def test_a_depth_beyond_which_nothing_lies_is_complete(chain: GraphStore) -> None:
    assert ask(chain, "a", DOWN, depth=3).completeness.reason is Incomplete.DEPTH
    found = ask(chain, "a", DOWN, depth=4)
    assert names(found) == "a J b K L c d"
    assert found.completeness.complete


def test_only_what_has_more_beyond_it_is_frontier(graph: GraphStore) -> None:
    graph.apply(log(shaped("J", shape("a", "b c d")), shaped("K", shape("c", "z"))))
    found = ask(graph, "a", DOWN, depth=2)
    assert names(found) == "a J b c d"
    assert short(found.completeness.frontier) == "c"


def test_a_cycle_ends_and_is_complete(graph: GraphStore) -> None:
    graph.apply(log(shaped("J", shape("a", "b")), shaped("K", shape("b", "a"))))
    found = ask(graph, "a", DOWN)
    assert names(found) == "a J b K"
    assert edges(found) == {"a>J", "J>b", "b>K", "K>a"}
    assert found.completeness.complete
    # At depth 3 the only edge that is left leads back to what was visited.
    assert ask(graph, "a", DOWN, depth=3).completeness.complete


def test_the_limit_keeps_the_nearest_and_the_smallest(graph: GraphStore) -> None:
    graph.apply(log(shaped("J", shape("a", "d c b")), shaped("K", shape("b", "z"))))
    found = ask(graph, "a", DOWN, max_nodes=4)
    assert names(found) == "a J b c"
    assert edges(found) == {"a>J", "J>b", "J>c"}
    assert found.completeness.reason is Incomplete.NODE_LIMIT
    # d is left out beyond J, and K beyond b; beyond c lies nothing.
    assert short(found.completeness.frontier) == "J b"


def test_a_limit_that_everything_fits_is_complete(chain: GraphStore) -> None:
    assert ask(chain, "a", DOWN, max_nodes=7).completeness.complete
    assert ask(chain, "a", DOWN, max_nodes=6).completeness.reason is Incomplete.NODE_LIMIT


def test_a_limit_of_one_is_the_start(chain: GraphStore) -> None:
    found = ask(chain, "b", BOTH, max_nodes=1)
    assert names(found) == "b"
    assert short(found.completeness.frontier) == "b"


def test_the_limit_is_shared_by_both_ways_nearest_first(graph: GraphStore) -> None:
    graph.apply(log(shaped("J", shape("a", "m")), shaped("K", shape("m", "z"))))
    assert names(ask(graph, "m", BOTH, max_nodes=3)) == "m J K"
    assert names(ask(graph, "m", BOTH, max_nodes=4)) == "m J K a"


def test_an_alias_is_crossed_at_no_distance(graph: GraphStore) -> None:
    graph.apply(
        log(shaped("W", shape("a", "table")), alias("path", "table"), shaped("R", shape("path", "z")))
    )
    found = ask(graph, "a", DOWN)
    assert names(found) == "a W path table R z"
    assert edges(found) == {"a>W", "W>table", "path>table", "path>R", "R>z"}
    assert [edge for edge in found.edges if edge.kind is EdgeKind.ALIAS] == [
        ("dataset:db:path", "dataset:db:table", EdgeKind.ALIAS)
    ]
    # Writer, table, its other name and reader: three edges of depth.
    assert names(ask(graph, "a", DOWN, depth=3)) == "a W path table R"
    assert names(ask(graph, "z", UP)) == "z R path table W a"


def test_a_walk_begins_at_every_name_of_a_dataset(graph: GraphStore) -> None:
    graph.apply(log(alias("a", "b"), alias("c", "b"), shaped("J", shape("c", "z"))))
    assert names(ask(graph, "a", DOWN, depth=1)) == "a b c J"
    assert names(ask(graph, "a", DOWN, depth=0)) == "a b c"


def test_a_stated_flow_is_not_mixed_with_another(graph: GraphStore) -> None:
    graph.apply(log(shaped("J", explicit(flow("a", "x"), flow("b", "y")))))
    assert names(ask(graph, "a", DOWN)) == "a J x"
    assert names(ask(graph, "y", UP)) == "y J b"
    assert edges(ask(graph, "a", DOWN)) == {"a>J", "J>x"}
    # Who asks for the job gets all that goes through it.
    assert names(ask(graph, "J", BOTH)) == "J a b x y"
    assert edges(ask(graph, "J", DOWN)) == {"J>x", "J>y"}


def test_a_walk_may_come_through_a_job_twice(graph: GraphStore) -> None:
    # a goes through J to x, which goes through J again to y.
    graph.apply(log(shaped("J", explicit(flow("a", "x"), flow("x", "y")))))
    found = ask(graph, "a", DOWN)
    assert names(found) == "a J x y"
    assert edges(found) == {"a>J", "J>x", "x>J", "J>y"}
    # The job is shown, but the way through it from x is not walked yet.
    stopped = ask(graph, "a", DOWN, depth=2)
    assert names(stopped) == "a J x"
    assert short(stopped.completeness.frontier) == "x"


def test_what_no_flow_names_feeds_nothing(graph: GraphStore) -> None:
    graph.apply(log(shaped("J", explicit(flow("a", "x"), inputs="config", outputs="log"))))
    assert names(ask(graph, "config", DOWN)) == "config J"
    assert names(ask(graph, "log", UP)) == "log J"


def test_data_goes_from_job_to_job(graph: GraphStore) -> None:
    graph.apply(log(shaped("J", explicit(flow("a", "", job_outputs="K"))), shaped("K", shape("", "z"))))
    found = ask(graph, "a", DOWN)
    assert names(found) == "a J K z"
    assert {edge.kind for edge in found.edges} == {EdgeKind.CONSUMES, EdgeKind.FEEDS, EdgeKind.PRODUCES}


def test_a_parent_is_no_lineage(graph: GraphStore) -> None:
    graph.apply(log(shaped("J", shape("a", "b")), parent("J", "DAG")))
    assert names(ask(graph, "J", BOTH)) == "J a b"
    assert names(ask(graph, "DAG", BOTH)) == "DAG"


def test_what_no_longer_holds_is_not_walked(graph: GraphStore) -> None:
    graph.apply(log(shaped("J", shape("a", "b"), at=0), shaped("J", shape("c", "b"), at=1)))
    assert names(ask(graph, "b", UP)) == "b J c"
    assert names(ask(graph, "a", DOWN)) == "a"
    assert ask(graph, "a", DOWN).completeness.complete


def test_only_what_is_asked_for_is_given(chain: GraphStore) -> None:
    found = ask(chain, "a", DOWN, want=Want.IDS)
    assert short(found.node_ids) == "a J b K L c d"
    assert (found.nodes, found.edges) == ((), ())
    assert ask(chain, "a", DOWN, want=Want.EDGES).nodes == ()


def test_answers_say_their_position(chain: GraphStore) -> None:
    assert ask(chain, "a", DOWN).position == chain.position()


def test_a_node_that_is_not_stored_is_not_found(chain: GraphStore) -> None:
    with pytest.raises(NotFound, match="dataset:db:nowhere"):
        ask(chain, "nowhere", DOWN)
    run = NodeId.parse("run:0190c4a5-0000-7000-8000-000000000000")
    with pytest.raises(NotFound):
        chain.lineage(run, DOWN, depth=1, max_nodes=1, seconds=1)


@pytest.mark.parametrize("limits", [{"depth": -1}, {"max_nodes": 0}])
def test_bounds_that_mean_nothing_are_refused(chain: GraphStore, limits: dict[str, int]) -> None:
    with pytest.raises(InvalidInput):
        ask(chain, "a", DOWN, **limits)
