"""Fixtures that every kind of test shares: a real PostgreSQL for the session, a migrated database for each test."""

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import hypothesis
import pytest
import structlog
from sqlalchemy import Engine
from xdist.scheduler import LoadScopeScheduling

from catalog.database import create_database_engine
from catalog.migrations import migrate
from graph.log import ObservationLog
from graph.neo4j.connection import Neo4jSessions
from graph.neo4j.store import Neo4jGraph
from tests.services.former_release import FormerRelease, find_former_release, unpack_former_release
from tests.services.neo4j import given_url, usable_neo4j
from tests.services.pgbouncer import PROGRAM
from tests.services.postgresql import drop_database, embedded_cluster, fresh_database
from tests.support.neo4j_graphs import begin_empty, sessions_with

# A loaded machine is no reason to fail an example.
hypothesis.settings.register_profile(
    "suite", deadline=None, suppress_health_check=[hypothesis.HealthCheck.too_slow]
)
hypothesis.settings.load_profile("suite")

PROJECT = Path(__file__).parent.parent
#: Beginning of the ids of tests that start whole installations.
ACCEPTANCE = "tests/acceptance/"
DATA = Path(os.environ.get("HEADWATER_TEST_DATA", PROJECT.parent / "shared" / "data"))


def missing() -> dict[str, str]:
    """Return the markers whose tests cannot run here, with the reason."""
    found = {}
    if not DATA.is_dir():
        found["interop"] = f"there is no folder {DATA}"
    if find_former_release() is None:
        found["history"] = "the history lacks the release before: git fetch --unshallow --tags"
    if PROGRAM is None:
        found["pgbouncer"] = "the program pgbouncer is not installed"
    if os.geteuid() != 0:
        found["root"] = "this user is not root"
    if not os.environ.get("HEADWATER_TEST_AIRFLOW"):
        found["airflow"] = "make test-airflow installs Airflow and runs them"
    if not (os.environ.get("HEADWATER_TEST_NEO4J") or given_url()):
        found["neo4j"] = (
            "make test-neo4j starts a Neo4j, or uses that of HEADWATER_TEST_NEO4J_URL, and runs them"
        )
    return found


def pytest_report_header() -> list[str]:
    """Say which release is the one before, what is deselected, and why."""
    former = f"the release before this one: {find_former_release() or 'not known'}"
    return [former, *(f"{marker} tests are deselected: {reason}" for marker, reason in missing().items())]


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Deselect what cannot run here; begin with what takes longest, whoever shuffled before."""
    for marker in missing():
        deselected = [item for item in items if item.get_closest_marker(marker) is not None]
        config.hook.pytest_deselected(items=deselected)
        items[:] = [item for item in items if item.get_closest_marker(marker) is None]
    items.sort(key=lambda item: not item.nodeid.startswith(ACCEPTANCE))


class Scheduling(LoadScopeScheduling):
    """Gives each test to whichever process of the suite is free, but those that start installations to one of them.

    These use both processors by themselves: two at once would time each other out.
    """

    def _split_scope(self, nodeid: str) -> str:
        return ACCEPTANCE if nodeid.startswith(ACCEPTANCE) else nodeid


def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> Scheduling:
    """Return how tests are given to the processes of the suite."""
    return Scheduling(config, log)


@pytest.hookimpl(tryfirst=True)
def pytest_sessionfinish(session: pytest.Session, exitstatus: int) -> None:
    """Fail a session in which a test was skipped: a skip is a test that did not run."""
    reporter = session.config.pluginmanager.get_plugin("terminalreporter")
    if reporter is not None and reporter.stats.get("skipped") and exitstatus == pytest.ExitCode.OK:
        reporter.write_line("a test was skipped, which counts as a failure", red=True)
        session.exitstatus = pytest.ExitCode.TESTS_FAILED


@pytest.fixture(scope="session", autouse=True)
def plain_logs() -> None:
    """Write tracebacks as plain text: drawn with every local variable, each takes seconds."""
    structlog.configure(
        processors=[
            structlog.processors.add_log_level,
            structlog.processors.format_exc_info,
            structlog.processors.KeyValueRenderer(key_order=["level", "event"]),
        ]
    )


@pytest.fixture(scope="session")
def interop_data() -> Path:
    """The folder with real material that nobody in this project wrote."""
    return DATA


@pytest.fixture(scope="session")
def cluster_url() -> Iterator[str]:
    """The URL of a PostgreSQL that lives for the session."""
    with embedded_cluster() as url:
        yield url


@pytest.fixture(scope="session")
def template_database(cluster_url: str) -> str:
    """The name of a migrated database to copy."""
    url = fresh_database(cluster_url)
    engine = create_database_engine(url, pool_size=1, application_name="headwater-test")
    migrate(engine)
    engine.dispose()
    return url.split("?", maxsplit=1)[0].rsplit("/", 1)[1]


@pytest.fixture
def database_url(cluster_url: str, template_database: str) -> Iterator[str]:
    """The URL of a migrated database of the test's own."""
    url = fresh_database(cluster_url, template_database)
    yield url
    drop_database(url)


@pytest.fixture
def empty_database(cluster_url: str) -> Iterator[str]:
    """The URL of a database of the test's own that was never migrated."""
    url = fresh_database(cluster_url)
    yield url
    drop_database(url)


@pytest.fixture(scope="session")
def former_release(tmp_path_factory: pytest.TempPathFactory) -> FormerRelease:
    """The code of the release before; for tests marked `history`."""
    return unpack_former_release(tmp_path_factory.mktemp("former"))


@pytest.fixture
def engine(database_url: str) -> Iterator[Engine]:
    """An engine on the test's own database."""
    engine = create_database_engine(database_url, pool_size=5, application_name="headwater-test")
    yield engine
    engine.dispose()


@pytest.fixture(scope="session")
def neo4j_sessions() -> Iterator[Neo4jSessions]:
    """Sessions with a Neo4j that lives for the session; for tests marked `neo4j`."""
    with usable_neo4j() as access, sessions_with(access) as sessions:
        yield sessions


@pytest.fixture
def neo4j_graph(neo4j_sessions: Neo4jSessions, engine: Engine) -> Neo4jGraph:
    """An empty graph in Neo4j, whose log is in the test's own database; for tests marked `neo4j`."""
    begin_empty(neo4j_sessions)
    return Neo4jGraph(neo4j_sessions, ObservationLog(engine))
