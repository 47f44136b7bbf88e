"""Texts with variables, such as `https://engine/runs/${run.id}`: values are put into places, never pasted into text.

`${NAME}` stands for a value and `$${` for `${` itself. In a URL every character of a value that could mean anything is
percent-encoded; in a body a text that is one variable becomes the value itself, of whatever type, and in any other text
the value becomes part of that one JSON text. So no value can end the place that it was put into.
"""

import difflib
import re
import urllib.parse
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from catalog.errors import InvalidInput

#: Values of a few safe characters only, which may stand anywhere.
PLAIN_VARIABLES: Mapping[str, str] = {
    "run.id": "the pipeline run's UUID",
    "run.number": "its number among the pipeline's runs",
    "attempt.id": "the attempt's UUID, which is also the idempotency key",
    "attempt.number": "the attempt's number, from 1",
    "pipeline": "the pipeline's name",
    "due.at": "when the run became due",
}
#: Texts (or numbers, or nothing), which may stand in URLs and bodies.
TEXT_VARIABLES: Mapping[str, str] = {
    "reason": "why the run is due",
    "openlineage.url": "where the run reports to",
    "openlineage.namespace": "the namespace that it reports in",
    "openlineage.parent": "its parent, as `OPENLINEAGE_PARENT_ID` has it",
    "version.id": "the newest version consumed",
    "version.time": "that version's time",
    "version.partition": "its partition",
    "version.run": "the run that made it",
    "version.dataset.namespace": "its dataset's namespace",
    "version.dataset.name": "its dataset's name",
}
#: Whole values, which may stand in a body as a text of their own.
VALUE_VARIABLES: Mapping[str, str] = {
    "trigger": "all of it: run, attempt, reason and versions, as `HEADWATER_TRIGGER` has it",
    "trigger.versions": "the versions consumed, oldest first",
}
#: What begins the name of a value that was kept of the engine's answer.
ANSWER = "answer."

_TOKEN = re.compile(r"(\$\$\{)|\$\{([A-Za-z][A-Za-z0-9_.]{0,100})\}|(\$\{)")
_DOTS = frozenset({"", ".", ".."})


@dataclass(frozen=True, slots=True)
class Variable:
    """A place for a value."""

    name: str


Template = tuple[str | Variable, ...]


def parse_template(text: str) -> Template:
    """Return the text as pieces; raise `ValueError` where a `${` begins no variable."""
    pieces: list[str | Variable] = []
    at = 0
    for found in _TOKEN.finditer(text):
        pieces.append(text[at : found.start()])
        at = found.end()
        if found[1]:
            pieces.append("${")
        elif found[2]:
            pieces.append(Variable(found[2]))
        else:
            raise ValueError("expected ${NAME}, or $${ for ${ itself, found ${ and something else")
    pieces.append(text[at:])
    return tuple(piece for piece in pieces if piece != "")


def variables_of(text: str) -> list[str]:
    """Return the names of the variables in the text; raise `ValueError` where it is no template."""
    return [piece.name for piece in parse_template(text) if isinstance(piece, Variable)]


def variable_fault(text: str, known: Mapping[str, str], *, answers: bool = False) -> str | None:
    """Return what is wrong with the variables of a text; `answers` says whether the engine's answer may stand in it."""
    try:
        names = variables_of(text)
    except ValueError as error:
        return str(error)
    for name in names:
        if name in known or (answers and name.startswith(ANSWER)):
            continue
        near = difflib.get_close_matches(name, known, n=1, cutoff=0.5)
        hint = f", did you mean ${{{near[0]}}}?" if near else ""
        return f"unknown variable ${{{name:.100}}}{hint} (expected {', '.join(known)})"
    return None


def body_fault(value: Any) -> str | None:
    """Return what is wrong with the variables of the texts in a value of JSON."""
    return next((fault for text in _texts(value) if (fault := _text_fault(text))), None)


def _text_fault(text: str) -> str | None:
    fault = variable_fault(text, {**PLAIN_VARIABLES, **TEXT_VARIABLES, **VALUE_VARIABLES})
    if fault is not None:
        return fault
    pieces = parse_template(text)
    for piece in pieces:
        if isinstance(piece, Variable) and piece.name in VALUE_VARIABLES and len(pieces) > 1:
            return f"expected ${{{piece.name}}} alone in its text: it is no text"
    return None


def _texts(value: Any) -> Iterator[str]:
    waiting = [value]
    while waiting:
        match waiting.pop():
            case str() as text:
                yield text
            case dict() as mapping:
                waiting.extend(mapping.values())
            case list() | tuple() as items:
                waiting.extend(items)
            case _:
                pass


def render_url(text: str, values: Mapping[str, Any]) -> str:
    """Return the URL with every value percent-encoded (RFC 3986 section 2.1).

    Raises `InvalidInput` where a value would make a part of the path empty or a step up in it.
    """
    pieces = parse_template(text)
    url = "".join(
        urllib.parse.quote(as_text(values[piece.name]), safe="") if isinstance(piece, Variable) else piece
        for piece in pieces
    )
    # A piece of text may hold parts without variables, which the document's author wrote so on purpose.
    plain = "".join("\0" if isinstance(piece, Variable) else piece for piece in pieces)
    written = plain.partition("?")[0].split("/")
    for template, part in zip(written, url.partition("?")[0].split("/"), strict=True):
        if "\0" in template and urllib.parse.unquote(part) in _DOTS:
            raise InvalidInput(f"a value makes a part of the path {urllib.parse.unquote(part)!r}")
    return url


def render_text(text: str, values: Mapping[str, Any]) -> str:
    """Return the text with the values in it."""
    return "".join(
        as_text(values[piece.name]) if isinstance(piece, Variable) else piece
        for piece in parse_template(text)
    )


def render_body(value: Any, values: Mapping[str, Any]) -> Any:
    """Return the value of JSON with every text rendered; names of fields are left as they are."""
    match value:
        case str():
            match parse_template(value):
                case (Variable(name),):
                    return values[name]
                case _:
                    return render_text(value, values)
        case dict():
            return {name: render_body(item, values) for name, item in value.items()}
        case list() | tuple():
            return [render_body(item, values) for item in value]
        case _:
            return value


def as_text(value: Any) -> str:
    """Return a scalar as text: nothing is the empty text."""
    match value:
        case None:
            return ""
        case bool():
            return "true" if value else "false"
        case _:
            return str(value)
