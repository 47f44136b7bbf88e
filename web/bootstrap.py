"""The composition root: everything is wired here, for the server, the worker, the command line and tests."""

import datetime as dt
import platform
from dataclasses import dataclass
from typing import Any

import httpx
from sqlalchemy import Engine

from catalog.database import create_database_engine, database_address
from catalog.errors import ConfigurationError
from catalog.follower import Follower
from catalog.openlineage.receive import Limits, Redactor
from catalog.settings import Settings
from graph.following import GRAPH_FOLLOWER_LOCK, GraphLog
from graph.port import GraphStore
from graph.postgresql.store import PostgresqlGraph
from hooks.deciding.decider import Limits as DecidingLimits
from hooks.engines.advancing import EngineContext
from hooks.launchers.airflow import AirflowLauncher
from hooks.launchers.command import CommandLauncher, boot_identity, host_identity
from hooks.launchers.http import HttpLauncher
from hooks.launching import LaunchContext
from hooks.outbound import OutboundClient, OutboundPolicy
from hooks.state_follower import STATE_FOLLOWER_LOCK, StateLog
from hooks.webhooks.delivering import DeliveryContext
from hooks.webhooks.outbox import WEBHOOK_FOLLOWER_LOCK, WebhookLog
from hooks.worker import FollowerSpec, WorkerParts, worker_name
from web.access.tokens import TokenStore
from web.changes import Changes
from web.commands import CommandGateway
from web.following import StateWaiter
from web.graphql.readers import Readers
from web.ingest.disk import DiskGuard
from web.ingest.group_commit import GroupCommit

#: Names under which the server knows the sessions of each kind of process.
WEB, WORKER = "headwater-web", "headwater-worker"


def conninfo(url: str, *, application_name: str | None = None) -> str:
    """Return a SQLAlchemy URL in the form that the driver takes."""
    plain = database_address(url).set(drivername="postgresql")
    if application_name is not None:
        plain = plain.update_query_dict({"application_name": application_name})
    return plain.render_as_string(hide_password=False)


def direct_url(settings: Settings, database_url: str) -> str:
    """Return the URL of sessions that are one's own: those that listen, hold locks or follow."""
    direct = settings.database_direct_url
    return database_url if direct is None else direct.get_secret_value()


def through_pooler(settings: Settings) -> bool:
    """Say whether pooled connections lead through a pooler of transactions."""
    return settings.database_direct_url is not None


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
    #: Of sessions that are this process's own.
    conninfo: str
    engine: Engine
    group_commit: GroupCommit
    waiter: StateWaiter
    commands: CommandGateway
    changes: Changes
    graph: GraphStore
    readers: Readers
    tokens: TokenStore
    disk: DiskGuard
    limits: Limits
    redactor: Redactor


def web_services(settings: Settings, database_url: str) -> WebServices:
    """Wire the web process; nothing is connected yet."""
    engine = create_database_engine(
        database_url,
        pool_size=settings.web_pool,
        application_name=WEB,
        through_pooler=through_pooler(settings),
    )
    direct = conninfo(direct_url(settings, database_url), application_name=WEB)
    group_commit = GroupCommit(engine, queue_bytes=settings.ingest_queue_bytes)
    waiter = StateWaiter(engine, direct)
    graph = PostgresqlGraph(engine)
    return WebServices(
        settings=settings,
        conninfo=direct,
        engine=engine,
        group_commit=group_commit,
        waiter=waiter,
        commands=CommandGateway(group_commit, waiter),
        changes=Changes(engine, waiter),
        graph=graph,
        readers=Readers(engine, graph, settings),
        tokens=TokenStore(engine),
        disk=DiskGuard(settings.data_dir, settings.min_free_disk_bytes),
        limits=receive_limits(settings),
        redactor=Redactor.at(settings.redact_paths),
    )


def state_follower(settings: Settings) -> Follower[Any]:
    """Return the follower that turns facts into versions, decisions and runs."""
    limits = DecidingLimits(causal_depth=settings.max_causal_depth)
    return Follower(StateLog(limits), batch=settings.follower_batch, holder=worker_name())


def graph_follower(settings: Settings) -> Follower[Any]:
    """Return the follower that turns observations into the graph."""
    return Follower(GraphLog(), batch=settings.follower_batch, holder=worker_name())


def webhook_follower(settings: Settings) -> Follower[Any]:
    """Return the follower that turns what happened into messages for webhooks."""
    return Follower(WebhookLog(), batch=settings.follower_batch, holder=worker_name())


def command_launcher(settings: Settings) -> CommandLauncher:
    """Return the launcher of commands on this host."""
    return CommandLauncher(
        settings.runs_dir,
        output_bytes=settings.run_output_bytes,
        allowed_folders=settings.allow_commands,
        secrets_folder=settings.secrets_dir,
    )


def outbound_client(settings: Settings) -> OutboundClient:
    """Return the client for every request that leaves Headwater.

    Raises `ConfigurationError` where `outbound_ca_bundle` holds no certificates.
    """
    trusted = httpx.create_ssl_context(trust_env=False)
    if settings.outbound_ca_bundle is not None:
        try:
            trusted.load_verify_locations(cafile=settings.outbound_ca_bundle)
        except OSError as error:
            message = f"HEADWATER_OUTBOUND_CA_BUNDLE cannot be read as certificates: {error}"
            raise ConfigurationError(message) from error
    policy = OutboundPolicy(
        allow_private=settings.outbound_allow_private,
        # A worker on its own does not know whether the server is on this machine.
        allow_loopback=settings.outbound_allow_loopback is True,
    )
    proxy = settings.outbound_proxy
    return OutboundClient(policy, tls=trusted, proxy=None if proxy is None else proxy.get_secret_value())


def worker_parts(settings: Settings, database_url: str) -> WorkerParts:
    """Wire a worker; nothing is connected yet."""
    engine = create_database_engine(
        database_url,
        pool_size=settings.worker_pool,
        application_name=WORKER,
        through_pooler=through_pooler(settings),
    )
    launch = LaunchContext(
        engine=engine,
        launcher=command_launcher(settings),
        host=host_identity(settings.data_dir),
        boot=boot_identity(),
        openlineage_url=settings.reachable_url,
        now=lambda: dt.datetime.now(dt.UTC),
        api_key=settings.run_token.get_secret_value() if settings.run_token is not None else None,
    )
    outbound = outbound_client(settings)
    engines = EngineContext(
        database=engine,
        engines={
            "http": HttpLauncher(outbound, secrets_folder=settings.secrets_dir, now=launch.now),
            "airflow": AirflowLauncher(outbound, secrets_folder=settings.secrets_dir, now=launch.now),
        },
        host=launch.host,
        openlineage_url=launch.openlineage_url,
        now=launch.now,
    )
    return WorkerParts(
        engine=engine,
        conninfo=conninfo(direct_url(settings, database_url), application_name=WORKER),
        followers=[
            FollowerSpec(state_follower(settings), STATE_FOLLOWER_LOCK),
            FollowerSpec(graph_follower(settings), GRAPH_FOLLOWER_LOCK),
            FollowerSpec(webhook_follower(settings), WEBHOOK_FOLLOWER_LOCK),
        ],
        launch=launch,
        engines=engines,
        webhooks=DeliveryContext(
            database=engine, client=outbound, secrets_folder=settings.secrets_dir, now=launch.now
        ),
        outbound=outbound,
        host_name=platform.node(),
        takes_launches=bool(settings.allow_commands),
        threads=settings.job_threads,
        poll_seconds=settings.follower_poll_seconds,
        host_lost_seconds=settings.host_lost_seconds,
        run_output_days=settings.run_output_days,
        event_days=settings.event_days,
        life_file=settings.worker_life_file,
    )
