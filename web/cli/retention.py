"""`headwater retention`: what was removed of old events, and removing more of them."""

import datetime as dt
from dataclasses import asdict
from typing import Annotated

import psycopg
import typer

from catalog.database import translated_errors
from catalog.errors import InvalidInput
from catalog.settings import Settings
from hooks.retention.bodies import Taken, takeable
from hooks.retention.horizon import horizon
from hooks.retention.rounds import Rounds, run_rounds
from hooks.retention.standing import Standing, read_standing
from web.bootstrap import conninfo
from web.cli.database import database_connection, database_url
from web.cli.follower import user_name
from web.cli.logs import log_to_stderr
from web.cli.options import AsJson, DataDir, group, settings_of
from web.cli.output import cell, print_facts, print_json, print_line, say
from web.cli.progress import progress_bar
from web.cli.text import count, instant, parsed_instant

retention = group("Show and carry out the removal of old events' bodies.")

Days = Annotated[
    int | None,
    typer.Option(
        "--days", min=1, metavar="N", help="Received so many days ago; default is HEADWATER_EVENT_DAYS."
    ),
]
Before = Annotated[
    str | None, typer.Option("--before", metavar="INSTANT", help="Received before this instant instead.")
]


@retention.command("status")
def show_status(data_dir: DataDir = None, *, as_json: AsJson = False) -> None:
    """Show what was removed, and the checkpoint that stands for it."""
    log_to_stderr()
    settings = settings_of(data_dir)
    with database_connection(settings) as connection:
        standing = read_standing(connection)
    if as_json:
        print_json({"keepDays": settings.event_days, **_standing_json(standing)})
    else:
        print_facts(
            [
                (
                    "bodies are kept",
                    cell("for ever" if settings.event_days is None else f"{settings.event_days} days"),
                ),
                ("removed up to", cell(_removed(standing))),
                ("removed", cell(f"{count(standing.events, 'event')}, {_size(standing.bytes)}")),
                (
                    "put off",
                    cell(f"{count(standing.waiting, 'event')} of runs that go on, parked or applied late"),
                ),
                ("checkpoint", cell(_checkpoint(standing))),
            ]
        )
        if standing.unfinished:
            say("A run was interrupted; the next one goes on.")


@retention.command("run")
def run(
    days: Days = None,
    before: Before = None,
    *,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Say what would be removed; remove nothing.")
    ] = False,
    data_dir: DataDir = None,
    as_json: AsJson = False,
) -> None:
    """Remove the bodies of old OpenLineage events.

    First the ledger is followed again up to there, and what that makes is kept as a checkpoint, so that `headwater
    verify` goes on from it. Then a fact in the ledger says what is given up, and the bodies are taken, some at a time.
    Everything else stays: that there was the event, of which run, when and from whom, and all that was made from it.
    Headwater may run meanwhile, and somebody must follow the ledger. What is interrupted, the next run ends. It needs
    room for a copy of the state, and as long as it takes to follow the facts since the last time.
    """
    log_to_stderr()
    settings = settings_of(data_dir)
    instant_before = _before(settings, days, before)
    if dry_run:
        with database_connection(settings) as connection:
            until, would = _would(connection, instant_before)
        done = Rounds(until, 0, would)
    else:
        with database_url(settings) as url, progress_bar() as progress:
            actor = f"headwater retention run by {user_name()}"
            done = run_rounds(conninfo(url), instant_before, actor=actor, progress=progress)
    if as_json:
        print_json({"dryRun": dry_run, "receivedBefore": instant_before.isoformat(), **_done_json(done)})
    else:
        verb = "would be removed" if dry_run else "removed"
        bodies = f"bodies of {count(done.taken.events, 'event')}, {_size(done.taken.bytes)}"
        print_line(f"{verb}: {bodies}, up to position {done.until}")


def _before(settings: Settings, days: int | None, before: str | None) -> dt.datetime:
    if days is not None and before is not None:
        raise InvalidInput("expected either --days or --before")
    if before is not None:
        try:
            return parsed_instant(before)
        except ValueError as error:
            raise InvalidInput(
                f"--before: expected an instant such as 2026-01-31T00:00:00Z, found {before!r:.60}"
            ) from error
    kept = days if days is not None else settings.event_days
    if kept is None:
        raise InvalidInput(
            "expected --days, --before or HEADWATER_EVENT_DAYS: bodies are kept for ever by default"
        )
    return dt.datetime.now(dt.UTC) - dt.timedelta(days=kept)


def _would(connection: "psycopg.Connection[tuple[object, ...]]", before: dt.datetime) -> tuple[int, Taken]:
    with translated_errors():
        standing = read_standing(connection)
        until = max(horizon(connection, before), standing.done_to)
        return until, takeable(connection, until)


def _removed(standing: Standing) -> str:
    if standing.removed is None:
        return "nothing"
    removed = standing.removed
    return (
        f"position {removed.until}, received before {instant(removed.received_before.isoformat())},"
        f" by {removed.actor} (fact {removed.position})"
    )


def _checkpoint(standing: Standing) -> str:
    if standing.checkpoint_until is None or standing.checkpoint_made_at is None:
        return "none"
    made_at = instant(standing.checkpoint_made_at.isoformat())
    return f"at position {standing.checkpoint_until}, {_size(standing.checkpoint_bytes)}, made {made_at}"


def _size(number: int) -> str:
    return f"{number / 1024 / 1024:,.1f} MiB"


def _standing_json(standing: Standing) -> dict[str, object]:
    removed = standing.removed
    made_at = standing.checkpoint_made_at
    return {
        "removed": None
        if removed is None
        else {
            "until": removed.until,
            "receivedBefore": removed.received_before.isoformat(),
            "position": removed.position,
            "at": removed.at.isoformat(),
            "actor": removed.actor,
        },
        "events": standing.events,
        "bytes": standing.bytes,
        "waiting": standing.waiting,
        "checkpoint": None
        if standing.checkpoint_until is None or made_at is None
        else {
            "until": standing.checkpoint_until,
            "madeAt": made_at.isoformat(),
            "bytes": standing.checkpoint_bytes,
        },
        "unfinished": standing.unfinished,
    }


def _done_json(done: Rounds) -> dict[str, object]:
    return {"until": done.until, "checkpoints": done.checkpoints, **asdict(done.taken)}
