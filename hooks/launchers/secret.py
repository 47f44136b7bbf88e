"""Secrets that documents name and launchers read at the moment of use; no value is ever stored or logged."""

import os
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from catalog.errors import InvalidInput, SecretUnavailable

#: Only variables with this prefix can be named, so that no document reads another secret of the worker.
ENVIRONMENT_PREFIX = "HEADWATER_SECRET_"

_FILE_NAME = re.compile(r"[A-Za-z0-9_-][A-Za-z0-9._-]{0,254}")
_VARIABLE_NAME = re.compile(ENVIRONMENT_PREFIX + r"[A-Za-z0-9_]{1,200}")


@dataclass(frozen=True, slots=True)
class SecretReference:
    """The name of a secret: a variable of the worker's environment, or a file in the secrets folder."""

    source: Literal["env", "file"]
    name: str

    @classmethod
    def parse(cls, text: str) -> "SecretReference":
        """Read `env:HEADWATER_SECRET_NAME` or `file:NAME`; raise `InvalidInput` for anything else."""
        source, _, name = text.partition(":")
        if source == "env" and _VARIABLE_NAME.fullmatch(name):
            return cls("env", name)
        if source == "file" and _FILE_NAME.fullmatch(name):
            return cls("file", name)
        message = (
            "expected env:HEADWATER_SECRET_NAME, or file:NAME with letters, digits, dot, dash and underscore"
        )
        raise InvalidInput(f"{message}, found {text[:200]!r}")

    def __str__(self) -> str:
        return f"{self.source}:{self.name}"

    def read(self, secrets_folder: Path | None) -> str:
        """Return the secret's value now, without the one newline that ends a file.

        Raises `SecretUnavailable`, which names the secret and never shows a value.
        """
        if self.source == "env":
            value = os.environ.get(self.name)
            if value is None:
                raise SecretUnavailable(
                    f"the secret {self} is not in the worker's environment", secret=str(self)
                )
            return value
        return self._read_file(secrets_folder)

    def _read_file(self, secrets_folder: Path | None) -> str:
        if secrets_folder is None:
            raise SecretUnavailable(
                f"the secret {self} needs a secrets folder, and none is set", secret=str(self)
            )
        try:
            path = (secrets_folder / self.name).resolve(strict=True)
            # Mounted secrets are links within their folder; a link that leads out of it is no secret of ours.
            if not path.is_relative_to(secrets_folder.resolve(strict=True)):
                raise SecretUnavailable(
                    f"the secret {self} leads out of the secrets folder", secret=str(self)
                )
            value = path.read_text("utf-8")
        except (OSError, UnicodeDecodeError) as exc:
            # `from None`: the text of a decoding error holds the bytes of the secret.
            cause = exc.strerror if isinstance(exc, OSError) else "it is not UTF-8"
            raise SecretUnavailable(f"the secret {self} cannot be read: {cause}", secret=str(self)) from None
        return value.removesuffix("\n").removesuffix("\r")
