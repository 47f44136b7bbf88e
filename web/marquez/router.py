"""All routes of Marquez's read API."""

from fastapi import APIRouter

from web.bootstrap import WebServices
from web.marquez.asking import Asking
from web.marquez.column_lineage import column_lineage_router
from web.marquez.contents import Contents
from web.marquez.datasets import dataset_router
from web.marquez.events import event_router
from web.marquez.jobs import job_router
from web.marquez.lineage import lineage_router
from web.marquez.namespaces import namespace_router
from web.marquez.runs import run_router
from web.marquez.search import search_router
from web.marquez.stats import stats_router
from web.marquez.tags import tag_router

#: Given where they are included: what has a prefix is worked out at the first request, not at start.
PREFIX = "/api/v1"


def marquez_router(services: WebServices) -> APIRouter:
    """Return the routes; their place is below `PREFIX`."""
    asking = Asking(services.readers, services.waiter, services.settings)
    contents = Contents()
    router = APIRouter()
    for part in (
        namespace_router(asking),
        dataset_router(asking),
        job_router(asking, contents),
        run_router(asking),
        lineage_router(asking, contents),
        column_lineage_router(asking),
        event_router(asking),
        search_router(asking),
        tag_router(asking),
        stats_router(asking),
    ):
        router.include_router(part)
    return router
