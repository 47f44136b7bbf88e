"""The web application: routes, answers to errors, and what starts and ends with it."""

from collections.abc import AsyncIterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect
from starlette.responses import Response
from starlette.types import ASGIApp

from catalog.errors import HeadwaterError
from web.access.authenticator import Authenticator
from web.access.boundary import Boundary
from web.access.local_token import ensure_local_token
from web.access.middleware import AccessMiddleware
from web.access.routes import tokens_router
from web.bootstrap import WebServices
from web.graphql.router import graphql_router
from web.health import VERSION, health_router, read_readiness
from web.ingest.body import BodyBudget
from web.ingest.routes import ingest_router
from web.log_level import LogLevelStore, log_level_router
from web.marquez.router import PREFIX, marquez_router
from web.metrics import StandingCollector, WebMetrics, metrics_router, read_standing
from web.openapi import describe, operation_id
from web.problems import on_headwater_error, on_http_exception, on_unexpected_error, on_validation_error
from web.start_page import start_page_router
from web.vitals import Probe, read_contents

READY_SECONDS = 1.0
STANDING_SECONDS = 2.0
CONTENTS_SECONDS = 10.0


async def _on_disconnect(_request: Request, _error: Exception) -> Response:
    """Give an answer that nobody will read: the sender is gone."""
    return Response(status_code=400)


def create_app(services: WebServices) -> ASGIApp:
    """Return the application over the services; they start and stop with its lifespan.

    Raises `ConfigurationError` where the local token cannot be kept or the host is unknown.
    """
    boundary = Boundary.of(services.settings)
    authenticator = Authenticator(boundary, services.tokens, ensure_local_token(services.settings))
    probes = ThreadPoolExecutor(max_workers=1, thread_name_prefix="probe")

    @asynccontextmanager
    async def lifespan(_app: FastAPI) -> AsyncIterator[None]:
        await services.waiter.start()
        await services.group_commit.start()
        try:
            yield
        finally:
            services.readers.close()
            await services.changes.stop()
            # What was taken in is committed before the database connections go.
            await services.group_commit.stop()
            await services.waiter.stop()
            probes.shutdown(wait=False, cancel_futures=True)
            services.engine.dispose()

    app = FastAPI(
        title="Headwater",
        version=VERSION,
        lifespan=lifespan,
        # The documentation pages of the framework load scripts from elsewhere.
        docs_url=None,
        redoc_url=None,
        generate_unique_id_function=operation_id,
        exception_handlers={
            HeadwaterError: on_headwater_error,
            HTTPException: on_http_exception,
            RequestValidationError: on_validation_error,
            ClientDisconnect: _on_disconnect,
            Exception: on_unexpected_error,
        },
    )
    _add_routes(app, services, probes)
    describe(app)
    # Outside of everything, so that the framework's own answers carry its headers too.
    return AccessMiddleware(app, boundary, authenticator)


def _add_routes(app: FastAPI, services: WebServices, probes: ThreadPoolExecutor) -> None:
    metrics = WebMetrics()
    collector = StandingCollector()
    metrics.watch(lambda: services.group_commit.waiting_bytes, services.engine, collector)
    services.group_commit.on_commit = metrics.group_committed
    app.include_router(
        ingest_router(
            services.group_commit,
            services.disk,
            services.limits,
            services.redactor,
            BodyBudget(services.settings.ingest_queue_bytes),
            metrics,
        )
    )
    app.include_router(tokens_router(services.tokens))
    app.include_router(log_level_router(LogLevelStore(services.engine), services.settings.log_level))
    ready = Probe(services.conninfo, read_readiness, seconds=READY_SECONDS, executor=probes)
    app.include_router(health_router(ready, services.disk, lambda: services.group_commit.oldest_seconds))
    standing = Probe(services.conninfo, read_standing, seconds=STANDING_SECONDS, executor=probes)
    app.include_router(metrics_router(metrics, collector, standing))
    app.include_router(graphql_router(services))
    app.include_router(marquez_router(services), prefix=PREFIX)
    contents = Probe(services.conninfo, read_contents, seconds=CONTENTS_SECONDS, executor=probes)
    app.include_router(start_page_router(contents))
