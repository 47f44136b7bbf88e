"""Pages of long lists: opaque cursors that name the last row's place in the order, never a number of rows to skip."""

import base64
import binascii
import datetime as dt
import uuid
from collections.abc import Callable, Hashable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

import orjson

from catalog.errors import InvalidInput
from web.graphql.cohort import Record, in_cohort
from web.graphql.request import QueryRequest

MAX_FIRST = 1000
#: Rows of a list that stands at the root of a query, and of one below another thing.
DEFAULT_FIRST = 100
NESTED_FIRST = 20

Member = TypeVar("Member", bound=Record)
Parent = TypeVar("Parent", bound=Hashable)

#: Before every instant and after every instant that a row may have.
EARLIEST = dt.datetime(1, 1, 1, tzinfo=dt.UTC)
LATEST = dt.datetime(9999, 12, 31, 23, 59, 59, 999_999, tzinfo=dt.UTC)
FIRST_UUID = uuid.UUID(int=0)
LAST_UUID = uuid.UUID(int=2**128 - 1)
LAST_LONG = 2**63 - 1


@dataclass(frozen=True, slots=True)
class Order:
    """The order of one kind of list: its name, the types of a place in it, and the place before all rows."""

    name: str
    types: tuple[type, ...]
    start: tuple[Any, ...]

    def encode(self, place: tuple[Any, ...]) -> str:
        """Return the cursor of the place."""
        return base64.urlsafe_b64encode(orjson.dumps([self.name, *place])).decode().rstrip("=")

    def decode(self, cursor: str | None) -> tuple[Any, ...]:
        """Return the place that the cursor names, the start where there is none; raise `InvalidInput`."""
        if cursor is None:
            return self.start
        message = "expected a cursor that an earlier page of this list gave, found something else"
        try:
            values = orjson.loads(base64.urlsafe_b64decode(cursor.encode() + b"=" * (-len(cursor) % 4)))
            if (
                not isinstance(values, list)
                or values[:1] != [self.name]
                or len(values) != len(self.types) + 1
            ):
                raise InvalidInput(message, pointer="/after")
            return tuple(_read(type_, value) for type_, value in zip(self.types, values[1:], strict=True))
        except (binascii.Error, ValueError) as error:
            raise InvalidInput(message, pointer="/after") from error


def _read(type_: type, value: Any) -> Any:
    if type_ is dt.datetime and isinstance(value, str):
        instant = dt.datetime.fromisoformat(value)
        if instant.tzinfo is None:
            raise ValueError("expected an instant with a zone")
        return instant
    if type_ is uuid.UUID and isinstance(value, str):
        return uuid.UUID(value)
    if type_ is int and type(value) is int and abs(value) <= LAST_LONG:
        return value
    if type_ is str and isinstance(value, str) and "\0" not in value:
        return value
    raise ValueError(f"expected a value of type {type_.__name__}")


def check_first(first: int) -> int:
    """Return the number of rows asked for; raise `InvalidInput` beyond the bounds."""
    if not 0 <= first <= MAX_FIRST:
        raise InvalidInput(f"expected `first` to be from 0 to {MAX_FIRST}, found {first}", pointer="/first")
    return first


@dataclass(slots=True, eq=False)
class EdgeRecord(Generic[Member]):
    """A member of a page with the cursor after which the next page begins."""

    node: Member
    cursor: str


@dataclass(slots=True, eq=False)
class PageInfoRecord:
    """Where a page stands in its list."""

    has_next_page: bool
    has_previous_page: bool
    start_cursor: str | None
    end_cursor: str | None


@dataclass(slots=True, eq=False)
class Page(Generic[Member]):
    """A part of a list; the rest is made only when it is asked for."""

    request: QueryRequest
    nodes: Sequence[Member]
    has_next_page: bool
    has_previous_page: bool
    order: Order
    place_of: Callable[[Member], tuple[Any, ...]]
    count: Callable[[], int]

    @property
    def edges(self) -> list[EdgeRecord[Member]]:
        """The members with their cursors."""
        return [EdgeRecord(node, self.order.encode(self.place_of(node))) for node in self.nodes]

    @property
    def page_info(self) -> PageInfoRecord:
        """Where this page stands."""
        cursors = [self.order.encode(self.place_of(node)) for node in (*self.nodes[:1], *self.nodes[-1:])]
        start, end = cursors or (None, None)
        return PageInfoRecord(self.has_next_page, self.has_previous_page, start, end)

    @property
    def total_count(self) -> int:
        """How many rows the whole list has; counted when it is asked for."""
        return self.count()

    @property
    def position(self) -> int:
        """The ledger position that the page was computed at."""
        return self.request.snapshot.position


def page_of(
    request: QueryRequest,
    found: Sequence[Member],
    *,
    first: int,
    after: str | None,
    order: Order,
    place_of: Callable[[Member], tuple[Any, ...]],
    count: Callable[[], int],
) -> Page[Member]:
    """Return the page that `first + 1` rows were read for, of which the last only says that there is more.

    The rows of the page are asked together.
    """
    return Page(
        request=request,
        nodes=in_cohort(request, found[:first]),
        has_next_page=len(found) > first,
        has_previous_page=after is not None,
        order=order,
        place_of=place_of,
        count=count,
    )


def pages_by_parent(
    request: QueryRequest,
    parents: Sequence[Parent],
    found: Iterable[tuple[Parent, Member]],
    *,
    first: int,
    after: str | None,
    order: Order,
    place_of: Callable[[Member], tuple[Any, ...]],
    count: Callable[[], Mapping[Parent, int]],
) -> dict[Parent, Page[Member]]:
    """Return a page for each parent; the rows of all pages were read together and are asked together."""
    rows: dict[Parent, list[Member]] = {parent: [] for parent in parents}
    for parent, row in found:
        rows[parent].append(row)
    pages = {
        parent: page_of(
            request,
            members,
            first=first,
            after=after,
            order=order,
            place_of=place_of,
            count=_count_of(parent, count),
        )
        for parent, members in rows.items()
    }
    # All of them, not page by page.
    in_cohort(request, [row for page in pages.values() for row in page.nodes])
    return pages


def _count_of(parent: Parent, count: Callable[[], Mapping[Parent, int]]) -> Callable[[], int]:
    return lambda: count().get(parent, 0)


def counted_once(read: Callable[[], Iterable[tuple[Parent, int]]]) -> Callable[[], Mapping[Parent, int]]:
    """Return a function that reads the counts of all parents when the first of them is asked for."""
    counts: dict[Parent, int] = {}
    asked = False

    def count() -> Mapping[Parent, int]:
        nonlocal asked
        if not asked:
            counts.update(read())
            asked = True
        return counts

    return count
