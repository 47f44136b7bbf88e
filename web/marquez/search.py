"""Search: Marquez's form of the one search, which also orders by fit."""

import datetime as dt
import uuid
from collections.abc import Mapping, Sequence
from typing import Annotated, Literal

from fastapi import APIRouter, Query, Request
from pydantic import BeforeValidator
from starlette.responses import Response

from catalog.search.texts import Field, Kind
from web.graphql.loaders.standing import dataset_standings, job_standings
from web.graphql.request import QueryRequest
from web.marquez import datasets, jobs
from web.marquez.asking import WITHOUT_NUL, Asking, Limit
from web.marquez.route import NameRoute
from web.marquez.shapes import SearchResult, SearchResultList
from web.search.hits import Hit, SearchFilters
from web.search.search import MOST_TEXT, search

#: Something beside blanks, and no NUL.
_BLANK = r"\t-\r\u001c-\u0020%\u0085\u00a0\u1680\u2000-\u200a\u2028\u2029\u202f\u205f\u3000"
_SOME_WORD = rf"^[^\u0000]*[^\u0000{_BLANK}][^\u0000]*$"

#: Why a page is not all that was found.
LIMIT = "LIMIT"

Filter = Annotated[Literal["dataset", "job"], BeforeValidator(lambda text: str(text).lower())]
#: `updated_at` as Marquez's specification writes it; its server knows `UPDATE_AT` alone.
Sort = Annotated[
    Literal["name", "updated_at"],
    BeforeValidator(lambda text: str(text).lower().replace("update_at", "updated_at")),
]


def _results(request: QueryRequest, hits: Sequence[Hit]) -> list[SearchResult]:
    changed: Mapping[uuid.UUID, dt.datetime] = {
        **{
            found.id: datasets.updated_at(found)
            for found in dataset_standings(request, [hit.row_id for hit in hits if hit.kind == "dataset"])
        },
        **{
            found.id: jobs.updated_at(found)
            for found in job_standings(request, [hit.row_id for hit in hits if hit.kind == "job"])
        },
    }
    return [
        {
            "type": "DATASET" if hit.kind == "dataset" else "JOB",
            "name": hit.name,
            "updatedAt": changed[hit.row_id],
            "namespace": hit.namespace,
            "nodeId": hit.id,
            "match": hit.match.value,
        }
        for hit in hits
    ]


def _instant(day: dt.date | None) -> dt.datetime | None:
    return None if day is None else dt.datetime.combine(day, dt.time(), tzinfo=dt.UTC)


def search_router(asking: Asking) -> APIRouter:
    """Return the route."""
    router = APIRouter(tags=["search"], route_class=NameRoute)

    @router.get("/search", response_model=SearchResultList)
    async def get_search(
        request: Request,
        q: Annotated[
            str,
            Query(
                min_length=1,
                max_length=MOST_TEXT,
                description="Words of a name; % stands for anything, as a blank does.",
                json_schema_extra={"pattern": _SOME_WORD},
            ),
        ],
        filter: Annotated[  # noqa: A002 - the name in Marquez's specification
            Filter | None, Query(description="Only datasets, or only jobs.")
        ] = None,
        sort: Annotated[
            Sort | None, Query(description="name or updated_at; without it the best match comes first.")
        ] = None,
        namespace: Annotated[
            str | None, Query(description="Only of this namespace.", json_schema_extra=WITHOUT_NUL)
        ] = None,
        before: Annotated[
            dt.date | None, Query(description="Only what last changed before this day.")
        ] = None,
        after: Annotated[
            dt.date | None, Query(description="Only what last changed after this day began.")
        ] = None,
        limit: Limit = 10,
    ) -> Response:
        """Datasets and jobs whose names fit the text: exact matches before prefixes before fuzzy ones."""
        kinds: tuple[Kind, ...] = ("dataset", "job") if filter is None else (filter,)
        filters = SearchFilters(kinds=kinds, namespace=namespace, fields=(Field.NAME,))
        until, since = _instant(before), _instant(after)

        def read(question: QueryRequest) -> SearchResultList:
            bounded = until is not None or since is not None
            found = search(
                question,
                q.replace("%", " "),
                filters,
                enough=0 if bounded or sort is not None else limit,
            )
            hits = found.hits if bounded or sort is not None else found.hits[:limit]
            results = [
                result
                for result in _results(question, hits)
                if (until is None or result["updatedAt"] < until)
                and (since is None or result["updatedAt"] > since)
            ]
            match sort:
                case "name":
                    results.sort(key=lambda result: (result["name"], result["namespace"], result["type"]))
                case "updated_at":
                    results.sort(key=lambda result: (result["updatedAt"], result["nodeId"]), reverse=True)
                case None:
                    pass
            cut = len(results) > limit or len(hits) < len(found.hits)
            reason = LIMIT if cut else None if found.unfinished is None else found.unfinished.name
            return {
                "totalCount": len(results[:limit]),
                "results": results[:limit],
                "complete": reason is None,
                "reason": reason,
            }

        return await asking.answer(request, read)

    return router
