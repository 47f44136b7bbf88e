"""`headwater follower`: what followers could not apply, applying it again, and leaving it out."""

import datetime as dt
import getpass
import json
import os
import time
from dataclasses import asdict
from typing import Annotated, Any, LiteralString

import psycopg
import typer
from psycopg.rows import dict_row
from rich.text import Text

from catalog.errors import HeadwaterError, InvalidInput, NotFound, PositionNotReached
from catalog.follower import Follower, retry_parked
from catalog.ledger import append_facts
from catalog.settings import Settings
from hooks.skipping import READ_PARKED, skip_command
from web.bootstrap import graph_follower, state_follower, webhook_follower
from web.cli.database import database_connection
from web.cli.logs import log_to_stderr
from web.cli.options import AsJson, DataDir, group, settings_of
from web.cli.output import cell, print_facts, print_json, print_line, print_table, say
from web.cli.text import count, instant

follower = group("List, show, retry and skip parked records.")

Parked = list[dict[str, Any]]


_LIST_PARKED = """
    SELECT follower, position, run_id::text AS "runId", error_code AS code, error AS message, attempts,
           parked_at AS "parkedAt"
    FROM parked ORDER BY follower, position
"""
_LIST_SKIPPED = """
    SELECT follower, position, run_id::text AS "runId", error_code AS code, error AS message, attempts,
           parked_at AS "parkedAt", skipped_by AS "skippedBy", skipped_at AS "skippedAt", actor, reason
    FROM skipped ORDER BY follower, position
"""
#: How members are called for people.
_WORDS = {
    "runId": "run",
    "parkedAt": "parked at",
    "skippedBy": "left out by position",
    "skippedAt": "left out at",
    "actor": "left out by",
}
#: Seconds to wait until the state follower has done a command.
VERDICT_SECONDS = 10.0

Position = Annotated[int, typer.Argument(metavar="POSITION", help="Position as listed.")]
FollowerName = Annotated[
    str | None,
    typer.Option("--follower", metavar="NAME", help="The follower, where two have the same position."),
]


def _parked(connection: "psycopg.Connection[Any]") -> Parked:
    return _listed(connection, _LIST_PARKED)


def _skipped(connection: "psycopg.Connection[Any]") -> Parked:
    return _listed(connection, _LIST_SKIPPED)


def _listed(connection: "psycopg.Connection[Any]", query: LiteralString) -> Parked:
    rows = connection.cursor(row_factory=dict_row).execute(query).fetchall()
    return [
        {name: value.isoformat() if isinstance(value, dt.datetime) else value for name, value in row.items()}
        for row in rows
    ]


@follower.command("list")
def list_parked(
    *,
    left_out: Annotated[
        bool, typer.Option("--skipped", help="Those that somebody decided to leave out instead.")
    ] = False,
    data_dir: DataDir = None,
    as_json: AsJson = False,
) -> None:
    """List the records that a follower could not apply; everything after them was applied all the same."""
    log_to_stderr()
    with database_connection(settings_of(data_dir)) as connection:
        found = _skipped(connection) if left_out else _parked(connection)
    if as_json:
        print_json({"skipped" if left_out else "parked": found})
    elif not found:
        say("Nothing was left out." if left_out else "Nothing is parked.")
    elif left_out:
        columns = ["FOLLOWER", "POSITION", "LEFT OUT", "BY", "REASON", "ERROR"]
        print_table(columns, [_skipped_row(record) for record in found], right=["POSITION"])
    else:
        columns = ["FOLLOWER", "POSITION", "PARKED", "TRIES", "ERROR"]
        print_table(columns, [_parked_row(record) for record in found], right=["POSITION", "TRIES"])
        say(
            "headwater follower show POSITION tells all of one, retry applies it again, skip leaves it out for good."
        )


def _parked_row(found: dict[str, Any]) -> list[Text]:
    return [
        cell(found["follower"]),
        cell(found["position"]),
        cell(instant(found["parkedAt"])),
        cell(found["attempts"]),
        cell(f"{found['code']}: {found['message']}"),
    ]


def _skipped_row(found: dict[str, Any]) -> list[Text]:
    return [
        cell(found["follower"]),
        cell(found["position"]),
        cell(instant(found["skippedAt"])),
        cell(found["actor"]),
        cell(found["reason"]),
        cell(f"{found['code']}: {found['message']}"),
    ]


@follower.command("show")
def show(
    position: Position, name: FollowerName = None, data_dir: DataDir = None, *, as_json: AsJson = False
) -> None:
    """Show a parked record, or one that was left out: what is wrong with it, and the record as it is stored."""
    log_to_stderr()
    settings = settings_of(data_dir)
    with database_connection(settings) as connection:
        (found,) = chosen_records([*_parked(connection), *_skipped(connection)], [position], name)
        record = stored_record(connection, _followers(settings)[found["follower"]], position)
    if as_json:
        print_json({**found, "record": record})
        return
    print_facts(
        (_WORDS.get(member, member), cell(value)) for member, value in found.items() if value is not None
    )
    print_line("")
    print_facts(
        (member, cell(value)) for member, value in record.items() if member != "body" and value is not None
    )
    print_line("")
    body = record["body"]
    text = body if isinstance(body, str) else json.dumps(body, indent=2, ensure_ascii=False)
    for line in text.splitlines():
        print_line(line)


def stored_record(
    connection: "psycopg.Connection[Any]", source: Follower[Any], position: int
) -> dict[str, Any]:
    """Return the members of the record at the position for JSON, its body as JSON where it is such."""
    records = source.source.read(connection, after=position - 1, limit=1)
    if not records or source.source.cursor(records[0]) != position:
        raise NotFound(f"there is no record at position {position} of {source.source.name}")
    return {member: _as_json(member, value) for member, value in asdict(records[0]).items()}


def _as_json(member: str, value: Any) -> Any:
    match value:
        case bytes() if member == "body":
            try:
                return json.loads(value)
            except ValueError:
                return value.decode("utf-8", "backslashreplace")
        case bytes():
            return value.hex()
        case None | int() | str():
            return value
        case dt.datetime():
            return value.astimezone(dt.UTC).isoformat()
        case _:
            return str(value)


@follower.command("retry")
def retry(
    positions: Annotated[
        list[int] | None, typer.Argument(metavar="POSITION...", help="Positions as listed.")
    ] = None,
    *,
    all_parked: Annotated[bool, typer.Option("--all", help="All that are parked, in their order.")] = False,
    name: FollowerName = None,
    data_dir: DataDir = None,
) -> None:
    """Apply parked records again; what fails again stays parked and ends the command."""
    log_to_stderr()
    if bool(positions) == all_parked:
        raise InvalidInput("expected either positions or --all")
    settings = settings_of(data_dir)
    with database_connection(settings) as connection:
        chosen = chosen_records(_parked(connection), positions, name)
        followers = _followers(settings)
        for found in chosen:
            _apply_again(connection, followers[found["follower"]], found["position"])
            say(f"applied {found['follower']} {found['position']}")
    say(f"applied {count(len(chosen), 'record')}")


def _apply_again(connection: "psycopg.Connection[Any]", chosen: Follower[Any], position: int) -> None:
    place = f"{chosen.source.name} {position}"
    try:
        retry_parked(connection, chosen, position)
    except psycopg.OperationalError:
        raise
    except Exception as error:
        # Whatever is wrong with a record may come out here; it stays parked, which is what has to be told.
        told = f"{type(error).__name__}: {error}"[:500]
        raise HeadwaterError(f"{place} failed again and stays parked: {told}") from error


@follower.command("skip")
def skip(
    positions: Annotated[list[int], typer.Argument(metavar="POSITION...", help="Positions as listed.")],
    reason: Annotated[str, typer.Option(metavar="TEXT", help="Why, kept for good.")],
    name: FollowerName = None,
    data_dir: DataDir = None,
) -> None:
    """Leave parked records out for good.

    They are applied nowhere from then on, not by a rebuild either, and answers do not say any more that they lack
    them. The records stay where they are; who left them out, when and why is a fact in the ledger, and
    `headwater follower list --skipped` tells it.
    """
    log_to_stderr()
    with database_connection(settings_of(data_dir)) as connection:
        for found in chosen_records(_parked(connection), positions, name):
            place = {"follower": found["follower"], "position": found["position"]}
            rows = connection.execute(READ_PARKED, place).fetchall()
            fact = skip_command(rows, reason=reason, actor=f"headwater follower skip by {user_name()}")
            with connection.transaction():
                (appended,) = append_facts(connection, [fact])
            _await_verdict(connection, appended.position)
            say(f"left out {found['follower']} {found['position']}")


def user_name() -> str:
    """Return who uses this command, for the ledger."""
    try:
        return getpass.getuser()
    except (KeyError, OSError):  # a container may run under a number that nobody gave a name
        return str(os.getuid())


def _await_verdict(connection: "psycopg.Connection[Any]", position: int) -> None:
    deadline = time.monotonic() + VERDICT_SECONDS
    verdict = "SELECT accepted FROM command_result WHERE position = %s"
    while connection.execute(verdict, (position,)).fetchone() is None:
        if time.monotonic() > deadline:
            message = f"the command is stored at position {position} and will be done once a worker is there"
            raise PositionNotReached(message, position=position)
        time.sleep(0.05)


def _followers(settings: Settings) -> dict[str, Follower[Any]]:
    return {
        made.source.name: made
        for made in (state_follower(settings), graph_follower(settings), webhook_follower(settings))
    }


def chosen_records(parked: Parked, positions: list[int] | None, name: str | None) -> Parked:
    """Return the parked records that are meant, in their order; raise `NotFound` or `InvalidInput`."""
    candidates = [found for found in parked if name in (None, found["follower"])]
    if positions is None:
        return candidates
    chosen = []
    for position in sorted(set(positions)):
        matching = [found for found in candidates if found["position"] == position]
        if not matching:
            raise NotFound(
                f"nothing is parked at position {position}; `headwater follower list` shows what is"
            )
        if len(matching) > 1:
            names = " and ".join(found["follower"] for found in matching)
            raise InvalidInput(f"both {names} parked position {position}: choose one with --follower")
        chosen += matching
    return chosen
