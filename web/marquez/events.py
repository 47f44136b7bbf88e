"""OpenLineage events as they were received: what another server replays."""

import datetime as dt
from typing import Annotated, Literal

from fastapi import APIRouter, Query, Request
from pydantic import BeforeValidator
from starlette.responses import Response

from catalog.facts import FactKind
from catalog.openlineage.times import parse_time
from web.graphql.loaders.events import EventFilter, counted_events, listed_events
from web.graphql.pages import EARLIEST, LATEST
from web.graphql.request import QueryRequest
from web.marquez.asking import Asking, Limit, Offset
from web.marquez.route import NameRoute
from web.marquez.shapes import LineageEventList

_KINDS = {
    "run": FactKind.OPENLINEAGE_RUN,
    "dataset": FactKind.OPENLINEAGE_DATASET,
    "job": FactKind.OPENLINEAGE_JOB,
}

Instant = Annotated[dt.datetime, BeforeValidator(lambda text: parse_time(str(text)))]
SortDirection = Annotated[Literal["asc", "desc"], BeforeValidator(lambda text: str(text).lower())]
Kind = Literal["run", "dataset", "job"]


def event_router(asking: Asking) -> APIRouter:
    """Return the route."""
    router = APIRouter(tags=["events"], route_class=NameRoute)

    @router.get("/events/lineage", response_model=LineageEventList)
    async def get_lineage_events(
        request: Request,
        before: Annotated[
            Instant | None, Query(description="Only events told for an earlier instant.")
        ] = None,
        after: Annotated[
            Instant | None, Query(description="Only events told for this instant or a later one.")
        ] = None,
        sort_direction: Annotated[
            SortDirection, Query(alias="sortDirection", description="asc or desc, by event time.")
        ] = "desc",
        kind: Annotated[
            list[Kind] | None, Query(description="Kinds of events, RunEvents alone by default (Headwater's).")
        ] = None,
        total_count: Annotated[
            bool, Query(alias="totalCount", description="False leaves the count out (Headwater's).")
        ] = True,
        limit: Limit = 100,
        offset: Offset = 0,
    ) -> Response:
        """OpenLineage events by event time; those of one instant in the order in which they came.

        Events whose bodies retention has removed are left out: the header `Headwater-Events-Removed-Before` then says
        before which instant of receipt.
        """
        kinds = tuple(_KINDS[each].value for each in kind or ["run"])
        chosen = EventFilter(kinds, after or EARLIEST, before or LATEST)

        def read(question: QueryRequest) -> LineageEventList:
            latest_first = sort_direction == "desc"
            found = listed_events(question, chosen, latest_first=latest_first, limit=limit, offset=offset)
            answer: LineageEventList = {"events": list(found)}
            if total_count:
                answer["totalCount"] = counted_events(question, chosen)
            return answer

        return await asking.answer(request, read, events=True)

    return router
