"""The command launcher with real processes: one attempt from start to end."""

import asyncio
import json
import os
import signal
import sys
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from signal import SIGHUP, SIGINT, SIGQUIT

import pytest

from hooks.launchers.command import CommandLauncher, do_not_bequeath_ignored_signals
from hooks.launchers.port import Attempt, Exited, NotStarted, Outcome, Running, SecretReference, Started
from tests.support.attempts import eventually, make_attempt, make_launcher


@pytest.fixture
def launcher(tmp_path: Path) -> CommandLauncher:
    return make_launcher(tmp_path / "runs", tmp_path)


def run(launcher: CommandLauncher, attempt: Attempt) -> Outcome:
    launcher.start(attempt)
    return asyncio.run(launcher.wait(attempt.run_id, attempt.number, 20))


def output_of(launcher: CommandLauncher, attempt: Attempt) -> str:
    return launcher.output(attempt.run_id, attempt.number).head.decode()


def test_an_attempt_goes_from_not_started_over_running_to_exited(launcher: CommandLauncher) -> None:
    attempt = make_attempt("sh", "-c", "sleep 0.3; echo done; exit 3")
    assert launcher.ask(attempt.run_id, 1) == NotStarted()

    started = launcher.start(attempt)
    assert isinstance(started, Started)
    running = launcher.ask(attempt.run_id, 1)
    assert isinstance(running, Running)
    assert running.pid == started.pid

    # Waiting less long than it takes says so; waiting long enough gives the end.
    assert isinstance(asyncio.run(launcher.wait(attempt.run_id, 1, 0.05)), Running)
    ended = asyncio.run(launcher.wait(attempt.run_id, 1, 20))
    assert isinstance(ended, Exited)
    assert (ended.code, ended.signal, ended.reason) == (3, None, None)
    assert ended.started_at is not None
    assert 0.25 < (ended.ended_at - ended.started_at).total_seconds() < 5
    assert output_of(launcher, attempt) == "done\n"

    # Starting what has ended says how it ended and runs nothing.
    assert launcher.start(attempt) == ended
    assert output_of(launcher, attempt) == "done\n"


def test_no_attempt_ends_before_it_started(launcher: CommandLauncher) -> None:
    for _ in range(20):
        attempt = make_attempt("true")
        started = launcher.start(attempt)
        assert isinstance(started, Started)
        ended = asyncio.run(launcher.wait(attempt.run_id, 1, 20))
        assert isinstance(ended, Exited)
        assert ended.started_at is not None
        assert started.started_at <= ended.started_at <= ended.ended_at


def test_an_attempt_that_another_call_started_is_running(launcher: CommandLauncher, tmp_path: Path) -> None:
    attempt = make_attempt("sh", "-c", "echo x >> count; sleep 0.3")
    launcher.start(attempt)
    eventually((tmp_path / "count").exists)
    assert isinstance(launcher.start(attempt), Running)
    assert isinstance(asyncio.run(launcher.wait(attempt.run_id, 1, 20)), Exited)
    assert (tmp_path / "count").read_text() == "x\n"


def test_each_attempt_of_a_run_is_its_own(launcher: CommandLauncher) -> None:
    first = make_attempt("sh", "-c", "echo $HEADWATER_ATTEMPT; exit 1")
    second = replace(first, number=2)
    assert isinstance(run(launcher, first), Exited)
    assert isinstance(run(launcher, second), Exited)
    assert (output_of(launcher, first), output_of(launcher, second)) == ("1\n", "2\n")


def test_wait_returns_within_20_ms_of_the_end(launcher: CommandLauncher) -> None:
    delays = []
    for _ in range(5):
        attempt = make_attempt("sh", "-c", "sleep 0.1; date +%s.%N")
        assert isinstance(run(launcher, attempt), Exited)
        delays.append(time.time() - float(output_of(launcher, attempt)))
    # The best of five: the machine may be busy with something else.
    assert min(delays) < 0.02, delays


def test_many_waits_share_one_loop(launcher: CommandLauncher) -> None:
    attempts = [make_attempt("sh", "-c", f"sleep 0.2; exit {code}") for code in range(10)]

    async def wait_for_all() -> list[Outcome]:
        for attempt in attempts:
            launcher.start(attempt)
        return await asyncio.gather(*(launcher.wait(attempt.run_id, 1, 20) for attempt in attempts))

    outcomes = asyncio.run(wait_for_all())
    assert [outcome.code for outcome in outcomes if isinstance(outcome, Exited)] == list(range(10))


def test_arguments_arrive_exactly(launcher: CommandLauncher) -> None:
    arguments = [
        "two words",
        "",
        "'single' \"double\"",
        "$HOME `id` \\n *",
        "línea\nnächste\t—",
        "-n",
        "🌊",
        "a=b;#",
    ]
    program = "import json, sys; print(json.dumps(sys.argv[1:]))"
    attempt = make_attempt(sys.executable, "-c", program, *arguments)
    assert isinstance(run(launcher, attempt), Exited)
    assert json.loads(output_of(launcher, attempt)) == arguments


def test_a_program_that_is_also_a_shell_builtin_is_the_program(launcher: CommandLauncher) -> None:
    attempt = make_attempt("printf", "%s|", "exec", "a b")
    assert isinstance(run(launcher, attempt), Exited)
    assert output_of(launcher, attempt) == "exec|a b|"


def test_a_signal_that_ends_the_command_is_told(launcher: CommandLauncher) -> None:
    ended = run(launcher, make_attempt("sh", "-c", "kill -SEGV $$"))
    assert isinstance(ended, Exited)
    assert (ended.code, ended.signal) == (128 + 11, 11)


def test_a_command_that_signals_its_whole_group_is_still_witnessed(launcher: CommandLauncher) -> None:
    attempt = make_attempt("sh", "-c", "echo before; kill -TERM 0; sleep 5")
    ended = run(launcher, attempt)
    assert isinstance(ended, Exited)
    assert (ended.code, ended.signal) == (128 + 15, 15)
    assert output_of(launcher, attempt) == "before\n"


def test_the_environment_is_clean(
    launcher: CommandLauncher, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("DATABASE_PASSWORD", "hunter2")
    monkeypatch.setenv("HEADWATER_SECRET_KEY", "k3y")
    monkeypatch.setenv("HEADWATER_DATABASE_URL", "postgresql://u:p@h/d")
    monkeypatch.setenv("PYTHONPATH", "/elsewhere")
    attempt = make_attempt("env", "-0", environment={"MODE": "füll\nlauf", "pid": "mine"})
    assert isinstance(run(launcher, attempt), Exited)

    pairs = [entry.partition("=")[::2] for entry in output_of(launcher, attempt).split("\0") if entry]
    seen = dict(pairs)
    assert seen["MODE"] == "füll\nlauf"
    assert seen["pid"] == "mine"
    assert seen["PWD"] == str(tmp_path)
    context = json.loads(seen["OPENLINEAGE_CONTEXT"])["parent"]
    assert context["run"] == {"runId": str(attempt.run_id)}
    assert context["job"] == {"namespace": "headwater", "name": "orders"}
    inherited = {
        "PATH",
        "HOME",
        "USER",
        "LOGNAME",
        "SHELL",
        "LANG",
        "LANGUAGE",
        "TZ",
        "TMPDIR",
        "VIRTUAL_ENV",
    }
    shell_adds = {"PWD", "OLDPWD", "SHLVL", "_"}
    extra = {name for name in seen if not name.startswith(("OPENLINEAGE_", "HEADWATER_", "LC_"))}
    assert extra - inherited - shell_adds == {"MODE", "pid"}
    assert {name for name in seen if name.startswith("HEADWATER_")} == {
        "HEADWATER_URL",
        "HEADWATER_RUN_ID",
        "HEADWATER_ATTEMPT",
        "HEADWATER_TRIGGER",
    }


def test_the_command_reads_its_trigger_and_nobody_else_does(launcher: CommandLauncher) -> None:
    attempt = make_attempt("sh", "-c", 'cat "$HEADWATER_TRIGGER"; stat -c %a "$HEADWATER_TRIGGER"')
    assert isinstance(run(launcher, attempt), Exited)
    assert output_of(launcher, attempt) == '{"versions":[]}600\n'


def test_the_command_inherits_no_open_file(launcher: CommandLauncher, tmp_path: Path) -> None:
    with (tmp_path / "open").open("w") as file:
        import os

        os.set_inheritable(file.fileno(), True)
        attempt = make_attempt(
            sys.executable, "-c", "import os; print(sorted(os.listdir('/proc/self/fd'), key=int))"
        )
        assert isinstance(run(launcher, attempt), Exited)
    # The fourth is the listing's own.
    assert output_of(launcher, attempt) == "['0', '1', '2', '3']\n"


def test_the_command_leads_no_terminal_and_reads_nothing(launcher: CommandLauncher) -> None:
    program = "import os, sys; print(os.getsid(0) == os.getppid(), sys.stdin.read() == '')"
    attempt = make_attempt(sys.executable, "-c", program)
    assert isinstance(run(launcher, attempt), Exited)
    assert output_of(launcher, attempt) == "True True\n"


@pytest.fixture
def ignoring() -> Iterator[None]:
    """This process ignores signals, as one does that a script started with `nohup` or `&`."""
    before = {number: signal.signal(number, signal.SIG_IGN) for number in (SIGHUP, SIGINT, SIGQUIT)}
    yield
    for number, handler in before.items():
        signal.signal(number, handler)


@pytest.mark.usefixtures("ignoring")
def test_signals_have_their_default_effect_in_the_command(launcher: CommandLauncher) -> None:
    do_not_bequeath_ignored_signals()
    os.kill(os.getpid(), SIGHUP)  # ignored still
    program = (
        "import signal; names = ('INT', 'QUIT', 'TERM', 'HUP', 'USR1');"
        "print([signal.getsignal(signal.Signals['SIG' + name]) in"
        " (signal.SIG_DFL, signal.default_int_handler) for name in names], signal.pthread_sigmask(0, ()))"
    )
    attempt = make_attempt(sys.executable, "-c", program)
    assert isinstance(run(launcher, attempt), Exited)
    assert output_of(launcher, attempt) == "[True, True, True, True, True] set()\n"


def test_a_secret_reaches_the_command_and_no_file(
    launcher: CommandLauncher, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("HEADWATER_SECRET_TOKEN", "t0ken-from-env")
    (tmp_path / "secrets").mkdir()
    (tmp_path / "secrets" / "password").write_text("pa55 word\n")
    attempt = make_attempt(
        "sh",
        "-c",
        'test "$TOKEN" = t0ken-from-env && test "$PASSWORD" = "pa55 word"',
        environment={
            "TOKEN": SecretReference.parse("env:HEADWATER_SECRET_TOKEN"),
            "PASSWORD": SecretReference.parse("file:password"),
        },
    )
    ended = run(launcher, attempt)
    assert isinstance(ended, Exited)
    assert ended.code == 0
    written = b"".join(path.read_bytes() for path in (tmp_path / "runs").rglob("*") if path.is_file())
    assert b"t0ken" not in written
    assert b"pa55" not in written


def test_run_folders_are_private(launcher: CommandLauncher, tmp_path: Path) -> None:
    assert isinstance(run(launcher, make_attempt("true")), Exited)
    folders = [tmp_path / "runs", *(tmp_path / "runs").iterdir()]
    assert [folder.stat().st_mode & 0o777 for folder in folders] == [0o700, 0o700]


def test_a_shim_that_has_ended_is_reaped(launcher: CommandLauncher) -> None:
    attempt = make_attempt("true")
    assert isinstance(run(launcher, attempt), Exited)
    eventually(lambda: launcher.ask(attempt.run_id, 1) and not launcher._spawned)
