"""Operations over the schema that nobody would write: hostile texts, numbers at their bounds, values of wrong types."""

import base64
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from graphql import (
    GraphQLEnumType,
    GraphQLField,
    GraphQLInputObjectType,
    GraphQLInterfaceType,
    GraphQLList,
    GraphQLNamedType,
    GraphQLNonNull,
    GraphQLObjectType,
    GraphQLSchema,
    build_schema,
    get_named_type,
    is_leaf_type,
    is_required_argument,
)
from graphql.language.print_string import print_string
from hypothesis import strategies as st

from tests.support.hostile import HOSTILE
from tests.support.spine import pipeline_body
from tests.support.webhooks import webhook_body

#: The committed schema: what clients are generated from.
SCHEMA = build_schema((Path(__file__).parents[2] / "docs" / "schema.graphql").read_text())
INTS = (0, 1, 2, 20, 1000, 1001, -1, 2**31 - 1, -(2**31), 2**31)
LONGS = (0, 1, -1, 2**53 + 1, 2**63 - 1, -(2**63), 2**63)
#: A position in the future is waited for, which tests of their own prove.
POSITIONS = (0, 1, -1, -(2**63), 2**63, None)
INSTANTS = (
    "2026-01-01T00:00:00Z",
    "0001-01-01T00:00:00+14:00",
    "9999-12-31T23:59:59-14:00",
    "2026-02-30T00:00:00Z",
    "now",
)
_NUMBERS: Mapping[str, Sequence[Any]] = {
    "Boolean": (False, True),
    "Int": INTS,
    "Long": LONGS,
    "DateTime": INSTANTS,
    "minPosition": POSITIONS,
}
WRONG = (None, True, 1.5, -0.0, 2**70, [], {}, [[]], "", "1", {"a": 1})
#: One value in so many is of a wrong type.
WRONG_SHARE = 25
_STRINGS = tuple(HOSTILE.values())


def cursor(*place: Any) -> str:
    """Return a cursor as the server writes it."""
    return base64.urlsafe_b64encode(json.dumps(place).encode()).decode().rstrip("=")


FORGED_CURSORS = (
    cursor("datasets", "9999-12-31T23:59:59-14:00", "00000000-0000-0000-0000-000000000000"),
    cursor("datasets", 2**63, "x"),
    cursor("datasets", "\ud800", "\0"),
    cursor("runs", {"a": []}, None),
    cursor(*["x"] * 50),
    "=" * 7,
    "-_-_",
)


@dataclass(frozen=True)
class Operation:
    """An operation and its variables; `depth` is how deep its fields nest."""

    text: str
    variables: dict[str, Any]
    depth: int

    @property
    def body(self) -> dict[str, Any]:
        """What is posted."""
        return {"query": self.text, "variables": self.variables}


@dataclass
class _Writing:
    """An operation that is being written."""

    draw: Callable[[st.SearchStrategy[Any]], Any]
    variables: dict[str, Any] = field(default_factory=dict)
    declared: list[str] = field(default_factory=list)
    aliases: int = 0

    def one_of(self, values: Sequence[Any]) -> Any:
        return values[self.draw(st.integers(0, len(values) - 1))]

    def chance(self, of: int) -> bool:
        return bool(self.draw(st.integers(1, of)) == of)


@dataclass(frozen=True)
class Writer:
    """Writes operations over the schema; `known` are texts that mean something, by the name of the argument."""

    known: Mapping[str, Sequence[str]]
    schema: GraphQLSchema = SCHEMA

    def operations(self, root: str, *, deepest: int, most_fields: int = 3) -> st.SearchStrategy[Operation]:
        """Return the operations of `query`, `mutation` or `subscription`, which nest at most so deep."""

        @st.composite
        def written(draw: Callable[[st.SearchStrategy[Any]], Any]) -> Operation:
            writing = _Writing(draw)
            kind = {
                "query": self.schema.query_type,
                "mutation": self.schema.mutation_type,
                "subscription": self.schema.subscription_type,
            }[root]
            assert kind is not None
            most = 1 if root == "subscription" else most_fields
            names = draw(st.lists(st.sampled_from(sorted(kind.fields)), min_size=1, max_size=most))
            parts, depth = [], 0
            for name in names:
                part, below = self._field(writing, name, kind.fields[name], deepest - 1)
                parts.append(part)
                depth = max(depth, below)
            declared = f"({', '.join(writing.declared)})" if writing.declared else ""
            return Operation(f"{root} Q{declared} {{ {' '.join(parts)} }}", writing.variables, depth)

        return written()

    def _field(self, writing: _Writing, name: str, field_: GraphQLField, deepest: int) -> tuple[str, int]:
        writing.aliases += 1
        arguments = []
        for key, argument in field_.args.items():
            if is_required_argument(argument) or writing.chance(2):
                arguments.append(f"{key}: {self._argument(writing, key, argument.type)}")
        told = f"({', '.join(arguments)})" if arguments else ""
        text = f"a{writing.aliases}: {name}{told}"
        kind = get_named_type(field_.type)
        if is_leaf_type(kind):
            return text, 1
        assert isinstance(kind, (GraphQLObjectType, GraphQLInterfaceType))
        selection, depth = self._selection(writing, kind, deepest)
        return f"{text} {{ {selection} }}", depth + 1

    def _selection(
        self, writing: _Writing, kind: GraphQLObjectType | GraphQLInterfaceType, deepest: int
    ) -> tuple[str, int]:
        leaves = [name for name, each in kind.fields.items() if is_leaf_type(get_named_type(each.type))]
        nested = [name for name in kind.fields if name not in leaves] if deepest > 1 else []
        chosen = [writing.one_of(leaves) for _ in range(2)] if leaves else []
        chosen += [writing.one_of(nested) for _ in range(writing.draw(st.integers(1, 2)))] if nested else []
        if writing.aliases > 150 or not chosen:
            return "__typename", 1
        parts, depth = [], 1
        for name in dict.fromkeys(chosen):
            part, below = self._field(writing, name, kind.fields[name], deepest - 1)
            parts.append(part)
            depth = max(depth, below)
        return " ".join(parts), depth

    def _argument(self, writing: _Writing, name: str, kind: Any) -> str:
        value = self._value(writing, name, kind)
        named = get_named_type(kind)
        if named.name == "JSON" or writing.chance(2):
            number = len(writing.variables)
            writing.variables[f"v{number}"] = value
            # With the default that makes an optional variable fit.
            writing.declared.append(f"$v{number}: {kind}")
            return f"$v{number}"
        return _literal(value, named)

    def _value(self, writing: _Writing, name: str, kind: Any) -> Any:
        if writing.chance(WRONG_SHARE):
            return writing.one_of(WRONG)
        match kind:
            case GraphQLNonNull():
                return self._value(writing, name, kind.of_type)
            case GraphQLList():
                return [
                    self._value(writing, name, kind.of_type) for _ in range(writing.draw(st.integers(0, 2)))
                ]
            case GraphQLEnumType():
                return writing.one_of(sorted(kind.values))
            case GraphQLInputObjectType():
                return {
                    key: self._value(writing, key, each.type)
                    for key, each in kind.fields.items()
                    if writing.chance(2)
                }
        return self._scalar(writing, name, kind.name)

    def _scalar(self, writing: _Writing, name: str, kind: str) -> Any:
        if kind == "JSON":
            return _json(writing, name)
        values = _NUMBERS.get("minPosition" if name == "minPosition" else kind)
        if values is not None:
            return writing.one_of(values)
        known = self.known.get(name, ())
        if known and writing.chance(2):
            return writing.one_of(known)
        text = writing.one_of(_STRINGS)
        return writing.one_of(
            (
                text,
                f"dataset:{text}:{text}",
                f"job:{text}",
                f"datasetField:{text}",
                f"run:{text}",
                f"{text}\0",
            )
        )


def _literal(value: Any, kind: GraphQLNamedType) -> str:
    match value:
        case str():
            fits = isinstance(kind, GraphQLEnumType) and value in kind.values
            return value if fits else print_string(value)
        case list():
            return f"[{', '.join(_literal(each, kind) for each in value)}]"
        case dict():
            inner = kind.fields if isinstance(kind, GraphQLInputObjectType) else {}
            members = (
                f"{key}: {_literal(each, get_named_type(inner[key].type) if key in inner else kind)}"
                for key, each in value.items()
            )
            return f"{{{', '.join(members)}}}"
        case _:
            return json.dumps(value)


def _json(writing: _Writing, name: str) -> Any:
    if name == "expected":
        key = writing.one_of(("Pipeline/p0", "Pipeline/p1", "Webhook/w", *_STRINGS))
        return {key: writing.one_of((0, 1, 2, *LONGS, None, "1", 1.5))}
    document = _document(writing)
    for _ in range(writing.draw(st.integers(0, 2))):
        _spoil(writing, document)
    return document


def _document(writing: _Writing) -> Any:
    """Return a document that is fine; what it starts harms nobody."""
    text = writing.one_of(_STRINGS)
    name = writing.one_of(("p0", "p1", "new", "w"))
    kind = writing.draw(st.integers(0, 3))
    if kind == 0:
        return webhook_body(name, "https://hooks.invalid/x", datasets=[{"namespace": text[:2000]}])
    if kind == 1:
        spec = {
            "namespace": text,
            "job": writing.one_of(_STRINGS),
            "scope": writing.one_of(("run", "rootRun")),
        }
        return {
            "apiVersion": "headwater/v1",
            "kind": "VersionScope",
            "metadata": {"name": name, "owner": text[:2000]},
            "spec": spec,
        }
    dataset = {"dataset": {"namespace": text, "name": writing.one_of(_STRINGS)}}
    when = writing.one_of((dataset, {"all": [dataset, dataset]}, {"any": [dataset]}))
    produces = [{"namespace": writing.one_of(_STRINGS), "name": text}]
    return pipeline_body(name, when, produces=produces, startFrom=writing.one_of(("now", "current")))


def _spoil(writing: _Writing, document: Any) -> None:
    """Put something else at one place of the document."""
    place = document
    while True:
        keys = list(place) if isinstance(place, dict) else list(range(len(place)))
        if not keys:
            return
        key = writing.one_of(keys)
        below = place[key]
        if isinstance(below, (dict, list)) and below and not writing.chance(4):
            place = below
            continue
        deep: Any = []
        for _ in range(900):
            deep = [deep]
        other = writing.one_of((*WRONG, *LONGS, *_STRINGS, deep, 1e308, {"\0": 1}))
        if isinstance(place, dict) and writing.chance(3):
            place[writing.one_of(_STRINGS)] = other
        else:
            place[key] = other
        return
