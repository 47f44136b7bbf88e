import io
from collections.abc import Iterable
from itertools import pairwise

from rich.console import Console
from rich.tree import Tree

from graph.model import Direction
from web.cli.lineage import Answer, lineage_tree


def answer(start: str, edges: Iterable[tuple[str, str, str]], frontier: Iterable[str] = ()) -> Answer:
    return {
        "nodes": [{"id": start}],
        "edges": [{"origin": origin, "destination": to, "kind": kind} for origin, to, kind in edges],
        "completeness": {"complete": not frontier, "reason": None, "frontier": list(frontier)},
    }


def drawn(tree: Tree) -> list[str]:
    stream = io.StringIO()
    Console(file=stream, width=100_000, markup=False).print(tree, no_wrap=True, overflow="ignore", crop=False)
    return [line.rstrip() for line in stream.getvalue().splitlines()]


def test_a_line_of_datasets_and_jobs() -> None:
    edges = [
        ("dataset:n:a", "job:n:j", "consumes"),
        ("job:n:j", "dataset:n:b", "produces"),
        ("job:n:j", "dataset:n:c", "produces"),
    ]
    assert drawn(lineage_tree(answer("dataset:n:a", edges), Direction.DOWNSTREAM)) == [
        "dataset:n:a",
        "└── job:n:j",
        "    ├── dataset:n:b",
        "    └── dataset:n:c",
    ]
    assert drawn(lineage_tree(answer("dataset:n:c", edges), Direction.UPSTREAM)) == [
        "dataset:n:c",
        "└── job:n:j",
        "    └── dataset:n:a",
    ]


def test_both_ways_stand_under_their_names() -> None:
    edges = [("dataset:n:a", "job:n:j", "consumes"), ("job:n:j", "dataset:n:b", "produces")]
    assert drawn(lineage_tree(answer("job:n:j", edges), Direction.BOTH)) == [
        "job:n:j",
        "├── upstream",
        "│   └── dataset:n:a",
        "└── downstream",
        "    └── dataset:n:b",
    ]
    assert drawn(lineage_tree(answer("dataset:n:b", edges), Direction.BOTH))[-2:] == [
        "└── downstream",
        "    └── nothing",
    ]


def test_a_cycle_is_marked_where_the_way_comes_back() -> None:
    edges = [
        ("dataset:n:a", "job:n:j", "consumes"),
        ("job:n:j", "dataset:n:a", "produces"),
        ("job:n:j", "dataset:n:b", "produces"),
    ]
    assert drawn(lineage_tree(answer("dataset:n:a", edges), Direction.DOWNSTREAM)) == [
        "dataset:n:a",
        "└── job:n:j",
        "    ├── dataset:n:a  ↻ cycle",
        "    └── dataset:n:b",
    ]


def test_what_lies_beyond_a_node_is_drawn_once() -> None:
    edges = [
        ("dataset:n:a", "job:n:j", "consumes"),
        ("dataset:n:a", "job:n:k", "consumes"),
        ("job:n:j", "dataset:n:b", "produces"),
        ("job:n:k", "dataset:n:b", "produces"),
        ("dataset:n:b", "job:n:l", "consumes"),
    ]
    assert drawn(lineage_tree(answer("dataset:n:a", edges), Direction.DOWNSTREAM)) == [
        "dataset:n:a",
        "├── job:n:j",
        "│   └── dataset:n:b",
        "│       └── job:n:l",
        "└── job:n:k",
        "    └── dataset:n:b  ↑ shown above",
    ]


def test_an_alias_is_crossed_from_either_side_and_not_back() -> None:
    edges = [("dataset:n:a", "dataset:n:b", "alias"), ("dataset:n:a", "job:n:j", "consumes")]
    assert drawn(lineage_tree(answer("dataset:n:b", edges), Direction.DOWNSTREAM)) == [
        "dataset:n:b",
        "└── dataset:n:a  (alias)",
        "    └── job:n:j",
    ]


def test_the_frontier_is_marked() -> None:
    edges = [("dataset:n:a", "job:n:j", "consumes")]
    assert drawn(lineage_tree(answer("dataset:n:a", edges, ["job:n:j"]), Direction.DOWNSTREAM)) == [
        "dataset:n:a",
        "└── job:n:j …",
    ]


def test_names_are_neither_markup_nor_orders_to_the_terminal() -> None:
    start, hostile = "dataset:n:[red]a[/red]", "job:n:\x1b]0;title\x07\n[bold]"
    lines = drawn(lineage_tree(answer(start, [(start, hostile, "consumes")]), Direction.DOWNSTREAM))
    assert lines == ["dataset:n:[red]a[/red]", "└── job:n:\\x1b]0;title\\x07\\n[bold]"]


def test_a_chain_of_thousands_is_drawn_without_recursion() -> None:
    nodes = [f"{'dataset' if at % 2 else 'job'}:n:{at}" for at in range(3_000)]
    edges = [(first, second, "feeds") for first, second in pairwise(nodes)]
    tree = lineage_tree(answer(nodes[0], edges), Direction.DOWNSTREAM)
    depth = 0
    while tree.children:
        (tree,) = tree.children
        depth += 1
    assert depth == 2_999
