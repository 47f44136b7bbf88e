"""Whether and how an attempt's command can be executed here: working directory, program, environment."""

import os
import shutil
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from catalog.errors import SecretUnavailable
from hooks.launchers.command.attempt_folder import Refusal
from hooks.launchers.command.environment import command_environment, find_faulty_variable
from hooks.launchers.port import Attempt

#: Exit codes of `sh` for a program that cannot be executed, and for one that does not exist (POSIX 2.8.2).
CANNOT_EXECUTE = 126
NOT_FOUND = 127


@dataclass(frozen=True, slots=True)
class Program:
    """What is executed: the arguments exactly as declared, in an existing folder that is allowed."""

    argv: tuple[str, ...]
    working_directory: Path
    environment: Mapping[str, str]


def prepare_program(
    attempt: Attempt, trigger: Path, *, allowed_folders: Sequence[Path], secrets_folder: Path | None
) -> Program | Refusal:
    """Return what to execute, or why it is not executed; nothing is changed."""
    refusal = _find_fault(attempt)
    if refusal is not None:
        return refusal
    directory = _working_directory(attempt.working_directory, allowed_folders)
    if isinstance(directory, Refusal):
        return directory
    try:
        environment = command_environment(attempt, trigger, secrets_folder)
    except SecretUnavailable as exc:
        return Refusal(CANNOT_EXECUTE, exc.message)
    # The shim and the command find this instead of the folder in which the worker was started.
    environment["PWD"] = str(directory)
    refusal = _find_nul(attempt.argv, environment) or _find_program(
        attempt.argv[0], directory, environment["PATH"]
    )
    return refusal or Program(attempt.argv, directory, environment)


def _find_fault(attempt: Attempt) -> Refusal | None:
    """Say what no shell could execute as it is written."""
    if not attempt.argv or not attempt.argv[0]:
        return Refusal(CANNOT_EXECUTE, "the command is empty")
    if attempt.argv[0].startswith("-"):
        return Refusal(
            CANNOT_EXECUTE, f"the name of the program may not begin with a dash: {attempt.argv[0]!r}"
        )
    name = find_faulty_variable(attempt.environment)
    if name is not None:
        return Refusal(CANNOT_EXECUTE, f"expected a variable name of letters, digits and _, found {name!r}")
    return None


def _find_nul(argv: tuple[str, ...], environment: Mapping[str, str]) -> Refusal | None:
    """Say where a NUL character, which the system takes for the end, stands; never show a value."""
    for place, argument in enumerate(argv):
        if "\0" in argument:
            return Refusal(CANNOT_EXECUTE, f"argument {place} of the command holds a NUL character")
    for name, value in environment.items():
        if "\0" in value:
            return Refusal(CANNOT_EXECUTE, f"the value of the variable {name} holds a NUL character")
    return None


def _working_directory(declared: str | None, allowed_folders: Sequence[Path]) -> Path | Refusal:
    """Return the folder, links resolved; a relative one is looked for in each allowed folder in turn."""
    if not allowed_folders:
        return Refusal(
            CANNOT_EXECUTE, "this worker may not run commands: it was started without --allow-commands"
        )
    found: list[Path] = []
    for allowed in allowed_folders:
        try:
            found.append((allowed / (declared or ".")).resolve(strict=True))
        except (OSError, ValueError):
            continue
    inside = [path for path in found if any(path.is_relative_to(allowed) for allowed in allowed_folders)]
    folders = ", ".join(str(allowed) for allowed in allowed_folders)
    if found and not inside:
        return Refusal(
            CANNOT_EXECUTE,
            f"the working directory {str(found[0])!r} is in no folder where commands are allowed ({folders})",
        )
    if not inside:
        return Refusal(
            NOT_FOUND, f"the working directory {declared!r} does not exist (allowed folders: {folders})"
        )
    if not inside[0].is_dir():
        return Refusal(NOT_FOUND, f"the working directory {str(inside[0])!r} is no folder")
    return inside[0]


def _find_program(name: str, directory: Path, search_path: str) -> Refusal | None:
    """Say why the program cannot be executed; None where it can, as far as can be seen."""
    if "/" in name:
        path = directory / name
        if not path.exists():
            return Refusal(NOT_FOUND, f"the program {name!r} does not exist in {directory}")
        if path.is_dir() or not os.access(path, os.X_OK):
            return Refusal(CANNOT_EXECUTE, f"the program {name!r} in {directory} is not executable")
        return None
    if shutil.which(name, path=search_path) is None:
        return Refusal(NOT_FOUND, f"the program {name!r} is not on PATH ({search_path})")
    return None
