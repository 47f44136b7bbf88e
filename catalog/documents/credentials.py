"""Warnings about values of a document that look like a credential written out."""

import re
from collections.abc import Iterator
from dataclasses import dataclass

from catalog.documents.faults import Path, pointer
from catalog.documents.pipeline import Pipeline
from catalog.redaction import holds_address_with_password

_SECRET_NAME = re.compile(
    r"(?:^|_)(?:PASSWORD|PASSWD|PWD|PASSPHRASE|SECRET|TOKEN|API_?KEY|ACCESS_?KEY|PRIVATE_?KEY|CREDENTIALS?)(?:_|$)",
    re.IGNORECASE,
)
_SECRET_OPTION = re.compile(r"--?([A-Za-z][\w-]*)=.+", re.DOTALL)
_ADVICE = "name a secret instead, as {secret: env:HEADWATER_SECRET_NAME} in environment"


@dataclass(frozen=True, slots=True)
class DocumentWarning:
    """Something that is allowed and most likely a mistake."""

    pointer: str
    message: str


def credential_warnings(pipeline: Pipeline) -> list[DocumentWarning]:
    """Return a warning for each value that looks like a credential; none of them shows the value."""
    return list(_warnings(pipeline))


def _warnings(pipeline: Pipeline) -> Iterator[DocumentWarning]:
    command = pipeline.spec.launch.command
    at: Path = ("spec", "launch", "command")
    for name, value in command.environment.items():
        if not isinstance(value, str) or not value:
            continue
        if _SECRET_NAME.search(name):
            yield _warning((*at, "environment", name), f"{name} looks like a credential")
        elif holds_address_with_password(value):
            yield _warning((*at, "environment", name), f"{name} holds an address with a password")
    for index, argument in enumerate(command.argv):
        option = _SECRET_OPTION.fullmatch(argument)
        if option is not None and _SECRET_NAME.search(option[1].replace("-", "_")):
            yield _warning((*at, "argv", index), f"option {option[1]} looks like a credential")
        elif holds_address_with_password(argument):
            yield _warning((*at, "argv", index), "an argument holds an address with a password")


def _warning(path: Path, message: str) -> DocumentWarning:
    return DocumentWarning(pointer(path), f"{message}: {_ADVICE}")
