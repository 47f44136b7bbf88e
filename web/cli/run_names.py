"""Which run is meant: a UUID, its beginning, PIPELINE/NUMBER, or `last`."""

import uuid
from collections.abc import Iterator
from typing import Any

from catalog.errors import InvalidInput, NotFound
from catalog.keys import uuids_beginning_with
from web.cli.client import Client
from web.cli.queries import RUN_BY_PREFIX, RUN_NAMES

LAST = "last"
#: Shortest beginning of a UUID that is taken.
SHORTEST = 4
PAGE = 1000


def run_id(client: Client, name: str) -> str:
    """Return the UUID of the run that is meant; raise `NotFound`, or `InvalidInput` where that is open."""
    text = name.removeprefix("run:")
    if text == LAST:
        return _last(client)
    pipeline, slash, number = text.rpartition("/")
    if slash:
        return _by_number(client, pipeline, number)
    try:
        if len(text.replace("-", "")) >= 32:
            return str(uuid.UUID(text))
        uuids_beginning_with(text)
    except ValueError as error:
        raise _not_understood(name) from error
    if len(text) < SHORTEST:
        raise _not_understood(name)
    return _by_beginning(client, text.lower())


def _last(client: Client) -> str:
    found = next(_runs(client, None, page=1), None)
    if found is None:
        raise NotFound("there is no run yet")
    return str(found["id"])


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
    found = client.ask(RUN_BY_PREFIX, prefix=beginning)["pipelineRun"]
    if found is None:
        raise NotFound(f"no run begins with {beginning}: `headwater runs list` shows runs")
    return str(found["id"])


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
