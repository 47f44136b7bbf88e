"""`headwater emit`: OpenLineage events and reports of dataset versions."""

import hashlib
import json
import secrets
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Annotated, Any

import typer

from catalog.errors import InvalidInput
from web.cli.client import Answer, Client, connected
from web.cli.event_files import FoundEvent, batches, read_source, split_events
from web.cli.exits import ExitCode
from web.cli.options import AsJson, DataDir, Url, group
from web.cli.output import print_json, print_line, say, warn
from web.cli.text import count, parsed_instant

emit = group("Send events and reports of new versions.")

POSITION_HEADER = "headwater-position"
#: Events beyond this number are worth showing progress for.
SHOWN_PROGRESS = 5_000


@dataclass(frozen=True, slots=True)
class RefusedEvent:
    """An event that the server did not take: its place among those sent, its line in the file, and why."""

    index: int
    line: int
    code: str | None
    reason: str
    retriable: bool


@emit.command("event")
def emit_event(
    source: Annotated[str, typer.Argument(metavar="FILE", help="File of one or many events; - is stdin.")],
    url: Url = None,
    data_dir: DataDir = None,
    *,
    as_json: AsJson = False,
) -> None:
    """Send OpenLineage events: one, an array, or one a line (NDJSON).

    The same event again is the same fact, so the command may be repeated. Many events go in batches, of which a wrong
    event fails alone: each is named on stderr and the exit code is 2.
    """
    events = split_events(read_source(source), source)
    with connected(url, data_dir) as client:
        position, refused = _send(client, events)
    if as_json:
        print_json(
            {
                "received": len(events),
                "successful": len(events) - len(refused),
                "failed": [asdict(event) for event in refused],
                "position": position,
            }
        )
    else:
        for event in refused:
            warn(f"line {event.line}: {event.code}: {event.reason}")
        at = "" if position is None else f", position {position}"
        print_line(f"stored {len(events) - len(refused):,} of {count(len(events), 'event')}{at}")
    if refused:
        raise typer.Exit(ExitCode.INVALID)


def _send(client: Client, events: list[FoundEvent]) -> tuple[int | None, list[RefusedEvent]]:
    """Return the greatest position of the events that were stored, and those that were refused."""
    if len(events) == 1:
        return _position(client.post("/api/v1/lineage", events[0].text.encode())), []
    positions: list[int] = []
    refused: list[RefusedEvent] = []
    sent = 0
    for batch in batches(events):
        answer = client.post("/api/v1/lineage/batch", f"[{','.join(event.text for event in batch)}]".encode())
        if (position := _position(answer)) is not None:
            positions.append(position)
        refused += [_refused(failure, sent, events) for failure in answer.json().get("failed_events", [])]
        sent += len(batch)
        if len(events) > SHOWN_PROGRESS:
            say(f"sent {sent:,} of {len(events):,} events")
    return max(positions, default=None), refused


def _position(answer: Answer) -> int | None:
    text = answer.headers.get(POSITION_HEADER)
    return int(text) if text is not None and text.isdecimal() else None


def _refused(failure: dict[str, Any], sent: int, events: list[FoundEvent]) -> RefusedEvent:
    index = sent + int(failure["index"])
    return RefusedEvent(
        index=index,
        line=events[index].line,
        code=failure.get("code"),
        reason=str(failure["reason"]),
        retriable=bool(failure["retriable"]),
    )


def report_key(report: dict[str, Any]) -> str:
    """Return the idempotency key of a report that was given none.

    Where a time or a digest tells which state of the data is meant, the key is made of everything reported, and the
    same command again is the same report. Where neither does, every command reports a new version: a job that only
    says "there is new data" each night must not be taken for a repetition.
    """
    if report.get("time") is None and report.get("digest") is None:
        return f"once:{secrets.token_hex(16)}"
    text = json.dumps(report, sort_keys=True, separators=(",", ":"))
    return f"reported:{hashlib.sha256(text.encode()).hexdigest()[:32]}"


def _instant(text: str | None) -> str | None:
    if text is None:
        return None
    try:
        return parsed_instant(text).isoformat()
    except ValueError as error:
        message = f"expected an instant such as 2026-01-31T12:00:00Z for --time, found {text!r}"
        raise InvalidInput(message[:300]) from error


@emit.command("version")
def emit_version(
    dataset: Annotated[
        tuple[str, str],
        typer.Option("--dataset", metavar="NAMESPACE NAME", help="The dataset, in two words."),
    ],
    partition: Annotated[str | None, typer.Option(help="The one partition that is new.")] = None,
    time: Annotated[
        str | None, typer.Option(metavar="INSTANT", help="When the data became so; default now.")
    ] = None,
    rows: Annotated[int | None, typer.Option(min=0, help="How many rows it has.")] = None,
    size: Annotated[int | None, typer.Option("--bytes", min=0, help="How many bytes it has.")] = None,
    digest: Annotated[
        str | None, typer.Option(help="Digest of the content, or @FILE to take the SHA-256 of a file.")
    ] = None,
    key: Annotated[
        str | None,
        typer.Option(
            metavar="KEY", help="Reports of one dataset and partition with the same key are one report."
        ),
    ] = None,
    url: Url = None,
    data_dir: DataDir = None,
    *,
    as_json: AsJson = False,
) -> None:
    """Report that a dataset has a new version: what waits for it becomes due.

    With --time or --digest the key is made of all that is reported: the same command again is the same report, and
    starts nothing. Without both every command is a new report, unless --key says which one it is.
    """
    report = {
        "dataset": {"namespace": dataset[0], "name": dataset[1]},
        "partition": partition,
        "time": _instant(time),
        "rows": rows,
        "bytes": size,
        "digest": _content_digest(digest),
    }
    report["idempotencyKey"] = key if key is not None else report_key(report)
    body = json.dumps({name: value for name, value in report.items() if value is not None}).encode()
    with connected(url, data_dir) as client:
        answer = client.post("/api/v1/versions", body).json()
    if as_json:
        print_json({**answer, "idempotencyKey": report["idempotencyKey"]})
    elif answer["duplicate"]:
        print_line(f"known already, at position {answer['position']}: the same report was sent before")
    else:
        print_line(f"reported, position {answer['position']}")


def _content_digest(text: str | None) -> str | None:
    if text is None or not text.startswith("@"):
        return text
    try:
        with Path(text[1:]).open("rb") as stream:
            return f"sha256:{hashlib.file_digest(stream, 'sha256').hexdigest()}"
    except OSError as error:
        raise InvalidInput(f"{text[1:]}: expected a file that can be read: {error.strerror}") from error
