"""Old events lose their bodies while clients post and runs start, by rounds that are killed: the laws hold."""

import datetime as dt
import json
import signal
import subprocess
import time
from collections import Counter
from pathlib import Path

import pytest

from benchmarks.crash import documents, wait_until_quiet
from benchmarks.server import HEADWATER, running_server
from catalog.embedded.running import running_url
from tests.services.postgresql import connect, temporary_data_folder
from tests.support.load import headwater, load, versions
from tests.support.processes import lines

EVENTS = 240
ROUNDS_KILLED = 2
#: Whether a round follows the ledger into its checkpoint.
UNDER_WAY = "SELECT FROM pg_stat_activity WHERE application_name = 'headwater-replay'"


def round_of(folder: Path) -> list[str]:
    """The command that removes the bodies of all that was received before now."""
    now = dt.datetime.now(dt.UTC).isoformat()
    return [str(HEADWATER), "retention", "run", "--before", now, "--data-dir", str(folder), "--json"]


def kill_a_round(folder: Path) -> None:
    """Start a round and kill it while it is under way."""
    database = running_url(folder)
    assert database is not None
    with connect(database) as connection:
        started = subprocess.Popen(round_of(folder), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        while connection.execute(UNDER_WAY).fetchone() is None:
            assert started.poll() is None, "the round ended before it was seen under way"
            time.sleep(0.005)
        started.kill()
        assert started.wait() == -signal.SIGKILL


@pytest.mark.timeout(120)
def test_rounds_under_load_and_under_kills_keep_the_laws() -> None:
    with temporary_data_folder() as folder, temporary_data_folder() as commands:
        with running_server(folder) as server:
            server.apply(*documents(commands))
            with load(server, EVENTS) as posted:
                while len(posted.acknowledged) < EVENTS // 6:
                    time.sleep(0.02)
                for _ in range(ROUNDS_KILLED):
                    kill_a_round(folder)
                done = subprocess.run(round_of(folder), capture_output=True, text=True, check=False)
                assert done.returncode == 0, done.stderr
                first = json.loads(done.stdout)
                known = versions(server)
            wait_until_quiet(server, EVENTS)
            told = {version["id"]: version for version in versions(server)}
            assert len(told) == EVENTS
            assert all(told[version["id"]] == version for version in known)
            # What was posted by then has lost its body, and the rest does now.
            status = json.loads(headwater("retention", "status", "--data-dir", str(folder), "--json"))
            assert status["events"] > EVENTS // 6
            assert status["removed"]["until"] == first["until"] > 0
            second = json.loads(headwater(*round_of(folder)[1:]))
            assert second["until"] >= first["until"]
            assert {version["id"]: version for version in versions(server)} == told
            laws = json.loads(headwater("verify", "--data-dir", str(folder), "--json"))
            assert laws["holds"] is True, laws
        started = Counter([*lines(commands / "each.txt"), *lines(commands / "latest.txt")])
        assert started
        assert {attempt for attempt, times in started.items() if times > 1} == set()
