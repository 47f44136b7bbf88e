"""`headwater follower`: what followers could not apply, and applying it again."""

from typing import Annotated, Any

import psycopg
import typer
from psycopg.rows import dict_row

from catalog.errors import HeadwaterError, InvalidInput, NotFound
from catalog.follower import Follower, retry_parked
from catalog.settings import Settings
from web.bootstrap import graph_follower, state_follower
from web.cli.database import database_connection
from web.cli.logs import log_to_stderr
from web.cli.options import AsJson, DataDir, group, settings_of
from web.cli.output import cell, print_json, print_table, say
from web.cli.text import count, instant

follower = group("List parked facts and apply them again.")

Parked = list[dict[str, Any]]


_LIST_PARKED = """
    SELECT follower, position, run_id::text AS "runId", error_code AS code, error AS message, attempts,
           parked_at AS "parkedAt"
    FROM parked ORDER BY follower, position
"""


def _parked(connection: "psycopg.Connection[Any]") -> Parked:
    return connection.cursor(row_factory=dict_row).execute(_LIST_PARKED).fetchall()


@follower.command("list")
def list_parked(data_dir: DataDir = None, *, as_json: AsJson = False) -> None:
    """List the records that a follower could not apply; everything after them was applied all the same."""
    log_to_stderr()
    with database_connection(settings_of(data_dir)) as connection:
        parked = _parked(connection)
    for found in parked:
        found["parkedAt"] = found["parkedAt"].isoformat()
    if as_json:
        print_json({"parked": parked})
        return
    if not parked:
        say("Nothing is parked.")
        return
    rows = [
        [
            cell(found["follower"]),
            cell(found["position"]),
            cell(instant(found["parkedAt"])),
            cell(found["attempts"]),
            cell(f"{found['code']}: {found['message']}"),
        ]
        for found in parked
    ]
    print_table(["FOLLOWER", "POSITION", "PARKED", "TRIES", "ERROR"], rows, right=["POSITION", "TRIES"])
    say("headwater follower retry POSITION applies one again, --all applies all.")


@follower.command("retry")
def retry(
    positions: Annotated[
        list[int] | None, typer.Argument(metavar="POSITION...", help="Positions as listed.")
    ] = None,
    *,
    all_parked: Annotated[bool, typer.Option("--all", help="All that are parked, in their order.")] = False,
    name: Annotated[
        str | None,
        typer.Option("--follower", metavar="NAME", help="The follower, where two have the same position."),
    ] = None,
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


def _followers(settings: Settings) -> dict[str, Follower[Any]]:
    return {made.source.name: made for made in (state_follower(settings), graph_follower(settings))}


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
