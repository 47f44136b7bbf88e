"""Removing the folders of attempts that are over."""

import asyncio
import contextlib
import dataclasses
import os
import signal
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from sqlalchemy import Engine

from catalog.facts import Outcome, attempt_ended
from catalog.settings import Settings
from hooks import upkeep
from hooks.launchers.command import CommandLauncher, boot_identity
from hooks.launchers.port import NotStarted, Running
from hooks.launching import LaunchContext, remove_outputs
from tests.support.attempts import eventually, make_attempt, make_launcher
from tests.support.spine import append, connect
from web.bootstrap import worker_parts


@pytest.fixture
def launcher(tmp_path: Path) -> CommandLauncher:
    return make_launcher(tmp_path / "runs", tmp_path)


def remove_finished(launcher: CommandLauncher, older_than: datetime) -> int:
    found = launcher.finished(older_than)
    for key in found:
        launcher.remove(*key)
        launcher.remove(*key)  # another worker of the host may have done so
    return len(found)


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
    assert remove_finished(launcher, now - timedelta(hours=1)) == 0
    assert remove_finished(launcher, now + timedelta(hours=1)) == 3
    assert launcher.ask(ended.run_id, 1) == NotStarted()
    assert launcher.ask(refused.run_id, 1) == NotStarted()
    assert launcher.ask(lost.run_id, 1) == NotStarted()
    assert isinstance(launcher.ask(running.run_id, 1), Running)
    # Nobody has said of this one that it is lost, so its command may go on, and its folder stays.
    assert (tmp_path / "runs" / f"{orphaned.run_id}.1").is_dir()

    launcher.stop(running.run_id, 1, reason="end of test")
    launcher.ask(orphaned.run_id, 1)
    assert remove_finished(launcher, now + timedelta(hours=1)) == 2
    assert list((tmp_path / "runs").iterdir()) == []


def test_output_is_removed_once_the_ledger_knows_the_end(
    engine: Engine, database_url: str, launcher: CommandLauncher, tmp_path: Path
) -> None:
    known, unknown = make_attempt("true"), make_attempt("true")
    for attempt in (known, unknown):
        launcher.start(attempt)
        asyncio.run(launcher.wait(attempt.run_id, 1, 20))
    now = datetime.now(UTC)
    ended = attempt_ended(known.run_id, 1, Outcome.EXITED, actor="test", at=now, reason="exit code 0")
    with contextlib.closing(connect(database_url)) as connection:
        append(connection, [ended])
    context = LaunchContext(
        engine=engine,
        launcher=launcher,
        host="host",
        boot=boot_identity(),
        openlineage_url="http://127.0.0.1:8642",
        now=lambda: now,
    )

    assert remove_outputs(context, now - timedelta(days=30)) == 0
    # The other ended while no worker was there to tell: it must not look as if it had never been started.
    assert remove_outputs(context, now + timedelta(hours=1)) == 1
    assert [path.name for path in (tmp_path / "runs").iterdir()] == [f"{unknown.run_id}.1"]
    assert remove_outputs(context, now + timedelta(hours=1)) == 0


def test_a_worker_removes_outputs_by_itself(
    database_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(upkeep, "FIRST_OUTPUT_SWEEP_SECONDS", 0.0)
    parts = worker_parts(Settings(data_dir=tmp_path), database_url)
    attempt = make_attempt("true")
    launcher = make_launcher(tmp_path / "runs", tmp_path)
    launcher.start(attempt)
    asyncio.run(launcher.wait(attempt.run_id, 1, 20))
    now = datetime.now(UTC)
    with contextlib.closing(connect(database_url)) as connection:
        append(
            connection,
            [attempt_ended(attempt.run_id, 1, Outcome.EXITED, actor="test", at=now, reason="exit code 0")],
        )
    launch = dataclasses.replace(parts.launch, now=lambda: now + timedelta(days=31))

    async def sweep() -> None:
        sweeping = asyncio.create_task(upkeep._remove_outputs(launch, parts.run_output_days))
        await asyncio.to_thread(eventually, lambda: not list((tmp_path / "runs").iterdir()))
        sweeping.cancel()
        await asyncio.gather(sweeping, return_exceptions=True)

    asyncio.run(sweep())
    parts.engine.dispose()


def test_there_may_be_nothing_to_remove(launcher: CommandLauncher) -> None:
    assert remove_finished(launcher, datetime.now(UTC)) == 0
