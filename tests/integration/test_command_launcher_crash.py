"""The command launcher when something dies: an attempt starts at most once, and none is forgotten."""

import asyncio
import os
import signal
import subprocess
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import psutil
import pytest

from hooks.launchers.command import CommandLauncher
from hooks.launchers.command.process import ProcessIdentity, identify, session_members
from hooks.launchers.port import Exited, Lost, NotStarted, Running, Started
from tests.support.attempts import SLOW_SHIM_SECONDS, eventually, make_attempt, make_launcher, starter


@pytest.fixture
def runs_dir(tmp_path: Path) -> Path:
    return tmp_path / "runs"


@pytest.fixture
def launcher(runs_dir: Path, tmp_path: Path) -> CommandLauncher:
    return make_launcher(runs_dir, tmp_path)


def starts(tmp_path: Path) -> int:
    count = tmp_path / "count"
    return len(count.read_text().splitlines()) if count.exists() else 0


def test_fifty_concurrent_starts_run_the_command_once(runs_dir: Path, tmp_path: Path) -> None:
    # Five processes, and ten threads of ours with a launcher each.
    attempt = make_attempt("sh", "-c", "echo started >> count; sleep 0.5")
    others = [starter(runs_dir, tmp_path, attempt, "whole") for _ in range(5)]
    launchers = [make_launcher(runs_dir, tmp_path) for _ in range(10)]
    with ThreadPoolExecutor(10) as threads:
        outcomes = list(
            threads.map(lambda one: [type(one.start(attempt)).__name__ for _ in range(5)], launchers)
        )
    said = [other.communicate(timeout=30)[0].strip() for other in others]

    counted = Counter([name for names in outcomes for name in names] + said)
    assert set(counted) <= {"Started", "Running", "Exited"}
    assert counted["Started"] >= 1
    ended = asyncio.run(launchers[0].wait(attempt.run_id, 1, 20))
    assert isinstance(ended, Exited)
    assert ended.code == 0
    assert starts(tmp_path) == 1


def test_a_starter_killed_before_it_spawned_has_started_nothing(
    runs_dir: Path, tmp_path: Path, launcher: CommandLauncher
) -> None:
    attempt = make_attempt("sh", "-c", "echo started >> count")
    with starter(runs_dir, tmp_path, attempt, "before-spawn") as dying:
        assert dying.wait(20) == -signal.SIGKILL
    assert launcher.ask(attempt.run_id, 1) == NotStarted()
    assert isinstance(launcher.start(attempt), Started)
    assert isinstance(asyncio.run(launcher.wait(attempt.run_id, 1, 20)), Exited)
    assert starts(tmp_path) == 1


def test_a_starter_killed_before_its_shim_took_the_marker_is_overtaken(
    runs_dir: Path, tmp_path: Path, launcher: CommandLauncher
) -> None:
    attempt = make_attempt("sh", "-c", "echo started >> count")
    with starter(runs_dir, tmp_path, attempt, "before-marker") as dying:
        assert dying.wait(20) == -signal.SIGKILL
    # The first shim is on its way and nobody can know; the second overtakes it.
    assert launcher.ask(attempt.run_id, 1) == NotStarted()
    assert isinstance(launcher.start(attempt), Started)
    assert isinstance(asyncio.run(launcher.wait(attempt.run_id, 1, 20)), Exited)
    asyncio.run(asyncio.sleep(SLOW_SHIM_SECONDS + 0.3))
    assert starts(tmp_path) == 1


def test_a_shim_whose_starter_was_killed_takes_the_marker_later(
    runs_dir: Path, tmp_path: Path, launcher: CommandLauncher
) -> None:
    attempt = make_attempt("sh", "-c", "echo started >> count")
    with starter(runs_dir, tmp_path, attempt, "before-marker") as dying:
        assert dying.wait(20) == -signal.SIGKILL
    eventually(lambda: isinstance(launcher.ask(attempt.run_id, 1), Exited))
    assert isinstance(launcher.start(attempt), Exited)
    assert starts(tmp_path) == 1


def test_a_run_whose_starter_was_killed_is_adopted(
    runs_dir: Path, tmp_path: Path, launcher: CommandLauncher
) -> None:
    attempt = make_attempt("sh", "-c", "echo started >> count; sleep 0.5; exit 7")
    with starter(runs_dir, tmp_path, attempt, "after-marker") as dying:
        assert dying.wait(20) == -signal.SIGKILL
    assert isinstance(launcher.ask(attempt.run_id, 1), Running)
    assert isinstance(launcher.start(attempt), Running)
    ended = asyncio.run(launcher.wait(attempt.run_id, 1, 20))
    assert isinstance(ended, Exited)
    assert ended.code == 7
    assert starts(tmp_path) == 1


def test_a_run_that_ended_while_nobody_watched_is_known(
    runs_dir: Path, tmp_path: Path, launcher: CommandLauncher
) -> None:
    attempt = make_attempt("sh", "-c", "exit 4")
    launcher.start(attempt)
    record = runs_dir / f"{attempt.run_id}.1" / "exit"
    eventually(lambda: record.read_text().startswith("4\n"))
    found = make_launcher(runs_dir, tmp_path).ask(attempt.run_id, 1)
    assert isinstance(found, Exited)
    assert found.code == 4


def running_shim(launcher: CommandLauncher, run_id: object, runs_dir: Path) -> ProcessIdentity:
    """Return the shim of a run whose command is known to run."""
    eventually((runs_dir / f"{run_id}.1" / "command").exists)
    running = launcher.ask(run_id, 1)  # type: ignore[arg-type]
    assert isinstance(running, Running)
    shim = identify(running.pid)
    assert shim is not None
    return shim


def test_when_the_shim_is_killed_the_command_ends_and_the_attempt_is_lost(
    launcher: CommandLauncher, runs_dir: Path, tmp_path: Path
) -> None:
    script = (
        "trap '' TERM; (trap '' TERM; while :; do echo x >> child; sleep 0.02; done) & echo $! > pid; wait"
    )
    attempt = make_attempt("sh", "-c", script)
    launcher.start(attempt)
    eventually((tmp_path / "child").exists)
    shim = running_shim(launcher, attempt.run_id, runs_dir)
    shim.send(signal.SIGKILL)
    eventually(lambda: not shim.is_alive())

    # Another launcher finds it, as after a restart: it ends what is left before it says so.
    found = make_launcher(runs_dir, tmp_path).ask(attempt.run_id, 1)
    assert isinstance(found, Lost)
    assert identify(int((tmp_path / "pid").read_text())) is None
    size = (tmp_path / "child").stat().st_size
    asyncio.run(asyncio.sleep(0.1))
    assert (tmp_path / "child").stat().st_size == size

    # It stays lost, and is not started again.
    assert launcher.start(attempt) == found
    assert asyncio.run(launcher.wait(attempt.run_id, 1, 5)) == found


def test_waiting_notices_that_the_shim_was_killed(launcher: CommandLauncher, runs_dir: Path) -> None:
    attempt = make_attempt("sleep", "30")
    launcher.start(attempt)
    shim = running_shim(launcher, attempt.run_id, runs_dir)

    async def kill_while_waiting() -> object:
        waiting = asyncio.create_task(launcher.wait(attempt.run_id, 1, 20))
        await asyncio.sleep(0.1)
        shim.send(signal.SIGKILL)
        return await waiting

    assert isinstance(asyncio.run(kill_while_waiting()), Lost)


def test_a_command_that_hides_its_environment_is_ended_with_its_shim(
    launcher: CommandLauncher, runs_dir: Path
) -> None:
    attempt = make_attempt("env", "-i", "/bin/sleep", "30")
    launcher.start(attempt)
    shim = running_shim(launcher, attempt.run_id, runs_dir)
    command = psutil.Process(int((runs_dir / f"{attempt.run_id}.1" / "command").read_text().split()[0]))
    eventually(lambda: command.name() == "sleep")
    shim.send(signal.SIGKILL)
    eventually(lambda: isinstance(launcher.ask(attempt.run_id, 1), Lost))
    assert identify(command.pid) is None


def test_a_reused_pid_is_not_taken_for_the_shim_and_is_not_killed(
    launcher: CommandLauncher, runs_dir: Path
) -> None:
    attempt = make_attempt("sleep", "30")
    launcher.start(attempt)
    shim = running_shim(launcher, attempt.run_id, runs_dir)
    os.killpg(shim.pid, signal.SIGKILL)
    eventually(lambda: identify(shim.pid) is None)

    # Somebody else's processes, one of which leads its own session with the pid that the marker names.
    with subprocess.Popen(["sh", "-c", "sleep 30; :"], start_new_session=True) as stranger:
        eventually(lambda: len(session_members(stranger.pid)) == 2)
        marker = runs_dir / f"{attempt.run_id}.1" / "marker"
        marker.write_text(f"{stranger.pid} {shim.started}\n")
        (marker.parent / "command").write_text(f"{stranger.pid} {shim.started} 1\n")
        assert isinstance(launcher.ask(attempt.run_id, 1), Lost)
        launcher.stop(attempt.run_id, 1, reason="cancelled", grace_seconds=0)
        assert len(session_members(stranger.pid)) == 2
        os.killpg(stranger.pid, signal.SIGKILL)


def test_a_session_that_a_stranger_left_behind_is_not_killed(
    launcher: CommandLauncher, runs_dir: Path, tmp_path: Path
) -> None:
    attempt = make_attempt("true")
    with starter(runs_dir, tmp_path, attempt, "before-spawn") as dying:
        assert dying.wait(20) == -signal.SIGKILL
    # The session has the number of the shim, whose leader is as dead as the shim.
    with subprocess.Popen(["sh", "-c", "sleep 30 & :"], start_new_session=True) as stranger:
        assert stranger.wait(20) == 0
        (left_behind,) = session_members(stranger.pid)
        (runs_dir / f"{attempt.run_id}.1" / "marker").write_text(f"{stranger.pid} 1\n")
        assert isinstance(launcher.ask(attempt.run_id, 1), Lost)
        assert left_behind.is_alive()
        left_behind.send(signal.SIGKILL)


def test_after_a_restart_of_the_host_what_ran_is_lost_and_what_ended_is_known(
    launcher: CommandLauncher, runs_dir: Path, tmp_path: Path
) -> None:
    ran, ended = make_attempt("sleep", "30"), make_attempt("true")
    for attempt in (ran, ended):
        launcher.start(attempt)
    shim = running_shim(launcher, ran.run_id, runs_dir)
    asyncio.run(launcher.wait(ended.run_id, 1, 20))
    for attempt in (ran, ended):
        (runs_dir / f"{attempt.run_id}.1" / "boot").write_text("another boot\n")

    # A process that has the same pid and start time by chance is a stranger.
    restarted = make_launcher(runs_dir, tmp_path)
    found = restarted.ask(ran.run_id, 1)
    assert isinstance(found, Lost)
    assert "the host was restarted" in found.reason
    assert restarted.start(ran) == found
    restarted.stop(ran.run_id, 1, reason="cancelled")
    assert shim.is_alive()
    os.killpg(shim.pid, signal.SIGKILL)
    assert isinstance(restarted.ask(ended.run_id, 1), Exited)


def test_a_start_of_an_earlier_boot_is_not_repeated_although_nothing_of_it_reached_the_disk(
    launcher: CommandLauncher, tmp_path: Path
) -> None:
    # The claim in the database outlived the power loss; the folder did not.
    attempt = make_attempt("sh", "-c", "echo started >> count")
    assert isinstance(launcher.start(replace(attempt, claimed_boot="another boot")), Lost)
    assert starts(tmp_path) == 0


def test_without_a_claim_the_prepared_folder_tells_of_an_earlier_boot(
    launcher: CommandLauncher, runs_dir: Path, tmp_path: Path
) -> None:
    attempt = make_attempt("sh", "-c", "echo started >> count", claimed_boot=None)
    with starter(runs_dir, tmp_path, attempt, "before-spawn") as dying:
        assert dying.wait(20) == -signal.SIGKILL
    (runs_dir / f"{attempt.run_id}.1" / "boot").write_text("another boot\n")
    assert isinstance(launcher.ask(attempt.run_id, 1), Lost)
    assert isinstance(launcher.start(attempt), Lost)
    assert starts(tmp_path) == 0


def test_a_marker_without_a_name_is_lost_once_nobody_works_for_it(
    launcher: CommandLauncher, runs_dir: Path, tmp_path: Path
) -> None:
    # The shim was killed between creating its marker and writing it.
    attempt = make_attempt("sh", "-c", "echo started >> count")
    with starter(runs_dir, tmp_path, attempt, "before-spawn") as dying:
        assert dying.wait(20) == -signal.SIGKILL
    (runs_dir / f"{attempt.run_id}.1" / "marker").touch()

    environment = {**os.environ, "HEADWATER_RUN_ID": str(attempt.run_id), "HEADWATER_ATTEMPT": "1"}
    with subprocess.Popen(["sleep", "30"], env=environment) as about_to_write:
        eventually(lambda: psutil.Process(about_to_write.pid).name() == "sleep")
        found = launcher.ask(attempt.run_id, 1)
        assert isinstance(found, Running)
        assert found.pid == about_to_write.pid
        about_to_write.kill()
    assert isinstance(launcher.ask(attempt.run_id, 1), Lost)
    assert isinstance(launcher.start(attempt), Lost)
    assert starts(tmp_path) == 0
