"""The executor of plain fields answers as graphql-core does, errors included."""

from dataclasses import dataclass, field
from enum import Enum
from types import SimpleNamespace
from typing import Any

import pytest
import strawberry
from graphql import ExecutionResult, parse
from graphql.execution import execute
from strawberry.schema.schema import StrawberryGraphQLCoreExecutionContext

from catalog.errors import NotFound, QueryTimedOut
from web.graphql.executor import PlainFieldsExecutor, StoppedError
from web.graphql.scalars import CONFIG, Long


@strawberry.enum
class Colour(Enum):
    RED = "red"
    BLUE = "blue"


def _friend(root: Any) -> "Thing | None":
    return root.friend


def _failing() -> str:
    raise NotFound("expected it, found nothing")


def _late() -> str:
    raise QueryTimedOut


@strawberry.type
class Thing:
    id: strawberry.ID
    name: str
    note: str | None
    size: Long
    colour: Colour
    colours: list[Colour]
    tags: list[str]
    holes: list[str | None]
    things: list["Thing"]
    maybe_things: list["Thing | None"]
    friend: "Thing | None" = strawberry.field(resolver=_friend)
    failing: str | None = strawberry.field(resolver=_failing)
    late: str | None = strawberry.field(resolver=_late)


@dataclass
class Record:
    id: Any = "1"
    name: Any = "n"
    note: Any = None
    size: Any = 2**40
    colour: Any = Colour.RED
    colours: Any = field(default_factory=lambda: ["red", Colour.BLUE])
    tags: Any = field(default_factory=lambda: ["a", "b"])
    holes: Any = field(default_factory=lambda: ["a", None])
    things: Any = field(default_factory=list)
    maybe_things: Any = field(default_factory=list)
    friend: Any = None


class Holder:
    thing: Any = None


def _thing(info: strawberry.Info) -> Thing | None:
    return info.context.thing


@strawberry.type
class Query:
    thing: Thing | None = strawberry.field(resolver=_thing)


SCHEMA = strawberry.Schema(Query, config=CONFIG)._schema


def result(executor: type, query: str, thing: Any) -> tuple[Any, Any]:
    context = SimpleNamespace(thing=thing, check_time=lambda: None)
    found = execute(SCHEMA, parse(query), context_value=context, executor_class=executor)
    assert isinstance(found, ExecutionResult)
    return found.data, [(error.message, error.path) for error in found.errors or []]


QUERIES = [
    "{ thing { __typename id name note size colour colours tags holes } }",
    "{ thing { alias: name name other: __typename } }",
    "{ thing { things { id name colour size note } } }",
    "{ thing { maybeThings { id colour } } }",
    "{ thing { things { id friend { id name } things { id } } friend { things { size } } } }",
    "{ thing { name ...f } } fragment f on Thing { name things { ...g } } fragment g on Thing { colours }",
    "{ thing { name @skip(if: true) id @include(if: true) } }",
    "{ thing { failing name } }",
]
THINGS = [
    None,
    Record(),
    Record(things=[Record(id="2"), Record(id="3", note="x")], friend=Record(things=[Record()])),
    Record(maybe_things=[Record(), None], things=tuple(Record(id=number) for number in range(2))),
    # What must not be null is; what must be a number, an enum or a list is not.
    Record(name=None),
    Record(things=[Record(), Record(name=None)]),
    Record(things=[Record(), None]),
    Record(maybe_things=[Record(id=None), Record()]),
    Record(size="many"),
    Record(size=2**70),
    Record(colour="green", things=[Record(colour=7)]),
    Record(colours=None),
    Record(colours=["red", "green"]),
    Record(tags=["a", None]),
    Record(tags=7),
    Record(id=7, tags=[1, 2.5, True]),
    Record(friend=Record(name=None), things=[Record(friend=Record(id=None))]),
    Record(name=ValueError("as a value")),
]


@pytest.mark.parametrize("query", QUERIES)
def test_answers_and_errors_are_those_of_graphql_core(query: str) -> None:
    for thing in THINGS:
        usual = result(StrawberryGraphQLCoreExecutionContext, query, thing)
        assert result(PlainFieldsExecutor, query, thing) == usual, (query, thing)


def test_a_list_may_be_anything_that_can_be_gone_through() -> None:
    data, errors = result(
        PlainFieldsExecutor,
        "{ thing { tags things { id } } }",
        Record(tags=iter("ab"), things=(Record(id=str(number)) for number in range(3))),
    )
    assert (data, errors) == (
        {"thing": {"tags": ["a", "b"], "things": [{"id": "0"}, {"id": "1"}, {"id": "2"}]}},
        [],
    )


def test_an_answer_that_runs_out_of_time_stops_as_a_whole() -> None:
    with pytest.raises(StoppedError) as stopped:
        result(PlainFieldsExecutor, "{ thing { name late } }", Record())
    assert isinstance(stopped.value.error, QueryTimedOut)
