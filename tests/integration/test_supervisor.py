"""The supervisor: children are restarted, end in order and in time, and end with it when it is killed."""

import itertools
import os
import signal
import time
from collections.abc import Callable
from pathlib import Path

import psutil
import pytest

from tests.services.postgresql import temporary_data_folder
from tests.services.supervised import Journal, supervised
from web.supervisor import UNMENDABLE_EXIT
from web.supervisor.child import FIRST_DELAY_SECONDS, RestartDelay


def eventually(condition: Callable[[], bool], seconds: float = 15.0) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "waited in vain"
        time.sleep(0.01)


def lives(pid: int) -> bool:
    try:
        return psutil.Process(pid).status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


def started(journal: Journal, *names: str) -> list[int]:
    """Return the process id of each child's first life, once all of them have begun."""
    eventually(lambda: all(journal.entries("started", name) for name in names))
    return [journal.entries("started", name)[0].pid for name in names]


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT, signal.SIGHUP])
def test_a_stop_signal_ends_every_child_orderly(tmp_path: Path, number: signal.Signals) -> None:
    with supervised(tmp_path, "obedient", "slow") as (process, journal):
        pids = started(journal, "obedient", "slow")
        time.sleep(0.1)
        process.send_signal(number)
        assert process.wait() == 0
        assert not any(lives(pid) for pid in pids)
        assert {entry.child for entry in journal.entries("ended")} == {"obedient", "slow"}


def test_ctrl_c_in_a_terminal_reaches_the_supervisor_alone(tmp_path: Path) -> None:
    with supervised(tmp_path, "obedient", "slow", session=True) as (process, journal):
        pids = started(journal, "obedient", "slow")
        assert process.pid not in {os.getpgid(pid) for pid in pids}
        os.killpg(process.pid, signal.SIGINT)  # what a terminal sends to its foreground group
        assert process.wait() == 0
        assert {entry.child for entry in journal.entries("ended")} == {"obedient", "slow"}


def test_a_child_that_gets_an_interrupt_goes_on(tmp_path: Path) -> None:
    with supervised(tmp_path, "obedient") as (_, journal):
        [pid] = started(journal, "obedient")
        time.sleep(0.1)
        os.kill(pid, signal.SIGINT)
        time.sleep(0.3)
        assert lives(pid)
        assert len(journal.entries("started")) == 1


def test_a_dead_child_is_started_again_and_its_neighbour_is_not(tmp_path: Path) -> None:
    with supervised(tmp_path, "obedient", "slow") as (_, journal):
        first, neighbour = started(journal, "obedient", "slow")
        os.kill(first, signal.SIGKILL)
        eventually(lambda: len(journal.entries("started", "obedient")) == 2, seconds=5)
        assert lives(journal.entries("started", "obedient")[1].pid)
        assert lives(neighbour)
        assert len(journal.entries("started", "slow")) == 1


def test_a_child_that_crashes_at_once_is_started_ever_more_slowly(tmp_path: Path) -> None:
    with supervised(tmp_path, "crashing", "obedient") as (process, journal):
        eventually(lambda: len(journal.entries("started", "crashing")) >= 5)
        times = [entry.at for entry in journal.entries("started", "crashing")]
        gaps = [later - earlier for earlier, later in itertools.pairwise(times)]
        # A busy machine only makes them longer.
        assert all(gap >= FIRST_DELAY_SECONDS * 2**number for number, gap in enumerate(gaps[:4]))
        assert len(journal.entries("started", "obedient")) == 1
        process.terminate()
        assert process.wait() == 0


def test_delays_grow_to_a_cap_and_begin_anew_after_a_sound_life(monkeypatch: pytest.MonkeyPatch) -> None:
    now = 0.0
    monkeypatch.setattr(time, "monotonic", lambda: now)
    delay = RestartDelay()
    delays = [delay.after_failure() for _ in range(12)]
    assert delays == sorted(delays)
    assert delays[0] == 0.05
    assert delays[-1] == delays[-2] == 5.0
    delay.started()
    now = 60.0
    assert delay.after_failure() == 0.05


def test_a_child_whose_configuration_does_not_fit_ends_everything(tmp_path: Path) -> None:
    with supervised(tmp_path, "obedient", "misconfigured") as (process, journal):
        assert process.wait() == UNMENDABLE_EXIT
        assert len(journal.entries("started", "misconfigured")) == 1
        for entry in journal.entries("started", "obedient"):
            assert not lives(entry.pid)


def test_all_end_within_five_seconds_although_one_ignores_it_and_one_is_stopped(tmp_path: Path) -> None:
    with temporary_data_folder() as data_dir:
        names = ("stubborn", "obedient", "client")
        with supervised(tmp_path, *names, data_dir=data_dir) as (process, journal):
            assert process.stdout is not None
            postmaster = int(process.stdout.readline())
            pids = started(journal, *names)
            eventually(lambda: bool(journal.entries("answered")))
            os.kill(pids[1], signal.SIGSTOP)
            began = time.monotonic()
            process.terminate()
            assert process.wait() == 0
            assert time.monotonic() - began < 5
            assert not any(lives(pid) for pid in [postmaster, *pids])
            # The client asked the database after it was told to end, and had its answer.
            assert journal.entries("ended", "client")
        assert not (data_dir / "postgresql" / "postmaster.pid").exists()


def test_children_and_database_end_when_the_supervisor_is_killed(tmp_path: Path) -> None:
    with temporary_data_folder() as data_dir:
        names = ("stubborn", "obedient")
        with supervised(tmp_path, *names, data_dir=data_dir) as (process, journal):
            assert process.stdout is not None
            postmaster = int(process.stdout.readline())
            pids = started(journal, *names)
            process.kill()
            eventually(lambda: not lives(postmaster), seconds=5)
            assert lives(pids[0])  # a child that lingers does not keep the database up
            eventually(lambda: not any(lives(pid) for pid in pids), seconds=5)
            assert journal.entries("ended", "obedient")


def test_a_killed_database_comes_back_and_its_clients_live_on(tmp_path: Path) -> None:
    with (
        temporary_data_folder() as data_dir,
        supervised(tmp_path, "client", data_dir=data_dir) as (process, journal),
    ):
        assert process.stdout is not None
        postmaster = int(process.stdout.readline())
        eventually(lambda: bool(journal.entries("answered")))
        os.kill(postmaster, signal.SIGKILL)
        killed = time.monotonic()
        eventually(lambda: journal.entries("answered")[-1].at > killed + 0.1, seconds=5)
        assert len(journal.entries("started", "client")) == 1
        process.terminate()
        assert process.wait() == 0


def test_the_next_start_after_a_kill_of_everything_finds_a_free_folder(tmp_path: Path) -> None:
    with temporary_data_folder() as data_dir:
        for _ in range(3):
            with supervised(tmp_path, "client", "stubborn", data_dir=data_dir) as (process, journal):
                assert process.stdout is not None
                assert process.stdout.readline()
                began = time.monotonic()
                eventually(lambda: any(entry.at > began for entry in journal.entries("answered")))  # noqa: B023 - called before the loop goes on
                process.kill()
