"""What a graph store answers when it is asked what a change may change."""

from typing import Any

import pytest

from catalog.errors import InvalidInput, NotFound
from catalog.keys import NodeId
from graph.model import Direction, Impact, ImpactLevel, Incomplete, NodeKind, Want
from graph.port import GraphStore
from tests.support.graphs import alias, explicit, flow, log, renamed, shape, shaped, with_columns


def ask(graph: GraphStore, asked: str, **limits: Any) -> Impact:
    """The impact of the field `a.p`, of the job where the name is in capitals, else of the dataset."""
    node = f"job:etl:{asked}" if asked.isupper() else f"dataset:db:{asked}"
    if "." in asked:
        node = f"datasetField:db:{asked.replace('.', ':')}"
    question: dict[str, Any] = {"depth": 100, "max_nodes": 1000, "seconds": 60.0, "want": Want.PATHS} | limits
    return graph.impact(NodeId.parse(node), **question)


def short(node_id: str) -> str:
    kind, _, *names = node_id.split(":")
    return ".".join(names) if kind == "datasetField" else names[0]


def told(found: Impact) -> str:
    """What is affected, in order; a dataset of which all may be stands with an exclamation mark."""
    marks = {ImpactLevel.TABLE: "!", ImpactLevel.COLUMNS: "", None: ""}
    return " ".join(short(each.node_id) + marks[each.level] for each in found.affected)


def path(found: Impact, name: str) -> str:
    [one] = [each for each in found.affected if short(each.node_id) == name]
    return " ".join(short(node_id) for node_id in found.trail.path(one.step))


def distances(found: Impact) -> dict[str, int]:
    return {short(each.node_id): each.distance for each in found.affected}


@pytest.fixture
def mixed(graph: GraphStore) -> GraphStore:
    """a > J > b, whose columns are told; b > K > c, whose columns are not; c > L > d, whose columns are told."""
    graph.apply(
        log(
            shaped("J", with_columns(shape("a", "b"), b="p=a.p q=a.q")),
            shaped("K", shape("b", "c")),
            shaped("L", with_columns(shape("c", "d"), d="x=c.x")),
        )
    )
    return graph


def test_a_field_affects_what_is_made_of_it_alone(graph: GraphStore) -> None:
    graph.apply(
        log(
            shaped("U", with_columns(shape("a", "b"), b="p=a.p q=a.q")),
            shaped("V", with_columns(shape("b", "c"), c="x=b.p y=b.q")),
        )
    )
    found = ask(graph, "a.p")
    assert told(found) == "U b b.p V c c.x"
    assert distances(found) == {"U": 1, "b": 2, "b.p": 2, "V": 3, "c": 4, "c.x": 4}
    assert path(found, "c.x") == "a.p U b.p V c.x"
    assert path(found, "b") == "a.p U b.p b"
    assert found.completeness.complete
    assert found.start.id == "datasetField:db:a:p"


def test_from_a_job_that_tells_of_no_columns_on_everything_may_be_affected(mixed: GraphStore) -> None:
    found = ask(mixed, "a.p")
    # L tells of the columns of d, but what happened to those of c before nobody knows.
    assert told(found) == "J b b.p K c! L d!"
    assert path(found, "d") == "a.p J b.p b K c L d"
    assert distances(found)["d"] == 6


def test_an_output_in_which_the_field_takes_no_part_is_not_affected(graph: GraphStore) -> None:
    graph.apply(log(shaped("J", with_columns(shape("a", "b c"), b="p=a.p", c="r=a.r"))))
    assert told(ask(graph, "a.p")) == "J b b.p"
    # Nothing is made of q, and all that J writes is told of.
    assert told(ask(graph, "a.q")) == ""
    assert ask(graph, "a.q").completeness.complete


def test_a_job_that_tells_of_some_outputs_leaves_the_others_open(graph: GraphStore) -> None:
    graph.apply(log(shaped("J", with_columns(shape("a", "b c"), b="p=a.p"))))
    assert told(ask(graph, "a.p")) == "J b c! b.p"
    assert told(ask(graph, "a.q")) == "J c!"


def test_a_job_that_writes_nothing_is_affected_by_every_field_it_may_read(graph: GraphStore) -> None:
    graph.apply(log(shaped("R", shape("a", "")), shaped("J", with_columns(shape("a", "b"), b="p=a.p"))))
    assert told(ask(graph, "a.q")) == "R"
    assert told(ask(graph, "a.p")) == "J R b b.p"


def test_what_every_field_depends_on_affects_every_field(graph: GraphStore) -> None:
    graph.apply(log(shaped("J", with_columns(shape("a", "b"), b="p=a.p q= *=a.key"))))
    found = ask(graph, "a.key")
    assert told(found) == "J b b.p b.q"
    assert distances(found) == {"J": 1, "b": 2, "b.p": 2, "b.q": 2}


def test_a_field_is_followed_by_every_name_of_its_dataset(graph: GraphStore) -> None:
    graph.apply(
        log(
            shaped("J", with_columns(shape("a", "path"), path="p=a.p")),
            shaped("K", with_columns(shape("table", "c"), c="x=table.p")),
            shaped("L", shape("table", "d")),
            alias("path", "table"),
        )
    )
    found = ask(graph, "a.p")
    assert told(found) == "J path table path.p table.p K L c d! c.x"
    assert path(found, "d").split()[-2:] == ["L", "d"]


def test_a_later_name_is_affected_wholly(graph: GraphStore) -> None:
    # Which columns it has under the new name nobody says.
    graph.apply(log(shaped("J", with_columns(shape("a", "b"), b="p=a.p")), renamed("new", "b")))
    assert told(ask(graph, "a.p")) == "J b b.p new!"


def test_a_table_affects_all_that_lineage_knows_by_columns_where_they_are_told(mixed: GraphStore) -> None:
    found = ask(mixed, "a")
    assert told(found) == "J b b.p b.q K c! L d!"
    lineage = mixed.lineage(
        NodeId.parse("dataset:db:a"), Direction.DOWNSTREAM, depth=100, max_nodes=100, seconds=60.0
    )
    tables = {each.node_id for each in found.affected if each.kind is not NodeKind.FIELD}
    assert tables == set(lineage.node_ids[1:])


def test_a_table_that_is_read_but_of_which_nothing_is_made_is_told_of_without_fields(
    graph: GraphStore,
) -> None:
    graph.apply(log(shaped("J", with_columns(shape("a b", "c"), c="x=b.x"))))
    assert told(ask(graph, "a")) == "J c"
    assert told(ask(graph, "b")) == "J c c.x"


def test_a_job_affects_all_that_it_writes(mixed: GraphStore) -> None:
    assert told(ask(mixed, "J")) == "b b.p b.q K c! L d!"
    assert told(ask(mixed, "L")) == "d d.x"
    assert told(ask(mixed, "K")) == "c! L d!"


def test_a_field_that_nobody_makes_of_anything_is_one_too(graph: GraphStore) -> None:
    graph.apply(
        log(
            shaped("J", with_columns(shape("", "a"), a="constant=")),
            shaped("K", with_columns(shape("a", "b"), b="p=a.constant")),
        )
    )
    assert told(ask(graph, "J")) == "a a.constant K b b.p"


def test_a_field_that_no_columns_name_is_asked_about_by_its_table(mixed: GraphStore) -> None:
    found = ask(mixed, "b.unheard")
    assert told(found) == "K c! L d!"
    assert found.start.id == "datasetField:db:b:unheard"
    # J tells of all columns of b, and this one stands in none of them.
    assert told(ask(mixed, "a.unheard")) == ""


def test_only_the_flow_that_reads_the_table_is_followed(graph: GraphStore) -> None:
    stated = explicit(flow("a", "x"), flow("b", "y"))
    graph.apply(log(shaped("J", with_columns(stated, x="p=a.p"))))
    assert told(ask(graph, "a.p")) == "J x x.p"
    assert told(ask(graph, "b.p")) == "J y!"


def test_data_that_goes_from_job_to_job_is_not_known_by_column(graph: GraphStore) -> None:
    graph.apply(
        log(
            shaped("J", explicit(flow("a", "", job_outputs="K"))),
            shaped("K", with_columns(shape("", "z"), z="p=")),
        )
    )
    assert told(ask(graph, "a.p")) == "J K z!"


def test_a_cycle_ends(graph: GraphStore) -> None:
    graph.apply(
        log(
            shaped("J", with_columns(shape("a", "b"), b="p=a.p")),
            shaped("K", with_columns(shape("b", "a"), a="p=b.p")),
        )
    )
    assert told(ask(graph, "a.p")) == "J b b.p K"
    assert told(ask(graph, "a")) == "J b b.p K"


def test_bounds_say_where_it_stopped(mixed: GraphStore) -> None:
    found = ask(mixed, "a.p", depth=2)
    assert told(found) == "J b b.p"
    assert found.completeness.reason is Incomplete.DEPTH
    assert [short(node_id) for node_id in found.completeness.frontier] == ["b"]
    # The start, its dataset, J and b.
    found = ask(mixed, "a.p", max_nodes=4)
    assert told(found) == "J b.p"
    assert found.completeness.reason is Incomplete.NODE_LIMIT
    assert ask(mixed, "a.p", depth=6).completeness.complete


def test_what_no_longer_holds_affects_nothing(graph: GraphStore) -> None:
    graph.apply(
        log(
            shaped("J", with_columns(shape("a", "b"), b="p=a.p"), at=0),
            shaped("J", with_columns(shape("c", "b"), b="p=c.p"), at=1),
        )
    )
    assert told(ask(graph, "a.p")) == ""


def test_what_is_not_stored_is_not_found(mixed: GraphStore) -> None:
    for asked in ("nowhere", "nowhere.p", "NOBODY"):
        with pytest.raises(NotFound, match="expected a stored node"):
            ask(mixed, asked)
    run = NodeId.parse("run:0190c4a5-0000-7000-8000-000000000000")
    with pytest.raises(NotFound):
        mixed.impact(run, depth=1, max_nodes=1, seconds=1)


@pytest.mark.parametrize("limits", [{"depth": -1}, {"max_nodes": 0}])
def test_bounds_that_mean_nothing_are_refused(mixed: GraphStore, limits: dict[str, int]) -> None:
    with pytest.raises(InvalidInput):
        ask(mixed, "a", **limits)


def test_an_answer_says_its_position(mixed: GraphStore) -> None:
    assert ask(mixed, "a.p").position == mixed.position()


def test_nodes_are_given_where_they_are_asked_for(mixed: GraphStore) -> None:
    found = ask(mixed, "a.p", want=Want.NODES)
    assert [node.id for node in found.nodes] == [each.node_id for each in found.affected]
    assert ask(mixed, "a.p").nodes == ()
    bare = ask(mixed, "a.p", want=Want.IDS)
    assert told(bare) == told(found)
    assert bare.trail.node_ids == ()
