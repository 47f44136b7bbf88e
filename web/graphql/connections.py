"""Relay connections: the form in which every long list is asked for."""

from typing import Generic, TypeVar

import strawberry

from web.graphql.scalars import Long

Node = TypeVar("Node")


@strawberry.type(description="Where a page stands in its list.")
class PageInfo:
    """See `pages.PageInfoRecord`."""

    has_next_page: bool = strawberry.field(description="Whether rows follow this page.")
    has_previous_page: bool = strawberry.field(description="Whether the page began after a cursor.")
    start_cursor: str | None = strawberry.field(description="Cursor of the first row; null on an empty page.")
    end_cursor: str | None = strawberry.field(
        description="Cursor of the last row: `after` for the next page. Null on an empty page."
    )


@strawberry.type(description="A row with its place in the list.")
class Edge(Generic[Node]):
    """See `pages.EdgeRecord`."""

    node: Node = strawberry.field(description="The row.")
    cursor: str = strawberry.field(description="Opaque; the next page begins after it.")


@strawberry.type(description="A page of a list.")
class Connection(Generic[Node]):
    """See `pages.Page`."""

    edges: list[Edge[Node]] = strawberry.field(description="The rows with their cursors.")
    nodes: list[Node] = strawberry.field(description="The rows alone.")
    page_info: PageInfo = strawberry.field(description="Where the page stands.")
    total_count: Long = strawberry.field(description="Rows of the whole list; counted only when asked for.")
    position: Long = strawberry.field(description="Ledger position that the page was computed at.")
