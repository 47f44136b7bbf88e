"""Digests of graphs: the order of the parts does not matter, everything else does."""

from catalog.keys import DatasetKey, JobKey
from graph.digest import SIZE, graph_digest
from graph.memory import MemoryGraph
from graph.model import Node
from graph.verification import TOLD, verify
from tests.support.graphs import alias, dataset, log, shape, shaped

OBSERVATIONS = log(shaped("J", shape("a b", "c")), shaped("J", shape("a", "c"), at=2), alias("c", "d"))


def filled() -> MemoryGraph:
    graph = MemoryGraph()
    graph.apply(OBSERVATIONS)
    return graph


def test_the_order_of_parts_does_not_matter() -> None:
    nodes, edges = list(filled().nodes()), list(filled().edges())
    digest = graph_digest(nodes, edges)
    assert digest == graph_digest(reversed(nodes), reversed(edges)) == filled().digest()
    assert len(digest) == SIZE


def test_every_part_matters() -> None:
    nodes, edges = list(filled().nodes()), list(filled().edges())
    whole = graph_digest(nodes, edges)
    without = {graph_digest(nodes[:i] + nodes[i + 1 :], edges) for i in range(len(nodes))}
    without |= {graph_digest(nodes, edges[:i] + edges[i + 1 :]) for i in range(len(edges))}
    assert len(without - {whole}) == len(nodes) + len(edges)


def test_names_do_not_run_into_each_other() -> None:
    digests = {
        graph_digest([Node.of(key)], [])
        for key in (DatasetKey("a", "bc"), DatasetKey("ab", "c"), DatasetKey("a:b", "c"), JobKey("a", "bc"))
    }
    assert len(digests) == 4


def test_a_graph_that_is_what_its_log_says_is_equal() -> None:
    found = verify(OBSERVATIONS, filled().nodes(), filled().edges())
    assert found.equal
    assert (found.nodes, found.edges) == (5, 4)
    assert found.digest == found.expected_digest == filled().digest()


def test_a_part_that_stands_twice_is_surplus() -> None:
    found = verify(OBSERVATIONS, [*filled().nodes(), Node.of(dataset("a"))], filled().edges())
    assert not found.equal
    assert found.differences == ("surplus: node dataset:db:a",)


def test_many_differences_are_counted_and_the_first_are_told() -> None:
    observations = log(*[shaped(f"J{number}", shape("a", "b")) for number in range(50)])
    found = verify(observations, [], [])
    assert found.missing == 52 + 100
    assert len(found.differences) == TOLD
    assert all(line.startswith("missing: node") for line in found.differences)
