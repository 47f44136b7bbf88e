"""A backup taken under load, restored elsewhere: the laws hold there, and nothing that it knew of starts twice."""

import json
import time
from collections import Counter
from pathlib import Path

import pytest

from benchmarks.crash import documents, wait_until_quiet
from benchmarks.server import running_server
from tests.services.postgresql import temporary_data_folder
from tests.support.load import headwater, load, versions
from tests.support.processes import lines

EVENTS = 400


@pytest.mark.timeout(240)
def test_a_backup_under_load_restores_elsewhere(tmp_path: Path) -> None:
    with (
        temporary_data_folder() as here,
        temporary_data_folder() as there,
        temporary_data_folder() as commands,
    ):
        with running_server(here) as server:
            server.apply(*documents(commands))
            with load(server, EVENTS) as posted:
                while len(posted.acknowledged) < EVENTS // 4:
                    time.sleep(0.02)
                # The file says where it lies; it was restored once to see that it can be.
                backup = json.loads(
                    headwater("backup", str(tmp_path), "--data-dir", str(here), "--verify", "--json")
                )
            wait_until_quiet(server, EVENTS)
            original = versions(server)
        assert backup["verified"] is True
        assert backup["ledgerPosition"] > 0
        assert len(original) == EVENTS
        started_here = [*lines(commands / "each.txt"), *lines(commands / "latest.txt")]

        restored = json.loads(headwater("restore", backup["file"], "--data-dir", str(there), "--json"))
        assert restored["position"] > backup["ledgerPosition"]
        laws = json.loads(headwater("verify", "--data-dir", str(there), "--json"))
        assert laws["holds"] is True
        assert laws["position"] == restored["position"]

        with running_server(there) as server:
            # What the catalog knew at the backup's position it knows again, to the version.
            known = [version for version in original if version["position"] <= backup["ledgerPosition"]]
            assert sorted(versions(server), key=str) == sorted(known, key=str)
            # And it goes on.
            with load(server, 20):
                pass
            server.wait_until_followed()
            assert json.loads(headwater("verify", "--data-dir", str(there), "--json"))["holds"] is True
        started = Counter([*lines(commands / "each.txt"), *lines(commands / "latest.txt")])
        assert len(started) > len(started_here)
        assert {attempt for attempt, times in started.items() if times > 1} == set()
