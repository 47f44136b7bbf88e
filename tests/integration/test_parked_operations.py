"""Parked records: shown whole, applied again, or left out for good by a fact that says who, when and why."""

import uuid
from pathlib import Path
from typing import Any

import pytest

from catalog.facts import FactKind, command, version_report
from catalog.keys import DatasetKey
from catalog.settings import Settings
from tests.support.command_line import CommandLine, clean_environment
from tests.support.graphql import Asking, asked, keeping_up
from tests.support.spine import T0, append, connect, fact_of_event, follow, run_event
from tests.support.web import bearer
from web.access import Role
from web.bootstrap import graph_follower

LINEAGE = '{ lineage(nodeId: "dataset:ns:a") { nodeIds completeness { complete reason } } }'
SKIP = """mutation($follower: String!, $position: Long!, $reason: String!, $key: String) {
    skipParked(follower: $follower, position: $position, reason: $reason, idempotencyKey: $key) {
        position follower parkedPosition
    }
}"""


@pytest.fixture
def headwater(database_url: str, tmp_path: Path) -> CommandLine:
    return CommandLine(clean_environment(tmp_path, HEADWATER_DATABASE_URL=database_url))


def park_a_fact(database_url: str) -> int:
    """Let the state follower park a command that names no pipeline, with a terminal's escape in it."""
    with connect(database_url) as connection:
        fact = command(FactKind.PIPELINE_TRIGGER, {"name": "\x1b[31mred"}, actor="test")
        (appended,) = append(connection, [fact])
        follow(connection)
        return appended.position


def park_an_observation(database_url: str) -> int:
    """Let the graph follower park what makes `b` of `a`; return its place in the log."""
    with connect(database_url) as connection:
        events = [
            run_event(uuid.uuid4(), job="first", inputs=["z"], outputs=["a"]),
            run_event(uuid.uuid4(), job="second", inputs=["a"], outputs=["b"]),
        ]
        append(connection, [fact_of_event(event) for event in events])
        follow(connection)
        ((sequence,),) = connection.execute(
            "SELECT sequence FROM observation WHERE kind = 'shape' ORDER BY sequence DESC LIMIT 1"
        ).fetchall()
        connection.execute("UPDATE observation SET body = '{}' WHERE sequence = %s", (sequence,))
        follow(connection, graph_follower(Settings()))
        assert connection.execute("SELECT follower, position FROM parked").fetchall() == [("graph", sequence)]
        return int(sequence)


def test_a_parked_fact_is_shown_whole(headwater: CommandLine, database_url: str) -> None:
    position = park_a_fact(database_url)
    shown = headwater.done("follower", "show", str(position))
    assert "\x1b" not in shown.out
    for part in ("parked at", "pipeline.trigger", "red", "attempts", "test"):
        assert part in shown.out, shown.out
    members = headwater.done("follower", "show", str(position), "--json").json
    assert (members["follower"], members["position"], members["attempts"]) == ("state", position, 1)
    assert members["code"]
    assert members["record"]["kind"] == "pipeline.trigger"
    assert members["record"]["actor"] == "test"
    assert members["record"]["body"]["name"] == "\x1b[31mred"
    assert headwater("follower", "show", "99").code == 3


def test_a_fact_is_left_out_for_good_and_that_is_told(headwater: CommandLine, database_url: str) -> None:
    position = park_a_fact(database_url)
    assert headwater("follower", "skip", str(position)).code == 2  # a reason is needed
    with keeping_up(database_url):
        assert headwater("follower", "skip", str(position), "--reason", " ").code == 2
        done = headwater.done("follower", "skip", str(position), "--reason", "sent by a test")
        assert done.err == f"left out state {position}\n"
    assert headwater.done("follower", "list").err == "Nothing is parked.\n"
    (left_out,) = headwater.done("follower", "list", "--skipped", "--json").json["skipped"]
    assert (left_out["follower"], left_out["position"], left_out["reason"]) == (
        "state",
        position,
        "sent by a test",
    )
    assert left_out["actor"].startswith("headwater follower skip by ")
    assert "sent by a test" in headwater.done("follower", "list", "--skipped").out
    assert "sent by a test" in headwater.done("follower", "show", str(position)).out
    for again in (["retry", str(position)], ["skip", str(position), "--reason", "x"]):
        assert headwater("follower", *again).code == 3
    # It is a fact like any other, and the ledger followed again makes the same of it.
    with connect(database_url) as connection:
        ((kind, actor),) = connection.execute(
            "SELECT kind, actor FROM fact WHERE position = %s", (left_out["skippedBy"],)
        ).fetchall()
        assert (kind, actor) == ("parked.skip", left_out["actor"])
        append(connection, [version_report(DatasetKey("ns", "later"), actor="test", time=T0, key="k")])
        follow(connection)
        follow(connection, graph_follower(Settings()))
    verified = headwater("verify", "--json")
    assert verified.code == 0, verified


def test_answers_and_rebuilds_go_by_it(headwater: CommandLine, database_url: str, tmp_path: Path) -> None:
    sequence = park_an_observation(database_url)

    def lineage() -> Any:
        found: list[Any] = []

        async def story(ask: Asking) -> None:
            found.append((await ask.data(LINEAGE))["lineage"])

        asked(database_url, tmp_path / "web", story)
        return found[0]

    assert lineage()["completeness"] == {"complete": False, "reason": "PARKED"}
    with keeping_up(database_url):
        headwater.done("follower", "skip", str(sequence), "--reason", "a broken row")
    after = lineage()
    assert after["completeness"] == {"complete": True, "reason": None}
    assert "dataset:ns:b" not in after["nodeIds"]
    # A rebuild leaves it out too, also when it could be applied again.
    for body in (b"{}", None):
        with connect(database_url) as connection:
            if body is None:
                connection.execute(
                    "UPDATE observation SET body = (SELECT body FROM observation WHERE kind = 'shape' LIMIT 1)"
                    " WHERE sequence = %s",
                    (sequence,),
                )
        headwater.done("graph", "rebuild")
        assert headwater.done("follower", "list").err == "Nothing is parked.\n"
        headwater.done("graph", "verify")
        assert lineage() == after


def test_administrators_may_over_graphql(database_url: str, tmp_path: Path) -> None:
    position = park_a_fact(database_url)

    async def story(ask: Asking) -> None:
        shown = {role: bearer(ask.web.services.tokens.create(role.value, role)) for role in Role}
        place = {"follower": "state", "position": position, "reason": "r"}
        for role in (Role.VIEWER, Role.OPERATOR):
            assert await ask.code(SKIP, place, headers=shown[role]) == "forbidden"
        administrator = {"headers": shown[Role.ADMIN]}
        assert await ask.code(SKIP, place | {"position": position + 1}, **administrator) == "not-found"
        assert await ask.code(SKIP, place | {"follower": "graph"}, **administrator) == "not-found"
        assert await ask.code(SKIP, place | {"reason": ""}, **administrator) == "invalid-input"
        done = await ask.data(SKIP, place | {"key": "once"}, **administrator)
        assert done["skipParked"]["parkedPosition"] == position
        assert await ask.data(SKIP, place | {"key": "once"}, **administrator) == done
        assert (await ask.data("{ status { parkedCount } }"))["status"]["parkedCount"] == 0

    with keeping_up(database_url):
        asked(database_url, tmp_path, story)
    with connect(database_url) as connection:
        assert connection.execute("SELECT actor, reason FROM skipped").fetchall() == [("token:admin", "r")]
