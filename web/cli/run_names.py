"""Which run is meant: a UUID, its beginning, PIPELINE/NUMBER, or `last`."""

import re
import uuid
from collections.abc import Iterator
from typing import Any

from catalog.errors import InvalidInput, NotFound
from web.cli.client import Client
from web.cli.queries import RUN_NAMES

LAST = "last"
#: Shortest beginning of a UUID that is taken.
SHORTEST = 4
PAGE = 1000
#: A beginning is looked for among so many of the newest runs.
SEARCHED = 10_000

_BEGINNING = re.compile(r"[0-9a-f]{1,8}(-[0-9a-f]{0,4}){0,3}(-[0-9a-f]{0,12})?", re.IGNORECASE)


def run_id(client: Client, name: str) -> str:
    """Return the UUID of the run that is meant; raise `NotFound`, or `InvalidInput` where that is open."""
    text = name.removeprefix("run:")
    try:
        return str(uuid.UUID(text)) if len(text) >= 32 else _find(client, text)
    except ValueError as error:
        raise _not_understood(name) from error


def _find(client: Client, text: str) -> str:
    if text == LAST:
        found = next(_runs(client, None, page=1), None)
        if found is None:
            raise NotFound("there is no run yet")
        return str(found["id"])
    pipeline, slash, number = text.rpartition("/")
    if slash:
        return _by_number(client, pipeline, number)
    if len(text) < SHORTEST or _BEGINNING.fullmatch(text) is None:
        raise _not_understood(text)
    return _by_beginning(client, text.lower())


def _by_number(client: Client, pipeline: str, number: str) -> str:
    if not pipeline or not number.isascii() or not number.isdecimal():
        raise _not_understood(f"{pipeline}/{number}")
    wanted = int(number)
    # Numbers go down from the latest, so the search ends where the number would stand.
    for run in _runs(client, pipeline, page=PAGE):
        if run["number"] == wanted:
            return str(run["id"])
        if run["number"] < wanted:
            break
    raise NotFound(f"there is no run {wanted} of pipeline {pipeline!r}"[:300])


def _by_beginning(client: Client, beginning: str) -> str:
    found = []
    for searched, run in enumerate(_runs(client, None, page=PAGE)):
        if searched == SEARCHED:
            break
        if str(run["id"]).startswith(beginning):
            found.append(run)
    if not found:
        raise NotFound(
            f"no run begins with {beginning} among the newest {SEARCHED:,}: `headwater runs list` shows runs"
        )
    if len(found) > 1:
        named = ", ".join(f"{run['id']} ({run['pipelineName']}/{run['number']})" for run in found[:5])
        raise InvalidInput(f"expected one run to begin with {beginning}, found {len(found)}: {named}")
    return str(found[0]["id"])


def _runs(client: Client, pipeline: str | None, *, page: int) -> Iterator[dict[str, Any]]:
    """Yield runs, those that became due last first, of one pipeline the greatest number first."""
    chosen = None if pipeline is None else {"pipeline": pipeline}
    after = None
    while True:
        found = client.ask(RUN_NAMES, filter=chosen, first=page, after=after)["pipelineRuns"]
        yield from found["nodes"]
        if not found["pageInfo"]["hasNextPage"]:
            return
        after = found["pageInfo"]["endCursor"]


def _not_understood(name: str) -> InvalidInput:
    expected = f"a UUID, the beginning of one ({SHORTEST} characters at least), PIPELINE/NUMBER or {LAST}"
    return InvalidInput(f"expected {expected}, found {name!r}"[:300])
