"""The commands that run Headwater itself: `up`, and its parts `serve`, `worker` and `migrate`."""

import shlex
import shutil
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Annotated

import typer
from rich.text import Text
from sqlalchemy.exc import OperationalError

from catalog.database import create_database_engine, driver_connection
from catalog.embedded import DataFolderLock, EmbeddedPostgreSQL
from catalog.errors import ConfigurationError, DatabaseUnavailable
from catalog.migrations import migrate
from catalog.redaction import redact_text
from catalog.schema import read_schema, refuse_too_new
from catalog.settings import Settings, default_data_dir
from hooks.launching import CANCELLED
from hooks.worker import run_worker as work
from web.access.boundary import Boundary, is_loopback_address
from web.access.local_token import ensure_local_token
from web.access.tokens import TokenStore, refuse_to_start
from web.bootstrap import command_launcher, direct_url, worker_parts
from web.cli.options import (
    DEFAULT_URL,
    CommandsOption,
    HostOption,
    PortOption,
    ServerDataDir,
    server_options,
    settings_with,
)
from web.cli.output import print_line, say
from web.connections import Budget, check_at_start, web_budget, worker_budget
from web.log_level import followed_log_level
from web.logging import configure_logging
from web.serve import bind, serve
from web.supervisor import ChildProcess, Supervisor

PROGRAM = "headwater"


def _migrated(settings: Settings, url: str) -> None:
    """Bring the database to this version's schema, and refuse a bind that has no token."""
    engine = create_database_engine(url, pool_size=1, application_name="headwater-migrate")
    try:
        if migrate(engine):
            say("migrated the database")
        with engine.connect() as connection:
            refuse_too_new(read_schema(driver_connection(connection)))
        refuse_to_start(settings, TokenStore(engine))
    finally:
        engine.dispose()


def _external_url(settings: Settings, *budgets: Budget) -> str:
    """Return the URL for the processes of the budgets, once it is known to be fit for them."""
    if settings.database_url is None:
        raise ConfigurationError("expected HEADWATER_DATABASE_URL, the URL of a PostgreSQL, found none")
    url = settings.database_url.get_secret_value()
    check_at_start(settings, url, budgets)
    return url


def _announce(settings: Settings, *, announced: bool) -> None:
    """Print that the server is ready, and what to try next: each command works as it is printed.

    `announced` says whether the lock of the data folder leads clients to the server.
    """
    print_line(Text(f"ready {settings.reachable_url}", style="bold green"))
    where = _where(settings, announced=announced)
    print_line(f"  see how it stands   {shlex.join([_program(), 'status', *where])}")
    report = ["emit", "version", "--dataset", "demo", "table"]
    print_line(f"  tell of new data    {shlex.join([_program(), *report, *where])}")
    if Boundary.of(settings).loopback_only:
        print_line(f"  ask, in a browser   {settings.reachable_url}/graphql")
    else:
        # A browser sends no token with the address of a page.
        print_line(f"  list pipelines      {shlex.join([_program(), 'pipelines', *where])}")
    sys.stdout.flush()


def _where(settings: Settings, *, announced: bool) -> list[str]:
    """Return the options with which a client of this machine finds the server and its local token."""
    options: list[str] = []
    if not announced and settings.reachable_url != DEFAULT_URL:
        options += ["--url", settings.reachable_url]
    if settings.data_dir != default_data_dir():
        options += ["--data-dir", str(settings.data_dir.absolute())]
    return options


def _program() -> str:
    """Return the name under which a shell finds this program: its path where PATH does not lead to it."""
    called = Path(sys.argv[0])
    if called.name != PROGRAM:
        return PROGRAM
    found = shutil.which(PROGRAM)
    return PROGRAM if found is not None and called.exists() and called.samefile(found) else str(called)


def run_up(
    host: HostOption = None,
    port: PortOption = None,
    data_dir: ServerDataDir = None,
    allow_commands: CommandsOption = None,
    stop_runs: Annotated[
        bool, typer.Option("--stop-runs", help="End running commands too when this ends.")
    ] = False,
) -> None:
    """Run database, web and worker until SIGINT or SIGTERM. Running commands go on and are adopted later."""
    settings = settings_with(server_options(host, port, data_dir, allow_commands))
    configure_logging(settings)
    lock = DataFolderLock(settings.data_dir)
    lock.acquire(say)
    listener = bind(settings)
    address, port, *_ = listener.getsockname()
    loopback = settings.outbound_allow_loopback
    if loopback is None:
        loopback = is_loopback_address(address)
    settings = settings.model_copy(update={"port": port, "outbound_allow_loopback": loopback})
    lock.announce(settings.reachable_url)
    database: EmbeddedPostgreSQL | None = None
    if settings.database_url is None:
        database = EmbeddedPostgreSQL(settings.data_dir, progress=say, lock=lock)
        url = database.start()
    else:
        url = _external_url(settings, web_budget(settings), worker_budget(settings))
    try:
        _migrated(settings, direct_url(settings, url))
        ensure_local_token(settings)
    except BaseException:
        if database is not None:
            database.stop()
        raise
    if not settings.allow_commands:
        say(
            "no pipeline can run a command here: name the folders where they may with --allow-commands FOLDER"
        )
    children = [
        ChildProcess(
            "web",
            lambda: serve(settings, url, lambda: _announce(settings, announced=True), listener=listener),
        ),
        ChildProcess("worker", lambda: _work(settings, url, lambda: None)),
    ]
    code = Supervisor(children, database=database).run()
    if stop_runs:
        _stop_runs(settings)
    raise typer.Exit(code)


def _stop_runs(settings: Settings) -> None:
    launcher = command_launcher(settings)
    for run_id, number in launcher.running():
        launcher.stop(run_id, number, reason=f"{CANCELLED}headwater up --stop-runs ended")


def run_serve(host: HostOption = None, port: PortOption = None, data_dir: ServerDataDir = None) -> None:
    """Run the web part alone, against HEADWATER_DATABASE_URL."""
    settings = settings_with(server_options(host, port, data_dir, None))
    configure_logging(settings)
    url = _external_url(settings, web_budget(settings))
    listener = bind(settings)
    settings = settings.model_copy(update={"port": listener.getsockname()[1]})
    engine = create_database_engine(
        direct_url(settings, url), pool_size=1, application_name="headwater-serve"
    )
    try:
        refuse_to_start(settings, TokenStore(engine))
    finally:
        engine.dispose()
    ensure_local_token(settings)
    serve(settings, url, lambda: _announce(settings, announced=False), listener=listener)


def run_worker(
    data_dir: ServerDataDir = None,
    allow_commands: CommandsOption = None,
) -> None:
    """Run a worker alone, against HEADWATER_DATABASE_URL; runs report to HEADWATER_PUBLIC_URL."""
    settings = settings_with(server_options(None, None, data_dir, allow_commands))
    configure_logging(settings)
    _work(settings, _external_url(settings, worker_budget(settings)), lambda: print_line("worker ready"))


def _work(settings: Settings, url: str, ready: Callable[[], None]) -> None:
    parts = worker_parts(settings, url)
    with followed_log_level(parts.engine, settings.log_level):
        work(parts, ready=ready)


def run_migrate() -> None:
    """Bring the database of HEADWATER_DATABASE_URL to this version's schema."""
    settings = settings_with({})
    engine = create_database_engine(
        direct_url(settings, _external_url(settings)), pool_size=1, application_name="headwater-migrate"
    )
    try:
        print_line("migrated" if migrate(engine) else "nothing to migrate")
    except OperationalError as error:
        told = redact_text(str(error.orig)).strip()
        raise DatabaseUnavailable(f"the database does not answer: {told}"[:500]) from error
    finally:
        engine.dispose()
