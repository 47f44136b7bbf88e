"""Where settings come from: the command line, else a variable, else a file that a variable names, else the default.

A secret may come from a file: `HEADWATER_NAME_FILE` names it, as orchestrators mount secrets. `NAME` and `NAME_FILE`
together are a mistake that would leave open which counts, and are refused.
"""

import os
from collections.abc import Collection
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Any, get_args

from pydantic import SecretStr
from pydantic.fields import FieldInfo
from pydantic_settings import BaseSettings, PydanticBaseSettingsSource

from catalog.errors import ConfigurationError, SecretUnavailable

FILE_SUFFIX = "_FILE"
#: No secret is longer, in bytes; whoever names a database dump by mistake is told so.
LARGEST_SECRET = 64 * 1024


class OriginKind(StrEnum):
    """From where a setting has its value."""

    DEFAULT = "default"
    ENVIRONMENT = "environment"
    FILE = "file"
    COMMAND_LINE = "command-line"


@dataclass(frozen=True, slots=True)
class Origin:
    """From where one setting has its value; `variable` is the one that holds it or names the file with it."""

    kind: OriginKind
    variable: str | None = None
    file: str | None = None


def variable_of(settings: type[BaseSettings], name: str) -> str:
    """Return the environment variable of the setting."""
    return f"{settings.model_config['env_prefix']}{name}".upper()


def secret_settings(settings: type[BaseSettings]) -> frozenset[str]:
    """Return the names of the settings that are secrets."""
    return frozenset(name for name, field in settings.model_fields.items() if _is_secret(field))


def _is_secret(field: FieldInfo) -> bool:
    return SecretStr in (field.annotation, *get_args(field.annotation))


def _found(variable: str) -> tuple[str, str] | None:
    """Return name and value of the variable, however its name is written; an empty one counts as not set."""
    if value := os.environ.get(variable):
        return variable, value
    return next(
        ((name, value) for name, value in os.environ.items() if name.upper() == variable and value), None
    )


class SecretFiles(PydanticBaseSettingsSource):
    """Reads each secret setting whose variable with `_FILE` at its end names a file."""

    def get_field_value(self, field: FieldInfo, field_name: str) -> tuple[Any, str, bool]:
        """Return the value of the setting, None where no file is named for it."""
        if not _is_secret(field):
            return None, field_name, False
        variable = variable_of(self.settings_cls, field_name)
        named = _found(variable + FILE_SUFFIX)
        if named is None:
            return None, field_name, False
        if _found(variable) is not None:
            raise ConfigurationError(f"expected either {variable} or {variable}{FILE_SUFFIX}, found both")
        return read_secret(*named), field_name, False

    def __call__(self) -> dict[str, Any]:
        """Return what files hold; raises `ConfigurationError`, of which `SecretUnavailable` is one."""
        values = {
            name: self.get_field_value(field, name)[0]
            for name, field in self.settings_cls.model_fields.items()
        }
        return {name: value for name, value in values.items() if value is not None}


def read_secret(variable: str, file: str) -> str:
    """Return the file's text without the newline that ends it; `variable` is what named the file.

    Raises `SecretUnavailable`, which shows nothing of the file.
    """
    try:
        with Path(file).open("rb") as stream:
            content = stream.read(LARGEST_SECRET + 1)
    except (OSError, ValueError) as error:
        cause = error.strerror if isinstance(error, OSError) else "it is no path"
        raise SecretUnavailable(f"{variable}: expected to read the file {file!r}: {cause}") from error
    if len(content) > LARGEST_SECRET:
        raise SecretUnavailable(
            f"{variable}: expected at most {LARGEST_SECRET} bytes in {file!r}, found more"
        )
    try:
        value = content.decode().removesuffix("\n").removesuffix("\r")
    except UnicodeDecodeError:
        # `from None`: the text of a decoding error holds the bytes of the secret.
        raise SecretUnavailable(f"{variable}: expected UTF-8 in the file {file!r}") from None
    if not value:
        raise SecretUnavailable(f"{variable}: expected a secret in the file {file!r}, found it empty")
    return value


def origins(settings: type[BaseSettings], given: Collection[str]) -> dict[str, Origin]:
    """Return from where each setting has its value, `given` being those that the command line named."""
    return {name: _origin(settings, name, given) for name in settings.model_fields}


def _origin(settings: type[BaseSettings], name: str, given: Collection[str]) -> Origin:
    if name in given:
        return Origin(OriginKind.COMMAND_LINE)
    variable = variable_of(settings, name)
    if (found := _found(variable)) is not None:
        return Origin(OriginKind.ENVIRONMENT, found[0])
    if name in secret_settings(settings) and (found := _found(variable + FILE_SUFFIX)) is not None:
        return Origin(OriginKind.FILE, *found)
    return Origin(OriginKind.DEFAULT)


def variables_of(settings: type[BaseSettings]) -> frozenset[str]:
    """Return every environment variable that the settings are read from."""
    names = {variable_of(settings, name) for name in settings.model_fields}
    return frozenset(
        names | {variable_of(settings, name) + FILE_SUFFIX for name in secret_settings(settings)}
    )
