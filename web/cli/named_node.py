"""A dataset or a job as somebody names it on the command line: by node id, or by a name that only one has."""

from typing import Any, Literal

from catalog.errors import InvalidInput, NotFound
from web.cli.client import Client
from web.cli.queries import SEARCH

#: Names that are told of where the one that was given has none or several.
TOLD = 5

Kind = Literal["dataset", "job"]


def find_named(client: Client, kind: Kind, text: str, query: str, **variables: Any) -> dict[str, Any]:
    """Return what the query tells of the dataset or the job that the text names.

    The text is a node id, with or without its kind before it, or a name, whole and in whatever case. Raises `NotFound`
    where nothing is called so, `InvalidInput` where several are; both say what else there is.
    """
    for node in _node_ids(kind, text):
        found: dict[str, Any] = client.ask(query, node=node, **variables)
        if found[kind] is not None:
            return found
    hits = _called(client, kind, text)
    exact = [hit["id"] for hit in hits if hit["match"] == "EXACT"]
    if len(exact) == 1:
        named: dict[str, Any] = client.ask(query, node=exact[0], **variables)
        if named[kind] is not None:
            return named
    if exact:
        raise InvalidInput(f"expected a node id, for several have this name: {_listed(exact)}")
    close = f"; did you mean {_listed([hit['id'] for hit in hits])}?" if hits else ""
    raise NotFound(f"expected a {kind} that was heard of, found none called {text!r}{close}")


def _node_ids(kind: Kind, text: str) -> list[str]:
    if text.startswith(f"{kind}:") and text.count(":") > 1:
        return [text]
    return [f"{kind}:{text}"] if ":" in text.strip(":") else []


def _called(client: Client, kind: Kind, text: str) -> list[dict[str, Any]]:
    if not text.strip():
        return []
    filters = {"kinds": [kind.upper()], "fields": ["NAME"]}
    found: list[dict[str, Any]] = client.ask(SEARCH, text=text, filters=filters, first=TOLD + 1)["search"][
        "nodes"
    ]
    return found


def _listed(ids: list[str]) -> str:
    more = ", …" if len(ids) > TOLD else ""
    return ", ".join(ids[:TOLD]) + more
