"""The command launcher ending what it started: everything of the attempt, and nothing else."""

import asyncio
import os
import signal
import subprocess
import threading
import time
from pathlib import Path

import pytest

from hooks.launchers.command import CommandLauncher
from hooks.launchers.command.process import ProcessIdentity, identify, session_members
from hooks.launchers.command.session import Session
from hooks.launchers.port import Attempt, Exited, NotStarted, Running
from tests.support.attempts import eventually, make_attempt, make_launcher, starter


@pytest.fixture
def runs_dir(tmp_path: Path) -> Path:
    return tmp_path / "runs"


@pytest.fixture
def launcher(runs_dir: Path, tmp_path: Path) -> CommandLauncher:
    return make_launcher(runs_dir, tmp_path)


def ended(launcher: CommandLauncher, attempt: Attempt) -> Exited:
    outcome = asyncio.run(launcher.wait(attempt.run_id, attempt.number, 20))
    assert isinstance(outcome, Exited)
    return outcome


def pid_in(file: Path) -> int:
    eventually(lambda: file.exists() and file.read_text().endswith("\n"))
    return int(file.read_text())


def test_stop_ends_the_command_and_its_grandchild(launcher: CommandLauncher, tmp_path: Path) -> None:
    script = "sh -c 'sleep 30 & echo $! > grandchild; wait' & echo $! > child; wait"
    attempt = make_attempt("sh", "-c", script)
    launcher.start(attempt)
    pids = [pid_in(tmp_path / "child"), pid_in(tmp_path / "grandchild")]
    launcher.stop(attempt.run_id, 1, reason="cancelled by ann")
    assert [identify(pid) for pid in pids] == [None, None]
    outcome = ended(launcher, attempt)
    assert (outcome.code, outcome.signal) == (128 + 15, 15)
    assert outcome.reason == "cancelled by ann"


def test_stop_ends_a_grandchild_in_a_group_of_its_own(launcher: CommandLauncher, tmp_path: Path) -> None:
    # `timeout` and interactive shells move their children to another process group; the session stays.
    attempt = make_attempt("timeout", "30", "sh", "-c", "echo $$ > inner; sleep 30")
    launcher.start(attempt)
    inner = pid_in(tmp_path / "inner")
    launcher.stop(attempt.run_id, 1, reason="cancelled")
    assert identify(inner) is None
    assert ended(launcher, attempt).reason == "cancelled"


def test_a_command_may_clean_up_when_it_is_stopped(launcher: CommandLauncher, tmp_path: Path) -> None:
    script = "trap 'sleep 0.2; echo cleaned; exit 5' TERM; echo ready > ready; while :; do sleep 0.01; done"
    attempt = make_attempt("sh", "-c", script)
    launcher.start(attempt)
    eventually((tmp_path / "ready").exists)
    launcher.stop(attempt.run_id, 1, reason="timed out after 1 s")
    outcome = ended(launcher, attempt)
    assert (outcome.code, outcome.reason) == (5, "timed out after 1 s")
    # The command's own shell may have said before that its `sleep` was terminated.
    assert launcher.output(attempt.run_id, 1).head.endswith(b"cleaned\n")


def test_a_command_that_ignores_sigterm_is_killed_after_the_grace(
    launcher: CommandLauncher, tmp_path: Path
) -> None:
    script = "trap '' TERM; (trap '' TERM; echo ready > ready; exec sleep 30) & wait"
    attempt = make_attempt("sh", "-c", script)
    launcher.start(attempt)
    eventually((tmp_path / "ready").exists)
    begun = time.monotonic()
    launcher.stop(attempt.run_id, 1, reason="cancelled", grace_seconds=0.3)
    assert 0.3 <= time.monotonic() - begun < 3
    outcome = ended(launcher, attempt)
    assert (outcome.code, outcome.signal) == (128 + 9, 9)


def test_a_grandchild_that_ignores_sigterm_is_killed_although_the_command_ended(
    launcher: CommandLauncher, tmp_path: Path
) -> None:
    script = "(trap '' TERM; while :; do sleep 0.05; done) & echo $! > grandchild; wait"
    attempt = make_attempt("sh", "-c", script)
    launcher.start(attempt)
    grandchild = pid_in(tmp_path / "grandchild")
    launcher.stop(attempt.run_id, 1, reason="cancelled", grace_seconds=0.3)
    assert identify(grandchild) is None
    assert ended(launcher, attempt).signal == 15


def test_a_stopped_process_is_killed(launcher: CommandLauncher, tmp_path: Path) -> None:
    attempt = make_attempt("sh", "-c", "echo $$ > pid; kill -STOP $$; sleep 30")
    launcher.start(attempt)
    frozen = pid_in(tmp_path / "pid")
    launcher.stop(attempt.run_id, 1, reason="cancelled", grace_seconds=0.1)
    assert identify(frozen) is None
    assert ended(launcher, attempt).signal == 9


def test_a_frozen_shim_still_records_the_end(launcher: CommandLauncher, tmp_path: Path) -> None:
    attempt = make_attempt("sh", "-c", "echo $$ > pid; exec sleep 30")
    launcher.start(attempt)
    pid_in(tmp_path / "pid")
    running = launcher.ask(attempt.run_id, 1)
    assert isinstance(running, Running)
    os.kill(running.pid, signal.SIGSTOP)
    launcher.stop(attempt.run_id, 1, reason="cancelled", grace_seconds=0.1)
    assert ended(launcher, attempt).signal == 15


def test_stop_works_from_another_launcher_and_twice(
    launcher: CommandLauncher, runs_dir: Path, tmp_path: Path
) -> None:
    attempt = make_attempt("sleep", "30")
    launcher.start(attempt)
    other = make_launcher(runs_dir, tmp_path)
    eventually(lambda: isinstance(other.ask(attempt.run_id, 1), Running))
    other.stop(attempt.run_id, 1, reason="first reason")
    other.stop(attempt.run_id, 1, reason="second reason")
    launcher.stop(attempt.run_id, 1, reason="third reason")
    assert ended(launcher, attempt).reason == "first reason"


def test_what_watches_and_collects_is_no_part_of_what_is_ended(launcher: CommandLauncher) -> None:
    attempt = make_attempt("sleep", "30")
    launcher.start(attempt)
    folder = launcher._folder(attempt.run_id, 1)
    eventually(folder.command)
    marker, record = folder.marker(), folder.command()
    assert marker is not None
    assert record is not None
    shim = marker.holder
    assert isinstance(shim, ProcessIdentity)
    # In the session are the shim, the command, the collector and its `dd`.
    eventually(lambda: len(session_members(shim.pid)) == 4)
    assert Session(shim, folder).members() == [record.command]
    launcher.stop(attempt.run_id, 1, reason="cancelled")


def test_two_stops_at_once_agree(launcher: CommandLauncher, tmp_path: Path) -> None:
    attempt = make_attempt("sh", "-c", "trap '' TERM; echo ready > ready; sleep 30; sleep 30")
    launcher.start(attempt)
    eventually((tmp_path / "ready").exists)
    stops = [
        threading.Thread(
            target=launcher.stop, args=(attempt.run_id, 1), kwargs={"reason": "r", "grace_seconds": 0.2}
        )
        for _ in range(2)
    ]
    for stop in stops:
        stop.start()
    for stop in stops:
        stop.join(20)
    assert ended(launcher, attempt).signal == 9


def test_an_attempt_stopped_before_it_started_never_starts(launcher: CommandLauncher, tmp_path: Path) -> None:
    attempt = make_attempt("sh", "-c", "echo started >> count")
    launcher.stop(attempt.run_id, 1, reason="cancelled by ann")
    outcome = launcher.start(attempt)
    assert isinstance(outcome, Exited)
    assert (outcome.code, outcome.reason, outcome.started_at) == (143, "cancelled by ann", None)
    assert launcher.ask(attempt.run_id, 1) == outcome
    assert not (tmp_path / "count").exists()


def test_an_attempt_stopped_before_its_shim_took_the_marker_never_starts(
    launcher: CommandLauncher, runs_dir: Path, tmp_path: Path
) -> None:
    attempt = make_attempt("sh", "-c", "echo started >> count")
    with starter(runs_dir, tmp_path, attempt, "before-marker") as dying:
        assert dying.wait(20) == -signal.SIGKILL
    assert launcher.ask(attempt.run_id, 1) == NotStarted()
    launcher.stop(attempt.run_id, 1, reason="cancelled")
    assert isinstance(launcher.ask(attempt.run_id, 1), Exited)
    time.sleep(1)
    assert not (tmp_path / "count").exists()


def test_stopping_what_has_ended_changes_nothing_and_spares_what_it_left_behind(
    launcher: CommandLauncher, tmp_path: Path
) -> None:
    attempt = make_attempt("sh", "-c", "sleep 30 >/dev/null 2>&1 & echo $! > daemon; exit 2")
    launcher.start(attempt)
    before = ended(launcher, attempt)
    daemon = identify(pid_in(tmp_path / "daemon"))
    assert daemon is not None
    launcher.stop(attempt.run_id, 1, reason="too late")
    assert daemon.is_alive()
    assert launcher.ask(attempt.run_id, 1) == before
    daemon.send(signal.SIGKILL)


def test_a_stop_that_was_cut_short_is_finished_by_the_next(
    launcher: CommandLauncher, runs_dir: Path, tmp_path: Path
) -> None:
    # The command ended by the first SIGTERM, a grandchild did not, and then the launcher died.
    attempt = make_attempt(
        "sh", "-c", "(trap '' TERM; while :; do sleep 0.05; done) & echo $! > grandchild; wait"
    )
    launcher.start(attempt)
    grandchild = pid_in(tmp_path / "grandchild")
    (runs_dir / f"{attempt.run_id}.1" / "stop").write_text("cancelled\n")
    command = (runs_dir / f"{attempt.run_id}.1" / "command").read_text().split()[0]
    os.kill(int(command), signal.SIGTERM)
    assert ended(launcher, attempt).reason == "cancelled"
    assert identify(grandchild) is not None
    make_launcher(runs_dir, tmp_path).stop(attempt.run_id, 1, reason="again", grace_seconds=0)
    assert identify(grandchild) is None


def test_stopping_one_attempt_spares_another_and_the_launcher(launcher: CommandLauncher) -> None:
    kept, stopped = make_attempt("sleep", "0.6"), make_attempt("sleep", "30")
    launcher.start(kept)
    launcher.start(stopped)
    with subprocess.Popen(["sleep", "30"]) as sibling:
        launcher.stop(stopped.run_id, 1, reason="cancelled")
        assert sibling.poll() is None
        sibling.kill()
    assert ended(launcher, kept).code == 0


def test_stop_waits_for_a_shim_that_is_about_to_start_the_command(launcher: CommandLauncher) -> None:
    launcher._shim._text = launcher._shim._text.replace("trap : ", "sleep 0.2\ntrap : ")
    attempt = make_attempt("sleep", "30")
    launcher.start(attempt)
    eventually(launcher._folder(attempt.run_id, 1).marker)
    begun = time.monotonic()
    launcher.stop(attempt.run_id, 1, reason="cancelled")
    assert time.monotonic() - begun < 2
    assert ended(launcher, attempt).code == 143


def test_stop_is_quick_at_any_instant_after_the_start(launcher: CommandLauncher) -> None:
    # A signal that reached the process before it became the command would be forgotten, and cost the grace.
    for microseconds in range(0, 6000, 250):
        attempt = make_attempt("sleep", "30")
        launcher.start(attempt)
        time.sleep(microseconds / 1e6)
        begun = time.monotonic()
        launcher.stop(attempt.run_id, 1, reason="cancelled")
        assert time.monotonic() - begun < 2
        assert ended(launcher, attempt).code == 143
