"""Commands that cannot or may not be executed: a clear reason, once and for all, and nothing spawned."""

import asyncio
from dataclasses import replace
from pathlib import Path

import pytest

from hooks.launchers.command import CommandLauncher
from hooks.launchers.port import Attempt, Exited, SecretReference
from tests.support.attempts import make_attempt, make_launcher


@pytest.fixture
def allowed(tmp_path: Path) -> Path:
    folder = tmp_path / "allowed"
    (folder / "project").mkdir(parents=True)
    return folder


@pytest.fixture
def launcher(tmp_path: Path, allowed: Path) -> CommandLauncher:
    return make_launcher(tmp_path / "runs", allowed)


def refused(launcher: CommandLauncher, attempt: Attempt) -> tuple[int, str]:
    """Return code and reason of an attempt that was refused, having checked that it stays so."""
    outcome = launcher.start(attempt)
    assert isinstance(outcome, Exited)
    assert outcome.started_at is None
    assert outcome.signal is None
    assert outcome.reason is not None
    assert launcher.ask(attempt.run_id, 1) == outcome
    assert launcher.start(attempt) == outcome
    assert launcher.start(replace(attempt, argv=("true",), working_directory=None, environment={})) == outcome
    return outcome.code, outcome.reason


def code_of(launcher: CommandLauncher, attempt: Attempt) -> int:
    launcher.start(attempt)
    outcome = asyncio.run(launcher.wait(attempt.run_id, 1, 20))
    assert isinstance(outcome, Exited)
    return outcome.code


@pytest.mark.parametrize("declared", ["..", "/", "/etc", "project/../..", "link-out", "project/link-out"])
def test_a_working_directory_outside_the_allowed_folders_is_refused(
    launcher: CommandLauncher, allowed: Path, tmp_path: Path, declared: str
) -> None:
    (allowed / "link-out").symlink_to(tmp_path)
    (allowed / "project" / "link-out").symlink_to("/usr")
    attempt = make_attempt("touch", str(tmp_path / "touched"), working_directory=declared)
    code, reason = refused(launcher, attempt)
    assert code == 126
    assert "in no folder where commands are allowed" in reason
    assert str(allowed) in reason
    assert not (tmp_path / "touched").exists()


def test_a_folder_whose_name_begins_like_an_allowed_one_is_outside(
    launcher: CommandLauncher, allowed: Path
) -> None:
    (allowed.parent / "allowed-not").mkdir()
    attempt = make_attempt("true", working_directory=str(allowed.parent / "allowed-not"))
    assert refused(launcher, attempt)[0] == 126


@pytest.mark.parametrize("declared", [None, ".", "project", "project/..", "link-in"])
def test_a_working_directory_inside_is_entered(
    launcher: CommandLauncher, allowed: Path, declared: str | None
) -> None:
    (allowed / "link-in").symlink_to(allowed / "project")
    attempt = make_attempt("pwd", "-P", working_directory=declared)
    assert code_of(launcher, attempt) == 0
    expected = (allowed / (declared or ".")).resolve()
    assert launcher.output(attempt.run_id, 1).head.decode() == f"{expected}\n"


def test_a_relative_working_directory_is_looked_for_in_each_allowed_folder(
    tmp_path: Path, allowed: Path
) -> None:
    (tmp_path / "second" / "only-here").mkdir(parents=True)
    launcher = CommandLauncher(
        tmp_path / "runs",
        output_bytes=1000,
        allowed_folders=[allowed, tmp_path / "second"],
        secrets_folder=None,
    )
    assert code_of(launcher, make_attempt("true", working_directory="only-here")) == 0


def test_a_worker_without_allowed_folders_runs_nothing(tmp_path: Path) -> None:
    launcher = CommandLauncher(tmp_path / "runs", output_bytes=1000, allowed_folders=[], secrets_folder=None)
    assert refused(launcher, make_attempt("true")) == (
        126,
        "this worker may not run commands: it was started without --allow-commands",
    )


def test_a_working_directory_that_does_not_exist_is_named(launcher: CommandLauncher) -> None:
    code, reason = refused(launcher, make_attempt("true", working_directory="nowhere"))
    assert code == 127
    assert "'nowhere' does not exist" in reason


def test_a_working_directory_that_is_a_file_is_named(launcher: CommandLauncher, allowed: Path) -> None:
    (allowed / "file").touch()
    code, reason = refused(launcher, make_attempt("true", working_directory="file"))
    assert code == 127
    assert "is no folder" in reason


def test_a_program_that_is_not_on_path_is_named(launcher: CommandLauncher) -> None:
    code, reason = refused(launcher, make_attempt("no-such-program", "argument"))
    assert code == 127
    assert "'no-such-program' is not on PATH" in reason


def test_a_program_that_is_no_file_of_the_working_directory_is_named(launcher: CommandLauncher) -> None:
    code, reason = refused(launcher, make_attempt("./no-such-program"))
    assert code == 127
    assert "'./no-such-program' does not exist" in reason


def test_a_program_that_is_not_executable_is_named(launcher: CommandLauncher, allowed: Path) -> None:
    (allowed / "script").write_text("echo hello\n")
    code, reason = refused(launcher, make_attempt("./script"))
    assert code == 126
    assert "'./script' in" in reason
    assert "is not executable" in reason
    assert refused(launcher, make_attempt("./project"))[0] == 126


def test_a_program_of_the_working_directory_is_executed(launcher: CommandLauncher, allowed: Path) -> None:
    script = allowed / "project" / "step"
    script.write_text("#!/bin/sh\nexit 9\n")
    script.chmod(0o700)
    assert code_of(launcher, make_attempt("./step", working_directory="project")) == 9


def test_a_program_is_looked_up_on_the_path_of_the_document(launcher: CommandLauncher, allowed: Path) -> None:
    script = allowed / "project" / "step"
    script.write_text("#!/bin/sh\nexit 9\n")
    script.chmod(0o700)
    path = f"{allowed / 'project'}:/usr/bin:/bin"
    assert code_of(launcher, make_attempt("step", environment={"PATH": path})) == 9


def test_a_program_with_a_missing_interpreter_fails_as_in_a_shell(
    launcher: CommandLauncher, allowed: Path
) -> None:
    script = allowed / "step"
    script.write_text("#!/no/such/interpreter\n")
    script.chmod(0o700)
    attempt = make_attempt("./step")
    assert code_of(launcher, attempt) in {126, 127}
    assert b"step" in launcher.output(attempt.run_id, 1).head


@pytest.mark.parametrize("argv", [(), ("",), ("-x",)])
def test_a_command_that_is_none_is_refused(launcher: CommandLauncher, argv: tuple[str, ...]) -> None:
    assert refused(launcher, make_attempt(*argv))[0] == 126


def test_a_nul_character_is_refused_without_showing_the_value(
    launcher: CommandLauncher, allowed: Path
) -> None:
    assert refused(launcher, make_attempt("true", "a\0b")) == (
        126,
        "argument 1 of the command holds a NUL character",
    )
    (allowed / "secrets").mkdir()
    (allowed / "secrets" / "key").write_text("hid\0den")
    attempt = make_attempt("true", environment={"KEY": SecretReference.parse("file:key")})
    assert refused(launcher, attempt) == (126, "the value of the variable KEY holds a NUL character")


@pytest.mark.parametrize("name", ["", "1A", "A-B", "A.B", "A=B", "Ä"])
def test_a_variable_that_a_shell_would_drop_is_refused(launcher: CommandLauncher, name: str) -> None:
    code, reason = refused(launcher, make_attempt("true", environment={name: "value"}))
    assert code == 126
    assert "expected a variable name" in reason


def test_arguments_that_the_system_does_not_take_are_refused(launcher: CommandLauncher) -> None:
    code, reason = refused(launcher, make_attempt("true", "x" * 3_000_000))
    assert code == 126
    assert "longer than the system allows" in reason


def test_a_missing_secret_is_named_and_nothing_is_executed(launcher: CommandLauncher, tmp_path: Path) -> None:
    reference = SecretReference.parse("env:HEADWATER_SECRET_ABSENT")
    attempt = make_attempt("touch", str(tmp_path / "touched"), environment={"TOKEN": reference})
    assert refused(launcher, attempt) == (
        126,
        "the secret env:HEADWATER_SECRET_ABSENT is not in the worker's environment",
    )
    assert not (tmp_path / "touched").exists()


def test_the_identity_of_the_run_is_not_for_the_document_to_say(launcher: CommandLauncher) -> None:
    attempt = make_attempt(
        "env",
        environment={
            "HEADWATER_RUN_ID": "forged",
            "OPENLINEAGE_PARENT_ID": "forged",
            "OPENLINEAGE_NAMESPACE": "chosen",
        },
    )
    assert code_of(launcher, attempt) == 0
    output = launcher.output(attempt.run_id, 1).head.decode()
    assert "forged" not in output
    assert "OPENLINEAGE_NAMESPACE=chosen\n" in output
