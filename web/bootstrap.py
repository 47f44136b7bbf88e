"""The composition root: everything that is wired stands here, for the server, the worker, the command line and tests."""

from dataclasses import dataclass

from sqlalchemy import Engine, make_url

from catalog.database import create_database_engine
from catalog.openlineage.receive import Limits, Redactor
from catalog.settings import Settings
from graph.port import GraphStore
from graph.postgresql.store import PostgreSQLGraphStore
from web.access.tokens import TokenStore
from web.commands import CommandGateway
from web.following import StateWaiter
from web.ingest.disk import DiskGuard
from web.ingest.group_commit import GroupCommit


def conninfo(url: str) -> str:
    """Return a SQLAlchemy URL in the form that the driver takes."""
    return make_url(url).set(drivername="postgresql").render_as_string(hide_password=False)


def receive_limits(settings: Settings) -> Limits:
    """Return the bounds on received events."""
    return Limits(
        max_event_bytes=settings.max_event_bytes,
        max_batch_bytes=settings.max_batch_bytes,
        max_batch_events=settings.max_batch_events,
        max_depth=settings.max_event_depth,
    )


@dataclass(frozen=True, slots=True)
class WebServices:
    """What the web process needs; made on its event loop."""

    settings: Settings
    database_url: str
    engine: Engine
    group_commit: GroupCommit
    waiter: StateWaiter
    commands: CommandGateway
    graph: GraphStore
    tokens: TokenStore
    disk: DiskGuard
    limits: Limits
    redactor: Redactor


def web_services(settings: Settings, database_url: str) -> WebServices:
    """Wire the web process; nothing is connected yet."""
    engine = create_database_engine(database_url, pool_size=8, application_name="headwater-web")
    group_commit = GroupCommit(engine, queue_bytes=settings.ingest_queue_bytes)
    waiter = StateWaiter(engine, conninfo(database_url))
    return WebServices(
        settings=settings,
        database_url=database_url,
        engine=engine,
        group_commit=group_commit,
        waiter=waiter,
        commands=CommandGateway(group_commit, waiter),
        graph=PostgreSQLGraphStore(engine),
        tokens=TokenStore(engine),
        disk=DiskGuard(settings.data_dir, settings.min_free_disk_bytes),
        limits=receive_limits(settings),
        redactor=Redactor.at(settings.redact_paths),
    )
