"""Options that many commands share, and the settings that they and the environment make."""

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, TypeVar

import typer
from pydantic import ValidationError
from pydantic_settings import SettingsError

from catalog.errors import ConfigurationError
from catalog.settings import ClientSettings, FromEnvironment, Settings

Read = TypeVar("Read", bound=FromEnvironment)

DEFAULT_URL = "http://127.0.0.1:8642"

Url = Annotated[
    str | None,
    typer.Option(
        "--url",
        envvar="HEADWATER_URL",
        metavar="URL",
        help="The server to ask; default is the one that `up` runs on the data folder, else http://127.0.0.1:8642.",
    ),
]
DataDir = Annotated[
    Path | None,
    typer.Option(
        "--data-dir",
        envvar="HEADWATER_DATA_DIR",
        metavar="DIR",
        help="The data folder of `headwater up`; default is the platform's user data folder.",
    ),
]
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON on stdout and nothing else.")]
PipelineName = Annotated[str, typer.Argument(metavar="PIPELINE", help="Name of the pipeline.")]
RunName = Annotated[
    str,
    typer.Argument(
        metavar="RUN",
        help="UUID of the run, the beginning of it (4 characters at least), PIPELINE/NUMBER, or `last`.",
    ),
]

HostOption = Annotated[
    str | None, typer.Option(help="Address to listen on; beyond loopback tokens are needed.")
]
PortOption = Annotated[int | None, typer.Option(help="Port to listen on; 0 takes a free one.")]
ServerDataDir = Annotated[
    Path | None, typer.Option("--data-dir", help="Folder of database, runs and local token.")
]
CommandsOption = Annotated[
    list[Path] | None,
    typer.Option("--allow-commands", help="Folder in which `command` pipelines may run; may be repeated."),
]


def server_options(
    host: str | None, port: int | None, data_dir: Path | None, allow_commands: list[Path] | None
) -> dict[str, object]:
    """Return the settings that the command line of a server names; its folders are absolute."""
    given = {"host": host, "port": port, "data_dir": data_dir and data_dir.absolute()}
    found: dict[str, object] = {name: value for name, value in given.items() if value is not None}
    if allow_commands:
        found["allow_commands"] = [folder.absolute() for folder in allow_commands]
    return found


def group(purpose: str) -> typer.Typer:
    """Return an app for commands that stand below one name; their help is Markdown, as their docstrings are."""
    return typer.Typer(no_args_is_help=True, help=purpose, rich_markup_mode="markdown", add_completion=False)


def settings_with(overrides: Mapping[str, object]) -> Settings:
    """Return the settings of the environment, with the options that are not None in place of its variables.

    Raises `ConfigurationError` that names what does not fit.
    """
    return _read(Settings, {name: value for name, value in overrides.items() if value is not None})


def client_settings() -> ClientSettings:
    """Return the settings of a client; raise `ConfigurationError` that names what does not fit."""
    return _read(ClientSettings, {})


def _read(kind: type[Read], given: dict[str, Any]) -> Read:
    try:
        return kind(**given)
    except ValidationError as error:
        raise ConfigurationError(
            "; ".join(_fault(fault["loc"], fault["msg"]) for fault in error.errors())
        ) from error
    except SettingsError as error:
        raise ConfigurationError(str(error)) from error


def settings_of(data_dir: Path | None) -> Settings:
    """Return the settings of the environment on the data folder, if one is given."""
    return settings_with({"data_dir": None if data_dir is None else data_dir.expanduser().absolute()})


def _fault(location: tuple[int | str, ...], message: str) -> str:
    # The value is not repeated: it may be a URL with a password.
    if not location:
        return message.removeprefix("Value error, ")
    return f"HEADWATER_{'_'.join(str(part) for part in location).upper()}: {message}"
