"""`headwater lineage`: a tree of where data comes from and goes to."""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from typing import Annotated, Any

import typer
from rich.text import Text
from rich.tree import Tree

from graph.model import Direction
from web.cli.client import connected
from web.cli.completeness import say_completeness
from web.cli.options import AsJson, DataDir, Url
from web.cli.output import print_json, print_tree
from web.cli.queries import LINEAGE
from web.cli.text import count, shown

ALIAS = "alias"
Answer = dict[str, Any]
#: A node id that lies one edge further, and the kind of the edge.
Step = tuple[str, str]


def run_lineage(
    node: Annotated[
        str,
        typer.Argument(
            metavar="NODE",
            help="dataset:NAMESPACE:NAME, job:NAMESPACE:NAME or datasetField:NAMESPACE:NAME:FIELD.",
        ),
    ],
    direction: Annotated[
        Direction, typer.Option(case_sensitive=False, help="Where data comes from, goes to, or both.")
    ] = Direction.BOTH,
    depth: Annotated[int, typer.Option(min=0, help="Most edges away; dataset to job is one.")] = 20,
    max_nodes: Annotated[int, typer.Option(min=1, help="Most nodes.")] = 10_000,
    url: Url = None,
    data_dir: DataDir = None,
    *,
    as_json: AsJson = False,
) -> None:
    """Draw where data comes from and goes to.

    What lies beyond a node is drawn once; further places of it say so, and where the way comes back to itself stands ↻.
    … marks where the answer stops. Whether it is complete is told on stderr; exit code 0 also where it is not.
    """
    with connected(url, data_dir) as client:
        found = client.ask(LINEAGE, node=node, direction=direction.value, depth=depth, maxNodes=max_nodes)[
            "lineage"
        ]
    if as_json:
        print_json(found)
    else:
        print_tree(lineage_tree(found, direction))
    size = count(len(found["nodes"]), "node")
    say_completeness(found["completeness"], f"{size}, position {found['position']}")


def lineage_tree(answer: Answer, direction: Direction) -> Tree:
    """Return the start with what lies up- and downstream of it; the answer's first node is the start."""
    start = answer["nodes"][0]["id"]
    stopped = frozenset(answer["completeness"]["frontier"])
    tree = Tree(_label(start, stopped, style="bold"), guide_style="dim")
    ways = [Direction.UPSTREAM, Direction.DOWNSTREAM] if direction is Direction.BOTH else [direction]
    for way in ways:
        branch = tree.add(Text(way.value.lower(), style="italic")) if direction is Direction.BOTH else tree
        _grow(branch, start, next_nodes(answer["edges"], way), stopped)
        if direction is Direction.BOTH and not branch.children:
            branch.add(Text("nothing", style="dim"))
    return tree


def next_nodes(edges: Sequence[Mapping[str, str]], way: Direction) -> dict[str, list[Step]]:
    """Return for each node id what lies one edge further that way, with the kind of the edge; aliases go both ways."""
    found: defaultdict[str, set[Step]] = defaultdict(set)
    for edge in edges:
        origin, destination, kind = edge["origin"], edge["destination"], edge["kind"]
        if way is Direction.DOWNSTREAM or kind == ALIAS:
            found[origin].add((destination, kind))
        if way is Direction.UPSTREAM or kind == ALIAS:
            found[destination].add((origin, kind))
    return {node: sorted(following) for node, following in found.items()}


def _grow(tree: Tree, start: str, following: Mapping[str, Sequence[Step]], stopped: frozenset[str]) -> None:
    """Draw every node once, with all that follows it right below; a graph may be deeper than Python's stack."""
    drawn = {start}
    # The way from the start to where the drawing is, with what is still to be drawn at each node of it.
    way = [(start, tree, iter(following.get(start, ())))]
    above = {start}
    while way:
        node, branch, steps = way[-1]
        step = next(steps, None)
        if step is None:
            way.pop()
            above.discard(node)
            continue
        child, kind = step
        # An alias leads back to where it came from, which says nothing.
        if kind == ALIAS and len(way) > 1 and way[-2][0] == child:
            continue
        if child in drawn:
            branch.add(
                _label(child, stopped, kind=kind, mark="↻ cycle" if child in above else "↑ shown above")
            )
            continue
        drawn.add(child)
        above.add(child)
        way.append((child, branch.add(_label(child, stopped, kind=kind)), iter(following.get(child, ()))))


def _label(node: str, stopped: frozenset[str], *, kind: str = "", mark: str = "", style: str = "") -> Text:
    label = Text(shown(node), style=style or ("cyan" if node.startswith("dataset:") else ""))
    if kind == ALIAS:
        label.append("  (alias)", style="dim")
    if mark:
        label.append(f"  {mark}", style="yellow")
    elif node in stopped:
        label.append(" …", style="yellow")
    return label
