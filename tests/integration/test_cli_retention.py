"""`headwater retention`, as users have it."""

from pathlib import Path

import pytest

from tests.support.command_line import CommandLine
from tests.support.graphql import completed, heard, keeping_up


@pytest.fixture
def headwater(database_url: str, tmp_path: Path) -> CommandLine:
    """The program on the test's database, with nothing else in its environment."""
    return CommandLine({"HEADWATER_DATABASE_URL": database_url, "HEADWATER_DATA_DIR": str(tmp_path)})


def test_bodies_are_removed_and_the_rest_is_verified(headwater: CommandLine, database_url: str) -> None:
    refused = headwater("retention", "run")
    assert (refused.code, "expected --days, --before or HEADWATER_EVENT_DAYS" in refused.err) == (2, True)
    heard(database_url, [*completed("a", outputs=["x"]), *completed("b", inputs=["x"]), *completed("c")])
    # Nothing is so old.
    kept = headwater.with_environment(HEADWATER_EVENT_DAYS="30").done("retention", "run", "--json").json
    assert (kept["events"], kept["until"], kept["checkpoints"]) == (0, 0, 0)
    future = ("--before", "2999-01-01T00:00:00Z")
    dry = headwater.done("retention", "run", *future, "--dry-run", "--json").json
    assert (dry["dryRun"], dry["events"], dry["until"], dry["bytes"] > 0) == (True, 4, 5, True)
    with keeping_up(database_url):
        said = headwater.done("retention", "run", *future)
    assert said.out.startswith("removed: bodies of 4 events, 0.0 MiB, up to position 5")
    status = headwater.done("retention", "status", "--json").json
    assert (status["keepDays"], status["events"], status["waiting"], status["unfinished"]) == (
        None,
        4,
        1,
        False,
    )
    assert status["removed"]["until"] == status["checkpoint"]["until"] == 5
    assert status["removed"]["actor"].startswith("headwater retention run by ")
    shown = headwater.done("retention", "status").out
    assert "for ever" in shown
    assert "position 5, received before" in shown
    assert headwater.done("verify", "--json").json["holds"] is True
