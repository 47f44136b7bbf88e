"""Counts by hour of the last day, or by day of the last week."""

import datetime as dt
import zoneinfo
from typing import Annotated, Literal

from fastapi import APIRouter, Query, Request
from pydantic import BeforeValidator
from starlette.responses import Response

from catalog.errors import InvalidInput
from web.graphql.loaders.growth import Counted, counts_at_ends, runs_by_interval
from web.graphql.request import QueryRequest
from web.marquez.asking import Asking
from web.marquez.route import NameRoute
from web.marquez.shapes import IntervalMetric, LineageMetric

PeriodName = Literal["DAY", "WEEK"]
Period = Annotated[
    PeriodName,
    BeforeValidator(lambda text: str(text).upper()),
    Query(description="DAY: the last 24 hours by hour. WEEK: the last 7 days by day."),
]
TimeZone = Annotated[
    str | None,
    Query(
        description="In which days begin, such as Europe/Zurich; for WEEK alone, default UTC.",
        json_schema_extra={"format": "time-zone"},
    ),
]


def bounds(now: dt.datetime, period: PeriodName, zone: dt.tzinfo) -> list[dt.datetime]:
    """Return where the intervals of the period begin, and where the last of them ends, in UTC.

    A day is one of the zone: with its clocks' change it has 23 or 25 hours.
    """
    if period == "DAY":
        hour = now.astimezone(dt.UTC).replace(minute=0, second=0, microsecond=0)
        return [hour + dt.timedelta(hours=each) for each in range(-23, 2)]
    today = now.astimezone(zone).date()
    days = [today + dt.timedelta(days=each) for each in range(-6, 2)]
    return [dt.datetime.combine(day, dt.time(), tzinfo=zone).astimezone(dt.UTC) for day in days]


def _zone(name: str | None) -> dt.tzinfo:
    try:
        return zoneinfo.ZoneInfo(name) if name else dt.UTC
    except (zoneinfo.ZoneInfoNotFoundError, ValueError, OSError) as error:
        raise InvalidInput(
            f"expected a time zone such as Europe/Zurich, found {name!r}"[:300], pointer="/timezone"
        ) from error


def stats_router(asking: Asking) -> APIRouter:
    """Return the routes."""
    router = APIRouter(prefix="/stats", tags=["stats"], route_class=NameRoute)

    async def counted(request: Request, what: Counted, period: PeriodName, timezone: str | None) -> Response:
        zone = _zone(timezone)

        def read(question: QueryRequest) -> list[IntervalMetric]:
            instants = bounds(question.snapshot.now, period, zone)
            counts = counts_at_ends(question, what, instants)
            return [
                {"startInterval": start, "endInterval": end, "count": count}
                for start, end, count in zip(instants[:-1], instants[1:], counts, strict=True)
            ]

        return await asking.answer(request, read)

    @router.get("/lineage-events", response_model=list[LineageMetric])
    async def count_lineage_events(request: Request, period: Period, timezone: TimeZone = None) -> Response:
        """How many runs told that they started, and how they ended, by the time that they told."""
        zone = _zone(timezone)

        def read(question: QueryRequest) -> list[LineageMetric]:
            instants = bounds(question.snapshot.now, period, zone)
            told = runs_by_interval(question, instants)
            return [
                {
                    "startInterval": start,
                    "endInterval": end,
                    "fail": types.get("FAIL", 0),
                    "start": types.get("START", 0),
                    "complete": types.get("COMPLETE", 0),
                    "abort": types.get("ABORT", 0),
                }
                for start, end, types in zip(instants[:-1], instants[1:], told, strict=True)
            ]

        return await asking.answer(request, read)

    @router.get("/jobs", response_model=list[IntervalMetric])
    async def count_jobs(request: Request, period: Period, timezone: TimeZone = None) -> Response:
        """How many jobs had been heard of at the end of each interval."""
        return await counted(request, "jobs", period, timezone)

    @router.get("/datasets", response_model=list[IntervalMetric])
    async def count_datasets(request: Request, period: Period, timezone: TimeZone = None) -> Response:
        """How many datasets had been heard of at the end of each interval."""
        return await counted(request, "datasets", period, timezone)

    @router.get("/sources", response_model=list[IntervalMetric])
    async def count_sources(request: Request, period: Period, timezone: TimeZone = None) -> Response:
        """How many sources had been heard of at the end of each interval."""
        return await counted(request, "sources", period, timezone)

    return router
