"""The commands that run Headwater itself: `up`, and its parts `serve`, `worker` and `migrate`."""

import gc
import sys
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from catalog.database import create_database_engine
from catalog.embedded import DataFolderLock, EmbeddedPostgreSQL
from catalog.errors import ConfigurationError
from catalog.migrations import migrate
from catalog.settings import Settings
from hooks.launching import CANCELLED
from hooks.worker import run_worker as work
from web.access.local_token import ensure_local_token
from web.access.tokens import TokenStore, refuse_to_start
from web.bootstrap import command_launcher, worker_parts
from web.cli.options import settings_with
from web.logging import configure_logging
from web.serve import bind, serve
from web.supervisor import ChildProcess, Supervisor

HostOption = Annotated[
    str | None, typer.Option(help="Address to listen on; beyond loopback tokens are needed.")
]
PortOption = Annotated[int | None, typer.Option(help="Port to listen on; 0 takes a free one.")]
DataDirOption = Annotated[Path | None, typer.Option(help="Folder of database, runs and local token.")]
CommandsOption = Annotated[
    list[Path] | None,
    typer.Option("--allow-commands", help="Folder in which `command` pipelines may run; may be repeated."),
]

_output = Console(highlight=False)


def _progress(message: str) -> None:
    Console(stderr=True, highlight=False).print(f"[dim]{message}[/dim]")


def _overrides(
    host: str | None, port: int | None, data_dir: Path | None, allow_commands: list[Path] | None
) -> dict[str, object]:
    given = {"host": host, "port": port, "data_dir": data_dir and data_dir.absolute()}
    found: dict[str, object] = {name: value for name, value in given.items() if value is not None}
    if allow_commands:
        found["allow_commands"] = [folder.absolute() for folder in allow_commands]
    return found


def _migrated(settings: Settings, url: str) -> None:
    """Bring the database to this version's schema, and refuse a bind that has no token."""
    engine = create_database_engine(url, pool_size=1, application_name="headwater-migrate")
    try:
        if migrate(engine):
            _progress("migrated the database")
        refuse_to_start(settings, TokenStore(engine))
    finally:
        engine.dispose()


def _external_url(settings: Settings) -> str:
    if settings.database_url is None:
        raise ConfigurationError("expected HEADWATER_DATABASE_URL, the URL of a PostgreSQL, found none")
    return settings.database_url.get_secret_value()


def _announce(settings: Settings) -> None:
    _output.print(f"ready {settings.reachable_url}", style="bold green", soft_wrap=True)
    for command, purpose in (
        ("headwater apply -f pipelines/", "register pipelines"),
        ("headwater emit event event.json", "tell it what a job did, as any OpenLineage client can"),
        (f"{settings.reachable_url}/graphql", "ask, from a browser"),
    ):
        _output.print(f"  {command:<34}{purpose}", soft_wrap=True)
    sys.stdout.flush()


def run_up(
    host: HostOption = None,
    port: PortOption = None,
    data_dir: DataDirOption = None,
    allow_commands: CommandsOption = None,
    stop_runs: Annotated[
        bool, typer.Option("--stop-runs", help="End running commands too when this ends.")
    ] = False,
) -> None:
    """Run database, web and worker until SIGINT or SIGTERM. Running commands go on and are adopted later."""
    settings = settings_with(_overrides(host, port, data_dir, allow_commands))
    configure_logging(settings)
    lock = DataFolderLock(settings.data_dir)
    lock.acquire(_progress)
    listener = bind(settings)
    settings = settings.model_copy(update={"port": listener.getsockname()[1]})
    lock.announce(settings.reachable_url)
    database: EmbeddedPostgreSQL | None = None
    if settings.database_url is None:
        database = EmbeddedPostgreSQL(settings.data_dir, progress=_progress, lock=lock)
        url = database.start()
    else:
        url = settings.database_url.get_secret_value()
    try:
        _migrated(settings, url)
        ensure_local_token(settings)
    except BaseException:
        if database is not None:
            database.stop()
        raise
    children = [
        ChildProcess("web", lambda: serve(settings, url, lambda: _announce(settings), listener=listener)),
        ChildProcess("worker", lambda: work(worker_parts(settings, url), ready=lambda: None)),
    ]
    # What is loaded so far is shared with the children; unfrozen, the collector would touch and so copy it.
    gc.collect()
    gc.freeze()
    code = Supervisor(children, database=database).run()
    if stop_runs:
        _stop_runs(settings)
    raise typer.Exit(code)


def _stop_runs(settings: Settings) -> None:
    launcher = command_launcher(settings)
    for run_id, number in launcher.running():
        launcher.stop(run_id, number, reason=f"{CANCELLED}headwater up --stop-runs ended")


def run_serve(host: HostOption = None, port: PortOption = None, data_dir: DataDirOption = None) -> None:
    """Run the web part alone, against HEADWATER_DATABASE_URL."""
    settings = settings_with(_overrides(host, port, data_dir, None))
    configure_logging(settings)
    url = _external_url(settings)
    listener = bind(settings)
    settings = settings.model_copy(update={"port": listener.getsockname()[1]})
    engine = create_database_engine(url, pool_size=1, application_name="headwater-serve")
    try:
        refuse_to_start(settings, TokenStore(engine))
    finally:
        engine.dispose()
    ensure_local_token(settings)
    serve(settings, url, lambda: _announce(settings), listener=listener)


def run_worker(
    data_dir: DataDirOption = None,
    allow_commands: CommandsOption = None,
) -> None:
    """Run a worker alone, against HEADWATER_DATABASE_URL; runs report to HEADWATER_PUBLIC_URL."""
    settings = settings_with(_overrides(None, None, data_dir, allow_commands))
    configure_logging(settings)
    parts = worker_parts(settings, _external_url(settings))
    work(parts, ready=lambda: _output.print("worker ready"))


def run_migrate() -> None:
    """Bring the database of HEADWATER_DATABASE_URL to this version's schema."""
    settings = settings_with({})
    engine = create_database_engine(
        _external_url(settings), pool_size=1, application_name="headwater-migrate"
    )
    try:
        _output.print("migrated" if migrate(engine) else "nothing to migrate")
    finally:
        engine.dispose()
