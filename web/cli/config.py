"""`headwater config`: what each setting is here, and where it comes from."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from pydantic import SecretStr
from pydantic_settings import BaseSettings
from rich.text import Text

from catalog.redaction import MARK, redact_text
from catalog.setting_sources import Origin, OriginKind, origins, secret_settings, variable_of
from catalog.unknown_settings import unknown_variables
from web.cli.logs import log_to_stderr
from web.cli.options import (
    AsJson,
    CommandsOption,
    HostOption,
    PortOption,
    ServerDataDir,
    client_settings,
    group,
    server_options,
    settings_with,
)
from web.cli.output import cell, print_json, print_table, warn

config = group("Show settings and where they come from.")


@dataclass(frozen=True, slots=True)
class ShownSetting:
    """One setting as it may be shown."""

    name: str
    value: Any
    origin: Origin
    variable: str
    secret: bool
    description: str


@config.command("show")
def show(
    host: HostOption = None,
    port: PortOption = None,
    data_dir: ServerDataDir = None,
    allow_commands: CommandsOption = None,
    *,
    as_json: AsJson = False,
) -> None:
    """Show every setting that a start with these options and this environment would have, and from where.

    The options are those of `up`, `serve` and `worker`. Secrets are masked, and so are passwords within URLs. A
    variable that begins like a setting and is none is named on stderr.
    """
    log_to_stderr()
    given = server_options(host, port, data_dir, allow_commands)
    shown = [*shown_settings(settings_with(given), given), *shown_settings(client_settings(), {})]
    unknown = unknown_variables()
    if as_json:
        print_json(
            {
                "settings": [_members(found) for found in shown],
                "unknown": [asdict(found) for found in unknown],
            }
        )
        return
    print_table(["SETTING", "VALUE", "FROM"], [_row(found) for found in shown])
    for variable in unknown:
        warn(str(variable))


def shown_settings(settings: BaseSettings, given: Mapping[str, object]) -> Iterator[ShownSetting]:
    """Yield each setting with its value as it may be shown; `given` are those of the command line."""
    kind = type(settings)
    secrets, found = secret_settings(kind), origins(kind, given)
    for name, field in kind.model_fields.items():
        yield ShownSetting(
            name=name,
            value=masked(name, getattr(settings, name)),
            origin=found[name],
            variable=variable_of(kind, name),
            secret=name in secrets,
            description=field.description or "",
        )


def masked(name: str, value: object) -> Any:
    """Return the value of a setting for JSON and for people, with nothing secret in it."""
    match value:
        case SecretStr():
            text = value.get_secret_value()
            # Of a URL the password alone is secret, and where it leads to is what one looks for. A second @ would
            # leave open where the password ends.
            is_plain_url = name.endswith("_url") and "://" in text and text.count("@") <= 1
            return redact_text(text) if is_plain_url else MARK
        case None | bool() | int() | float():
            return value
        case list():
            return [masked(name, item) for item in value]
        case _:
            return redact_text(str(value))


def _members(found: ShownSetting) -> dict[str, Any]:
    return {
        "name": found.name,
        "value": found.value,
        "source": found.origin.kind.value,
        "variable": found.origin.variable or found.variable,
        "file": found.origin.file,
        "secret": found.secret,
        "description": found.description,
    }


def _row(found: ShownSetting) -> Sequence[Text]:
    style = "" if found.origin.kind is OriginKind.DEFAULT else "bold"
    return [cell(found.name, style), cell(_value(found.value)), cell(_from(found.origin), style or "dim")]


def _value(value: Any) -> str:
    if isinstance(value, list):
        return ", ".join(str(item) for item in value) or "none"
    return "none" if value is None else str(value)


def _from(origin: Origin) -> str:
    match origin.kind:
        case OriginKind.ENVIRONMENT:
            return str(origin.variable)
        case OriginKind.FILE:
            return f"{origin.variable}={origin.file}"
        case OriginKind.COMMAND_LINE:
            return "command line"
        case OriginKind.DEFAULT:
            return "default"
