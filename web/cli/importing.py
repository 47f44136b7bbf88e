"""`headwater import`: the events that another server keeps."""

import datetime as dt
import time
from dataclasses import asdict, dataclass, field, replace
from typing import Annotated, Any

import typer

from catalog.errors import InvalidInput
from catalog.progress import Progress, ShowProgress
from web.cli.client import Client, connected
from web.cli.event_files import FoundEvent, batches
from web.cli.event_pages import PageEvent
from web.cli.event_source import EARLIEST, EventSource, source_url
from web.cli.exits import ExitCode
from web.cli.import_cursor import CursorFile, ImportCursor
from web.cli.marquez_nulls import without_added_nulls
from web.cli.options import AsJson, DataDir, Url, client_settings, group, settings_of
from web.cli.output import print_json, print_line, say, warn
from web.cli.progress import progress_bar
from web.cli.text import count, instant, parsed_instant

import_events = group("Take over what another server keeps.")

#: Refusals that are told of one by one.
TOLD_REFUSALS = 20


@dataclass(frozen=True, slots=True)
class Refusal:
    """An event that the server did not take: when it was told for, and why."""

    at: str | None
    code: str | None
    reason: str


@dataclass(slots=True)
class Outcome:
    """What an import has done; events that the source received before `removed_before` may be gone from it.

    `not_given` is how many events more the source counts than it gives.
    """

    resumed: bool
    removed_before: dt.datetime | None = None
    not_given: int = 0
    sent: int = 0
    refused: int = 0
    position: int | None = None
    refusals: list[Refusal] = field(default_factory=list)


@import_events.command("marquez")
def import_marquez(
    source: Annotated[
        str, typer.Argument(metavar="SOURCE", help="URL of a Marquez, or of another Headwater.")
    ],
    since: Annotated[
        str | None,
        typer.Option(metavar="INSTANT", help="Only events told for this instant or later; default all."),
    ] = None,
    page: Annotated[int, typer.Option(min=1, max=10_000, help="Events to read at once.")] = 1_000,
    url: Url = None,
    data_dir: DataDir = None,
    *,
    again: Annotated[
        bool, typer.Option("--again", help="Begin anew, not where the last import of this source ended.")
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Send every event that another server keeps, the oldest first.

    How far it has come is kept in the data folder, and an event that comes twice all the same is one fact: the command
    may be ended at any instant and given again, and later it takes over what is new. Events that are told afterwards
    for an instant that it has passed are taken over with --again. A token that the source wants is read from
    HEADWATER_IMPORT_TOKEN.
    """
    began = time.monotonic()
    token = client_settings().import_token
    with connected(url, data_dir) as client, progress_bar() as progress:
        events = EventSource(
            source_url(source), None if token is None else token.get_secret_value().strip(), limit=page
        )
        file = CursorFile(settings_of(data_dir).data_dir, str(events.url), str(client.url))
        try:
            first = EARLIEST if since is None else _since(since)
            if again or since is not None:
                file.forget()
            outcome = _import(events, client, file, file.read() or ImportCursor(first), progress)
            outcome.not_given = 0 if events.is_headwater else events.not_given(first)
        finally:
            events.close()
    outcome.removed_before = events.removed_before
    _tell(outcome, time.monotonic() - began, as_json=as_json)
    if outcome.refused:
        raise typer.Exit(ExitCode.INVALID)


def _since(text: str) -> dt.datetime:
    try:
        return parsed_instant(text)
    except ValueError as error:
        message = f"expected an instant such as 2026-01-31T12:00:00Z for --since, found {text!r}"
        raise InvalidInput(message[:300]) from error


def _import(
    source: EventSource, client: Client, file: CursorFile, cursor: ImportCursor, progress: ShowProgress
) -> Outcome:
    outcome = Outcome(resumed=cursor.sent > 0)
    if outcome.resumed:
        refused = f", {cursor.refused:,} of them refused (--again says which)" if cursor.refused else ""
        say(f"goes on at {instant(cursor.after.isoformat())}, after {count(cursor.sent, 'event')}{refused}")
    refused_before = cursor.refused
    left = source.count(cursor.after)
    total = cursor.sent + max(0, (left or 0) - len(cursor.seen))
    for page, after in source.pages(cursor.after):
        fresh = [event for event in page.events if event.digest not in cursor.seen]
        _send(client, [_as_told(event, source) for event in fresh], outcome)
        # What the next page will hold again; all of it, where the instant is still the same.
        seen = frozenset(event.digest for event in page.events if event.at is None or event.at >= after)
        cursor = ImportCursor(
            after,
            seen | cursor.seen if after == cursor.after else seen,
            cursor.sent + len(fresh),
            refused_before + outcome.refused,
        )
        file.write(cursor)
        progress(Progress("import", cursor.sent, max(total, cursor.sent)))
    progress(Progress("import", cursor.sent, cursor.sent))
    return outcome


def _as_told(event: PageEvent, source: EventSource) -> PageEvent:
    return event if source.is_headwater else replace(event, text=without_added_nulls(event.text))


def _send(client: Client, events: list[PageEvent], outcome: Outcome) -> None:
    """Send the events; those that a server refuses are counted, and the first of them kept."""
    found = [FoundEvent(event.text, place) for place, event in enumerate(events)]
    for batch in batches(found):
        answer = client.post("/api/v1/lineage/batch", f"[{','.join(event.text for event in batch)}]".encode())
        position = answer.headers.get("headwater-position")
        if position is not None and position.isdecimal():
            outcome.position = max(outcome.position or 0, int(position))
        for failure in answer.json().get("failed_events", []):
            outcome.refused += 1
            if len(outcome.refusals) < TOLD_REFUSALS:
                event = events[batch[int(failure["index"])].line]
                outcome.refusals.append(_refusal(event.at, failure))
    outcome.sent += len(events)


def _refusal(at: dt.datetime | None, failure: dict[str, Any]) -> Refusal:
    return Refusal(None if at is None else at.isoformat(), failure.get("code"), str(failure["reason"]))


def _tell(outcome: Outcome, seconds: float, *, as_json: bool) -> None:
    removed = outcome.removed_before
    if as_json:
        print_json(
            {
                "sent": outcome.sent,
                "refused": outcome.refused,
                "refusals": [asdict(refusal) for refusal in outcome.refusals],
                "resumed": outcome.resumed,
                "position": outcome.position,
                "removedBefore": None if removed is None else removed.isoformat(),
                "notGiven": outcome.not_given,
                "seconds": round(seconds, 3),
            }
        )
        return
    if removed is not None:
        warn(
            f"the source has removed events that it received before {instant(removed.isoformat())}:"
            " they are not taken over"
        )
    if outcome.not_given:
        warn(
            f"the source counts {count(outcome.not_given, 'event')} more than it gives: Marquez keeps DatasetEvents"
            " and JobEvents to itself, they have to be told again"
        )
    for refusal in outcome.refusals:
        warn(f"event of {refusal.at or 'no instant'}: {refusal.code}: {refusal.reason}")
    if outcome.refused > len(outcome.refusals):
        warn(f"and {outcome.refused - len(outcome.refusals):,} more were refused")
    at = "" if outcome.position is None else f", position {outcome.position}"
    print_line(f"sent {count(outcome.sent, 'event')}, {outcome.refused:,} refused, in {seconds:.1f} s{at}")
