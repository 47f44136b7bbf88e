"""Tags, as facets of datasets and jobs tell them."""

from fastapi import APIRouter, Request
from starlette.responses import Response

from web.graphql.loaders.facets import told_tags
from web.graphql.request import QueryRequest
from web.marquez.asking import Asking, Limit, Offset
from web.marquez.route import NameRoute
from web.marquez.shapes import TagList


def tag_router(asking: Asking) -> APIRouter:
    """Return the route."""
    router = APIRouter(tags=["tags"], route_class=NameRoute)

    @router.get("/tags", response_model=TagList)
    async def get_tags(request: Request, limit: Limit = 100, offset: Offset = 0) -> Response:
        """The tags of datasets, their columns, and jobs, by name."""

        def read(question: QueryRequest) -> TagList:
            found = told_tags(question, limit=limit, offset=offset)
            return {"tags": [{"name": name, "description": None} for name in found]}

        return await asking.answer(request, read)

    return router
