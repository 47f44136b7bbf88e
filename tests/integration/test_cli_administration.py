"""Commands that work on the database itself: the external one, and the embedded one whether or not it runs."""

import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from catalog.facts import FactKind, version_report
from catalog.keys import DatasetKey
from catalog.ledger import NewFact, compress
from catalog.settings import Settings
from tests.services.postgresql import temporary_data_folder
from tests.services.postgresql_holder import holder_of
from tests.support.command_line import CommandLine, clean_environment
from tests.support.spine import T0, append, connect, fact_of_event, follow, run_event
from web.bootstrap import graph_follower


@pytest.fixture
def headwater(database_url: str, tmp_path: Path) -> CommandLine:
    """The command line of somebody who has the database's URL, and no server."""
    return CommandLine(clean_environment(tmp_path, HEADWATER_DATABASE_URL=database_url))


@pytest.fixture
def embedded() -> Iterator[CommandLine]:
    """The command line on an empty data folder."""
    with temporary_data_folder() as folder:
        yield CommandLine(clean_environment(folder, HEADWATER_DATA_DIR=str(folder)))


def test_tokens_are_shown_once_listed_and_revoked(headwater: CommandLine) -> None:
    made = headwater.done("token", "create", "ci", "--role", "producer", "--expires", "90d")
    assert re.fullmatch(r"hwt_[A-Za-z0-9_-]{40,}\n", made.out)
    assert "shown once" in made.err
    listed = headwater.done("token", "list")
    assert re.search(r"^ci +producer +valid +\d{4}-.*Z +\d{4}-.*Z$", listed.out, re.MULTILINE)
    assert made.out.strip() not in listed.out

    taken = headwater("token", "create", "ci", "--role", "viewer")
    assert (taken.code, taken.err.split(": ")[1]) == (3, "conflict")
    assert headwater("token", "create", "x", "--role", "king").code == 2
    assert headwater("token", "create", "x", "--role", "viewer", "--expires", "soon").code == 2
    assert headwater("token", "create", "x", "--role", "viewer", "--expires", "999999w").code == 2
    assert headwater("token", "create", "\x1b[31m", "--role", "viewer").code == 2

    headwater.done("token", "revoke", "ci")
    (token,) = headwater.done("token", "list", "--json").json["tokens"]
    assert (token["name"], token["valid"]) == ("ci", False)
    assert headwater("token", "revoke", "nobody").code == 3


def test_the_graph_is_shown_rebuilt_and_verified(headwater: CommandLine, database_url: str) -> None:
    with connect(database_url) as connection:
        events = [run_event("a" * 8 + "-0000-4000-8000-000000000000", inputs=["x"], outputs=["y"])]
        append(connection, [fact_of_event(event) for event in events])
        follow(connection)
        follow(connection, graph_follower(Settings()))
        status = headwater.done("graph", "status", "--json").json
        assert (status["nodes"], status["edges"], status["waiting"]) == (3, 2, 0)
        equal = headwater.done("graph", "verify")
        assert re.fullmatch(
            r"equal: 3 nodes and 2 edges are what the log makes, digest [0-9a-f]{32}\n", equal.out
        )
        assert equal.err == ""

        # Somebody damaged it: verify says so, and rebuild mends it.
        connection.execute("DELETE FROM graph_edge WHERE ctid = (SELECT min(ctid) FROM graph_edge)")
        different = headwater("graph", "verify")
        assert different.code == 1
        assert re.match(
            r"different: 3 nodes and 1 edge, 1 missing, 0 surplus\n +missing: edge ", different.out
        )
        assert headwater("graph", "verify", "--json").json["equal"] is False
        assert headwater.done("graph", "rebuild").out.startswith("rebuilt from ")
        again = headwater.done("graph", "verify", "--json").json
        assert again["equal"] is True
        assert again["digest"] in equal.out
        assert "nodes       3" in headwater.done("graph", "status").out


def test_a_rebuild_on_a_terminal_shows_progress_and_leaves_the_result(headwater: CommandLine) -> None:
    assert "rebuilt from 0 observations" in headwater.on_terminal("graph", "rebuild").out


def test_parked_facts_are_listed_and_applied_again(headwater: CommandLine, database_url: str) -> None:
    assert headwater.done("follower", "list").err == "Nothing is parked.\n"
    fact = NewFact(FactKind.VERSION_REPORT, b"d" * 16, "test", b"{}")
    with connect(database_url) as connection:
        ((position),) = [found.position for found in append(connection, [fact])]
        follow(connection)
        (parked,) = headwater.done("follower", "list", "--json").json["parked"]
        assert (parked["follower"], parked["position"], parked["attempts"]) == ("state", position, 1)
        assert re.search(rf"^state +{position} +", headwater.done("follower", "list").out, re.MULTILINE)

        # It is as wrong as before, so it stays.
        still = headwater("follower", "retry", str(position))
        assert still.code == 1
        assert f"state {position} failed again and stays parked" in still.err
        assert len(headwater.done("follower", "list", "--json").json["parked"]) == 1

        # What was wrong is mended: here the fact itself, which is no way to go but easy to follow.
        whole = version_report(DatasetKey("ns", "raw"), actor="test", time=T0, key="k")
        connection.execute("UPDATE fact SET body = %s WHERE position = %s", (compress(whole.body), position))
        done = headwater.done("follower", "retry", "--all")
        assert done.err.splitlines() == [f"applied state {position}", "applied 1 record"]
        assert headwater.done("follower", "list").err == "Nothing is parked.\n"
        assert connection.execute("SELECT count(*) FROM dataset_version").fetchone() == (1,)
    assert headwater("follower", "retry", str(position)).code == 3
    assert headwater("follower", "retry").code == 2
    assert headwater("follower", "retry", "1", "--all").code == 2


def test_two_followers_may_park_the_same_position(headwater: CommandLine, database_url: str) -> None:
    with connect(database_url) as connection:
        for name in ("graph", "state"):
            connection.execute(
                "INSERT INTO parked (follower, position, error_code, error) VALUES (%s, 1, 'E', '\x1b[31mboom')",
                (name,),
            )
    open_choice = headwater("follower", "retry", "1")
    assert open_choice.code == 2
    assert "--follower" in open_choice.err
    assert "\x1b" not in headwater.done("follower", "list").out


def test_a_database_of_another_version_is_refused_with_what_to_do(
    headwater: CommandLine, database_url: str
) -> None:
    with connect(database_url) as connection:
        connection.execute("UPDATE alembic_version SET version_num = '0000'")
    said = headwater("token", "list")
    assert said.code == 2
    assert "headwater migrate" in said.err


def test_a_database_that_is_away_is_exit_code_4_and_its_password_stays_out(tmp_path: Path) -> None:
    url = "postgresql+psycopg://user:hunter2@127.0.0.1:1/nothing"
    headwater = CommandLine(clean_environment(tmp_path, HEADWATER_DATABASE_URL=url))
    for command in (("token", "list"), ("graph", "status"), ("follower", "list")):
        said = headwater(*command)
        assert (said.code, said.out) == (4, ""), said
        assert said.err.startswith("headwater: database-unavailable: ")
        assert "hunter2" not in said.err
    examined = headwater("doctor", "--json")
    assert examined.code == 1
    assert "hunter2" not in examined.out + examined.err


def test_doctor_examines_a_database(headwater: CommandLine) -> None:
    examined = headwater("doctor", "--json")
    findings = {finding["check"]: finding for finding in examined.json["findings"]}
    assert findings["database"]["status"] == "ok"
    assert findings["migrations"]["status"] == "ok"
    for finding in findings.values():
        assert finding["advice"] or finding["status"] == "ok", finding
    told = headwater("doctor")
    assert told.code == examined.code
    assert re.search(r"^✓ +migrations +schema revision ", told.out, re.MULTILINE)


def test_a_token_can_be_made_before_the_first_start(embedded: CommandLine) -> None:
    # A server beyond loopback does not start without a token, so the folder's database is made for it.
    nothing = embedded("token", "list")
    assert nothing.code == 2
    assert "headwater up" in nothing.err
    down = embedded("doctor", "--json")
    assert down.code == 1
    (database,) = [finding for finding in down.json["findings"] if finding["check"] == "database"]
    assert "is not running" in database["found"]

    assert embedded.done("token", "create", "first", "--role", "admin").out.startswith("hwt_")
    # It was stopped again, is started for each command, and holds what was made.
    (token,) = embedded.done("token", "list", "--json").json["tokens"]
    assert token["name"] == "first"


def test_the_database_of_a_server_that_runs_is_used_as_it_runs(embedded: CommandLine) -> None:
    embedded.done("token", "create", "first", "--role", "admin")
    folder = Path(embedded.environment["HEADWATER_DATA_DIR"])
    # Its sockets are where its own environment said.
    with holder_of(folder, TMPDIR="/tmp"):
        (token,) = embedded.done("token", "list", "--json").json["tokens"]
        assert token["name"] == "first"
        findings = {
            found["check"]: found["status"] for found in embedded("doctor", "--json").json["findings"]
        }
        assert findings["database"] == "ok"
    refused = embedded("status", "--url", "http://127.0.0.1:1")
    assert refused.code == 4
