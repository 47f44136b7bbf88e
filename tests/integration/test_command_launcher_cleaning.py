"""Removing the folders of attempts that are over."""

import asyncio
import os
import signal
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from hooks.launchers.command import CommandLauncher
from hooks.launchers.port import NotStarted, Running
from tests.support.attempts import eventually, make_attempt, make_launcher


@pytest.fixture
def launcher(tmp_path: Path) -> CommandLauncher:
    return make_launcher(tmp_path / "runs", tmp_path)


def test_what_ended_before_the_instant_goes_and_nothing_else(
    launcher: CommandLauncher, tmp_path: Path
) -> None:
    ended, refused, lost, running, orphaned = (
        make_attempt("true"),
        make_attempt("no-such-program"),
        make_attempt("sleep", "30"),
        make_attempt("sleep", "30"),
        make_attempt("sleep", "30"),
    )
    for attempt in (ended, refused, lost, running, orphaned):
        launcher.start(attempt)
    asyncio.run(launcher.wait(ended.run_id, 1, 20))
    shims = {}
    for attempt in (lost, running, orphaned):
        eventually((tmp_path / "runs" / f"{attempt.run_id}.1" / "command").exists)
        outcome = launcher.ask(attempt.run_id, 1)
        assert isinstance(outcome, Running)
        shims[attempt.run_id] = outcome.pid
    for attempt in (lost, orphaned):
        os.kill(shims[attempt.run_id], signal.SIGKILL)
    eventually(lambda: not isinstance(launcher.ask(lost.run_id, 1), Running))

    now = datetime.now(UTC)
    assert launcher.remove_finished(now - timedelta(hours=1)) == 0
    assert launcher.remove_finished(now + timedelta(hours=1)) == 3
    assert launcher.ask(ended.run_id, 1) == NotStarted()
    assert launcher.ask(refused.run_id, 1) == NotStarted()
    assert launcher.ask(lost.run_id, 1) == NotStarted()
    assert isinstance(launcher.ask(running.run_id, 1), Running)
    # Nobody has said of this one that it is lost, so its command may go on, and its folder stays.
    assert (tmp_path / "runs" / f"{orphaned.run_id}.1").is_dir()

    launcher.stop(running.run_id, 1, reason="end of test")
    launcher.ask(orphaned.run_id, 1)
    assert launcher.remove_finished(now + timedelta(hours=1)) == 2
    assert list((tmp_path / "runs").iterdir()) == []


def test_there_may_be_nothing_to_remove(launcher: CommandLauncher) -> None:
    assert launcher.remove_finished(datetime.now(UTC)) == 0
