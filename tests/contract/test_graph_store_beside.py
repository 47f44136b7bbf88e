"""What a graph store answers when it is asked for the jobs next to many datasets."""

from typing import Any

import pytest

from catalog.errors import InvalidInput
from catalog.keys import DatasetKey
from catalog.openlineage.shape import Shape
from graph.model import Beside, Completeness, Direction, Incomplete
from graph.port import GraphStore
from tests.support.graphs import alias, dataset, datasets, explicit, flow, log, parent, shape, shaped

DOWN, UP = Direction.DOWNSTREAM, Direction.UPSTREAM


def ask(graph: GraphStore, asked: str, direction: Direction, most: int = 100) -> dict[str, Beside]:
    """The jobs beside the datasets of these names, by name."""
    found = graph.jobs_beside(datasets(asked), direction, most=most, seconds=60)
    assert found.position == graph.position()
    return {key.name: beside for key, beside in found.by_dataset.items()}


def jobs(found: dict[str, Beside]) -> dict[str, str]:
    """The names of the jobs by the name of the dataset, where these are all."""
    assert all(beside.completeness == Completeness() for beside in found.values())
    return {name: " ".join(node.name for node in beside.jobs) for name, beside in found.items()}


def test_each_dataset_has_its_own_readers_and_writers(graph: GraphStore) -> None:
    graph.apply(log(shaped("J", shape("a b", "c")), shaped("K", shape("b c", "d")), parent("J", "DAG")))
    assert jobs(ask(graph, "a b c d", DOWN)) == {"a": "J", "b": "J K", "c": "K", "d": ""}
    assert jobs(ask(graph, "a b c d", UP)) == {"a": "", "b": "", "c": "J", "d": "K"}
    assert ask(graph, "", DOWN) == {}


def test_what_is_said_under_another_name_counts(graph: GraphStore) -> None:
    # a and c are one dataset through b, of which neither knows.
    graph.apply(
        log(alias("a", "b"), alias("b", "c"), shaped("J", shape("a", "")), shaped("K", shape("c", "z")))
    )
    assert jobs(ask(graph, "a c z", DOWN)) == {"a": "J K", "c": "J K", "z": ""}
    assert jobs(ask(graph, "b z", UP)) == {"b": "", "z": "K"}


def test_a_job_with_flows_is_one_neighbour(graph: GraphStore) -> None:
    graph.apply(log(shaped("J", explicit(flow("a", "x"), flow("a", "y"), inputs="config"))))
    assert jobs(ask(graph, "a config", DOWN)) == {"a": "J", "config": "J"}


def test_what_no_longer_holds_is_no_neighbour(graph: GraphStore) -> None:
    graph.apply(log(shaped("J", shape("a", "b"), at=0), shaped("J", shape("c", "b"), at=1)))
    assert jobs(ask(graph, "a c", DOWN)) == {"a": "", "c": "J"}


def test_a_dataset_that_is_not_stored_has_none(graph: GraphStore) -> None:
    graph.apply(log(shaped("J", shape("a", "b"))))
    assert jobs(ask(graph, "a nowhere", DOWN)) == {"a": "J", "nowhere": ""}


def test_names_with_colons_are_not_taken_for_each_other(graph: GraphStore) -> None:
    # Both have the node id dataset:pg:host:t.
    shorter, longer = DatasetKey("pg", "host:t"), DatasetKey("pg:host", "t")
    graph.apply(log(shaped("J", Shape((shorter,), (), None)), shaped("K", Shape((longer,), (), None))))
    found = graph.jobs_beside([shorter, longer], DOWN, most=5, seconds=60).by_dataset
    assert [node.name for key in (shorter, longer) for node in found[key].jobs] == ["J", "K"]


def test_what_finds_no_room_is_told_for_the_dataset_that_it_is_beside(graph: GraphStore) -> None:
    graph.apply(
        log(
            *(shaped(name, shape("hub", "")) for name in "WXYZ"),
            shaped("A", shape("small", "")),
            alias("hub", "other"),
        )
    )
    found = ask(graph, "hub other small", DOWN, most=2)
    for name in ("hub", "other"):
        assert [node.name for node in found[name].jobs] == ["W", "X"]
        # Beyond this name the others lie, not beyond the other one.
        assert found[name].completeness == Completeness(Incomplete.NODE_LIMIT, (dataset("hub").node_id,))
    assert jobs({"small": found["small"]}) == {"small": "A"}
    assert jobs(ask(graph, "hub", DOWN, most=4)) == {"hub": "W X Y Z"}
    nothing = ask(graph, "small", DOWN, most=0)["small"]
    assert (nothing.jobs, nothing.completeness.reason) == ((), Incomplete.NODE_LIMIT)


def test_a_number_that_means_nothing_is_refused(graph: GraphStore) -> None:
    question: dict[str, Any] = {"most": -1, "seconds": 1.0}
    with pytest.raises(InvalidInput):
        graph.jobs_beside(datasets("a"), DOWN, **question)
