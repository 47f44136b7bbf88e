"""What the command launcher keeps of an output: bounded, live, complete at the end, and never in the way."""

import asyncio
import sys
import time
from pathlib import Path

import psutil
import pytest

from hooks.launchers.command import CommandLauncher
from hooks.launchers.port import Attempt, Exited, Output
from tests.support.attempts import eventually, make_attempt, make_launcher

KIB = 1024
KEPT = 64 * KIB


@pytest.fixture
def launcher(tmp_path: Path) -> CommandLauncher:
    return make_launcher(tmp_path / "runs", tmp_path, output_bytes=KEPT)


def output_after(launcher: CommandLauncher, attempt: Attempt) -> Output:
    launcher.start(attempt)
    outcome = asyncio.run(launcher.wait(attempt.run_id, 1, 60))
    assert isinstance(outcome, Exited)
    assert outcome.code == 0
    return launcher.output(attempt.run_id, 1)


def written_by(script: str) -> Attempt:
    return make_attempt(sys.executable, "-c", f"import os, sys\nout = sys.stdout.buffer\n{script}")


def test_nothing_is_kept_of_nothing(launcher: CommandLauncher) -> None:
    assert output_after(launcher, make_attempt("true")) == Output(b"", b"", 0)
    assert launcher.output(make_attempt("true").run_id, 1) == Output(b"", b"", 0)


def test_stdout_and_stderr_are_kept_in_order(launcher: CommandLauncher) -> None:
    attempt = make_attempt("sh", "-c", "echo 1; echo 2 >&2; echo 3; echo 4 >&2")
    assert output_after(launcher, attempt) == Output(b"1\n2\n3\n4\n", b"", 0)


def test_the_output_is_there_while_the_command_runs(launcher: CommandLauncher, tmp_path: Path) -> None:
    attempt = make_attempt("sh", "-c", "echo one; while ! test -e go; do sleep 0.01; done; echo two")
    launcher.start(attempt)
    eventually(lambda: launcher.output(attempt.run_id, 1).head == b"one\n")
    (tmp_path / "go").touch()
    eventually(lambda: launcher.output(attempt.run_id, 1).head == b"one\ntwo\n")


def test_the_tail_is_there_while_the_command_runs(launcher: CommandLauncher, tmp_path: Path) -> None:
    attempt = written_by(
        "import time\n"
        "out.write(b'x' * 200_000 + b'last'); out.flush()\n"
        "while not os.path.exists('go'): time.sleep(0.01)"
    )
    launcher.start(attempt)
    eventually(lambda: launcher.output(attempt.run_id, 1).tail.endswith(b"last"))
    (tmp_path / "go").touch()


@pytest.mark.parametrize("size", [KEPT // 2 - 1, KEPT // 2, KEPT // 2 + 1, KEPT - 1, KEPT])
def test_what_fits_is_kept_whole(launcher: CommandLauncher, size: int) -> None:
    kept = output_after(launcher, written_by(f"out.write(bytes(i % 251 for i in range({size})))"))
    assert kept.head + kept.tail == bytes(i % 251 for i in range(size))
    assert kept.dropped == 0
    assert len(kept.head) <= KEPT // 2


@pytest.mark.parametrize("size", [KEPT + 1, KEPT * 3 + 17, 1_000_003])
def test_of_more_the_first_and_the_last_half_are_kept(launcher: CommandLauncher, size: int) -> None:
    kept = output_after(launcher, written_by(f"out.write(bytes(i % 251 for i in range({size})))"))
    whole = bytes(i % 251 for i in range(size))
    assert kept == Output(whole[: KEPT // 2], whole[-KEPT // 2 :], size - KEPT)


def test_many_small_writes_are_kept_like_one_large(launcher: CommandLauncher) -> None:
    # Each line is a write of its own: the first stage counts reads, and ends long before the head is full.
    attempt = written_by("for i in range(20_000): os.write(1, b'%d\\n' % i)")
    kept = output_after(launcher, attempt)
    whole = b"".join(b"%d\n" % number for number in range(20_000))
    assert kept == Output(whole[: KEPT // 2], whole[-KEPT // 2 :], len(whole) - KEPT)


def test_one_gigabyte_costs_neither_disk_nor_patience(launcher: CommandLauncher, tmp_path: Path) -> None:
    chunks = 1024
    attempt = written_by(
        f"chunk = b'x' * (1 << 20)\nfor _ in range({chunks}): os.write(1, chunk)\nos.write(1, b'end')"
    )
    begun = time.monotonic()
    kept = output_after(launcher, attempt)
    seconds = time.monotonic() - begun
    print(f"1 GiB in {seconds:.1f} s")
    assert seconds < 20
    assert kept.tail.endswith(b"end")
    assert len(kept.head) + len(kept.tail) == KEPT
    assert kept.dropped == (chunks << 20) + 3 - KEPT
    on_disk = sum(path.stat().st_size for path in (tmp_path / "runs").rglob("*"))
    assert on_disk < KEPT + 32 * KIB


@pytest.mark.parametrize("output_bytes", [1, 2, 3, 1000])
def test_a_tiny_bound_holds_too(tmp_path: Path, output_bytes: int) -> None:
    launcher = make_launcher(tmp_path / "runs", tmp_path, output_bytes=output_bytes)
    kept = output_after(launcher, written_by("out.write(b'0123456789' * 1000)"))
    half = max(output_bytes // 2, 1)
    whole = b"0123456789" * 1000
    assert kept == Output(whole[:half], whole[-half:], len(whole) - 2 * half)


def test_a_daemon_that_holds_the_output_does_not_hold_up_the_end(launcher: CommandLauncher) -> None:
    attempt = make_attempt("sh", "-c", "(sleep 5; echo late) & echo early; exit 3")
    begun = time.monotonic()
    launcher.start(attempt)
    outcome = asyncio.run(launcher.wait(attempt.run_id, 1, 20))
    assert time.monotonic() - begun < 4
    assert isinstance(outcome, Exited)
    assert outcome.code == 3
    assert launcher.output(attempt.run_id, 1).head == b"early\n"
    # What it says later is kept as well, and nothing kills it for saying so.
    eventually(lambda: launcher.output(attempt.run_id, 1).head == b"early\nlate\n")


def test_a_command_survives_the_death_of_what_collects_its_output(
    launcher: CommandLauncher, tmp_path: Path
) -> None:
    attempt = written_by(
        "import time\n"
        "out.write(b'x' * 200_000); out.flush()\n"
        "while not os.path.exists('go'): time.sleep(0.01)\n"
        "for _ in range(100): os.write(1, b'y' * 10_000)"
    )
    launcher.start(attempt)
    eventually(lambda: launcher.output(attempt.run_id, 1).tail)
    (folder,) = (tmp_path / "runs").iterdir()
    collector = int((folder / "command").read_text().split()[2])
    (child,) = psutil.Process(collector).children()
    child.kill()
    (tmp_path / "go").touch()
    outcome = asyncio.run(launcher.wait(attempt.run_id, 1, 20))
    assert isinstance(outcome, Exited)
    assert outcome.code == 0
