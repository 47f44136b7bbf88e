"""Every finding of the doctor, with what it found and what to do; none is `ok` because nobody could look."""

import contextlib
import importlib.metadata
from pathlib import Path
from typing import Any

import pytest

from catalog.settings import Settings
from graph.following import GRAPH_FOLLOWER_LOCK
from hooks.state_follower import STATE_FOLLOWER_LOCK
from hooks.webhooks.outbox import WEBHOOK_FOLLOWER_LOCK
from tests.services.postgresql import drop_database, fresh_database
from tests.support.spine import connect
from tests.support.web import ALL_ADDRESSES
from web.access.local_token import ensure_local_token
from web.doctor import Finding, Status, diagnose

#: What is not well where no worker runs and the test's server does not wait for its disk.
WITHOUT_WORKER = {"follower.state", "follower.graph", "follower.webhooks", "workers"}
NOT_DURABLE = {"durability.fsync", "durability.full_page_writes", "durability.synchronous_commit"}


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    tmp_path.chmod(0o700)
    return Settings(data_dir=tmp_path, min_free_disk_bytes=1)


def not_well(findings: list[Finding]) -> dict[str, Finding]:
    """Return by name what is not ok; all of it says what to do, and all else needs no advice."""
    assert all(bool(finding.advice) is (finding.status is not Status.OK) for finding in findings)
    assert all(finding.found for finding in findings)
    return {finding.check: finding for finding in findings if finding.status is not Status.OK}


def after(database_url: str, settings: Settings, *statements: str) -> dict[str, Finding]:
    """Return what is not well after the statements, but for what tests always lack."""
    with contextlib.closing(connect(database_url)) as connection:
        for statement in statements:
            connection.execute(statement)
    found = not_well(diagnose(settings, database_url))
    return {name: finding for name, finding in found.items() if name not in WITHOUT_WORKER | NOT_DURABLE}


def test_a_new_catalog_lacks_a_worker_and_nothing_else(database_url: str, settings: Settings) -> None:
    findings = diagnose(settings, database_url)
    found = not_well(findings)
    assert set(found) == WITHOUT_WORKER | NOT_DURABLE
    assert "headwater worker" in found["workers"].advice
    assert {finding.check for finding in findings if finding.status is Status.OK} == {
        "versions",
        "variables",
        "dependencies",
        "disk",
        "data-folder",
        "local-token",
        "address",
        "database",
        "sessions",
        "connections",
        "clock",
        "migrations",
        "ledger",
        "parked",
        "pause",
        "retention",
        "queue.waiting",
        "queue.stalled",
        "queue.failed",
        "webhooks",
        "queue.left",
        "hosts",
        "launches",
    }


def test_settings_that_lose_data_are_problems(database_url: str, settings: Settings) -> None:
    found = not_well(diagnose(settings, database_url))
    for check in NOT_DURABLE:
        assert found[check].status is Status.PROBLEM
        assert found[check].found.startswith("off: a crash")
        assert "ALTER SYSTEM" in found[check].advice


def test_a_catalog_at_work_is_well(database_url: str, settings: Settings) -> None:
    ensure_local_token(settings)
    with contextlib.closing(connect(database_url)) as worker:
        for lock in (STATE_FOLLOWER_LOCK, GRAPH_FOLLOWER_LOCK, WEBHOOK_FOLLOWER_LOCK):
            worker.execute("SELECT pg_advisory_lock(%s)", (lock,))
        worker.execute("UPDATE follower SET holder = 'worker 1'")
        worker.execute("INSERT INTO procrastinate_workers DEFAULT VALUES")
        worker.execute("INSERT INTO host VALUES ('h', 'harbour', now())")
        findings = diagnose(settings, database_url)
    assert set(not_well(findings)) == NOT_DURABLE
    found = {finding.check: finding.found for finding in findings}
    assert found["follower.state"].startswith("followed by worker 1")
    assert "harbour" in found["hosts"]


def test_a_database_that_does_not_answer_leaves_the_rest_unknown(settings: Settings) -> None:
    url = "postgresql+psycopg://user:hunter2@127.0.0.1:1/nowhere"
    findings = diagnose(settings, url)
    found = not_well(findings)
    assert found["database"].status is Status.PROBLEM
    assert {name for name, finding in found.items() if finding.status is Status.UNKNOWN} == {
        "sessions",
        "connections",
        "durability",
        "clock",
        "migrations",
        "ledger",
        "follower",
        "parked",
        "pause",
        "retention",
        "queue",
        "webhooks",
        "workers",
    }
    assert "hunter2" not in str(findings)


@pytest.mark.parametrize("url", ["nonsense", "mysql://x", "postgresql://u:hunter2@/d?host=/nowhere"])
def test_a_url_that_is_none_is_a_finding_and_no_failure(settings: Settings, url: str) -> None:
    findings = diagnose(settings, url)
    assert not_well(findings)["database"].status is Status.PROBLEM
    assert "hunter2" not in str(findings)


def test_a_schema_that_is_not_this_versions(cluster_url: str, database_url: str, settings: Settings) -> None:
    empty = fresh_database(cluster_url)
    found = not_well(diagnose(settings, empty))
    drop_database(empty)
    assert found["migrations"].status is Status.PROBLEM
    assert "headwater migrate" in found["migrations"].advice
    assert found["follower"].status is Status.UNKNOWN
    found = after(database_url, settings, "UPDATE alembic_version SET version_num = '9999'")
    assert "newer" in found["migrations"].found


def test_parked_facts_say_how_to_retry_them(database_url: str, settings: Settings) -> None:
    found = after(
        database_url,
        settings,
        "INSERT INTO parked (follower, position, error_code, error) VALUES ('state', 12, 'internal', 'x'),"
        " ('state', 7, 'invalid-event', 'y')",
    )
    [(check, finding)] = found.items()
    assert check == "parked"
    assert finding.found == "2 parked by the state follower, the first at position 7 (invalid-event)"
    assert "headwater follower retry" in finding.advice


def test_facts_that_nobody_follows(database_url: str, settings: Settings) -> None:
    with contextlib.closing(connect(database_url)) as worker:
        worker.execute("SELECT pg_advisory_lock(%s)", (STATE_FOLLOWER_LOCK,))
        for seconds, status in ((10, Status.WARNING), (100, Status.PROBLEM)):
            worker.execute("TRUNCATE fact")
            worker.execute(
                "INSERT INTO fact (position, kind, received_at, actor, digest, body)"
                " VALUES (3, 'x', now() - make_interval(secs => %s), 'test', 'd', 'b')",
                (seconds,),
            )
            found = not_well(diagnose(settings, database_url))["follower.state"]
            assert found.status is status
            assert "3 positions behind" in found.found
            assert "nobody" not in found.found
    assert "followed by nobody" in not_well(diagnose(settings, database_url))["follower.state"].found


TASK = "'headwater.launch'"
JOB = "INSERT INTO procrastinate_jobs (queue_name, task_name, status, scheduled_at) VALUES"


@pytest.mark.parametrize(
    ("statement", "check", "text"),
    [
        (
            f"{JOB} ('launch', {TASK}, 'todo', now() - interval '1 minute')",
            "queue.waiting",
            "--allow-commands",
        ),
        (f"{JOB} ('host:h', {TASK}, 'todo', now() - interval '1 minute')", "queue.waiting", "that host"),
        (f"{JOB} ('launch', {TASK}, 'doing', NULL)", "queue.stalled", "headwater worker"),
        (f"{JOB} ('launch', {TASK}, 'failed', NULL)", "queue.failed", "log"),
    ],
)
def test_jobs_that_do_not_get_on(
    database_url: str, settings: Settings, statement: str, check: str, text: str
) -> None:
    [(found, finding)] = after(database_url, settings, statement).items()
    assert found == check
    assert text in finding.advice


def test_jobs_that_are_not_due_are_no_finding(database_url: str, settings: Settings) -> None:
    assert after(database_url, settings, f"{JOB} ('launch', {TASK}, 'todo', now() + interval '1 hour')") == {}
    assert after(database_url, settings, f"{JOB} ('launch', {TASK}, 'todo', NULL)") == {}


RUNNING_ON_A_SILENT_HOST = """
INSERT INTO host VALUES ('h', 'harbour', now() - interval '10 minutes');
WITH started AS (
    INSERT INTO pipeline_run (id, pipeline, number, document_version, state, cause, actor, causal_depth, batch_open,
                              attempt, attempts_left, due_position, due_at, reason)
    VALUES (gen_random_uuid(), 'p', 1, 1, 'running', 'version', 'x', 1, false, 1, 0, 1, now(), '')
    RETURNING id
)
INSERT INTO attempt_claim (run_id, attempt, host) SELECT id, 1, 'h' FROM started;
"""


PIPELINE = """
INSERT INTO pipeline (name, document_version, state, position) VALUES ('p', 1, 'active', 1)
"""


def test_pipelines_whose_runs_nobody_launches(database_url: str, settings: Settings) -> None:
    # A worker that takes no launches, and one that did a minute ago.
    hosts = (
        "INSERT INTO host (id, name, heartbeat_at, launches_at) VALUES ('a', 'harbour', now(), NULL),"
        " ('b', 'bridge', now(), now() - interval '1 minute')"
    )
    [(check, finding)] = after(database_url, settings, PIPELINE, hosts).items()
    assert check == "launches"
    assert "--allow-commands" in finding.advice
    by_request = (
        "INSERT INTO document (kind, name, version, digest, body, position, at, actor)"
        """ VALUES ('Pipeline', 'p', 1, 'd', '{"spec": {"launch": {"http": {}}}}', 1, now(), 'ada')"""
    )
    assert after(database_url, settings, by_request) == {}
    assert after(database_url, settings, "DELETE FROM document") != {}
    assert after(database_url, settings, "UPDATE host SET launches_at = now() WHERE id = 'a'") == {}


def test_a_host_that_fell_silent_with_attempts(database_url: str, settings: Settings) -> None:
    [(check, finding)] = after(database_url, settings, RUNNING_ON_A_SILENT_HOST).items()
    assert check == "hosts"
    assert "harbour has been silent" in finding.found


@pytest.mark.parametrize(
    ("further", "status"),
    [({"min_free_disk_bytes": 2**62}, Status.PROBLEM), ({"min_free_disk_bytes": 1}, None)],
)
def test_the_disk(
    database_url: str, settings: Settings, further: dict[str, Any], status: Status | None
) -> None:
    found = after(database_url, settings.model_copy(update=further)).get("disk")
    assert (found.status if found else None) is status


def test_places_that_others_can_reach(database_url: str, settings: Settings) -> None:
    ensure_local_token(settings)
    settings.local_token_file.chmod(0o644)
    settings.data_dir.chmod(0o777)
    found = after(database_url, settings)
    assert {name: finding.status for name, finding in found.items()} == {
        "local-token": Status.PROBLEM,
        "data-folder": Status.PROBLEM,
    }
    assert "0644" in found["local-token"].found


def test_tokens_matter_where_others_can_connect(database_url: str, settings: Settings) -> None:
    beyond = settings.model_copy(update={"host": ALL_ADDRESSES})
    [(check, finding)] = after(database_url, beyond).items()
    assert check == "tokens"
    assert "headwater token create" in finding.advice
    token = "INSERT INTO token (name, role, hash, expires_at) VALUES"
    soon = after(database_url, beyond, f"{token} ('a', 'admin', 'a', now() + interval '1 day')")
    assert soon["tokens"].status is Status.WARNING
    assert after(database_url, settings) == {}


def test_an_address_that_is_none(database_url: str, settings: Settings) -> None:
    found = after(database_url, settings.model_copy(update={"host": "no.such.host.invalid"}))
    assert found["address"].status is Status.PROBLEM


def test_the_versions_are_named(database_url: str, settings: Settings) -> None:
    findings = {finding.check: finding for finding in diagnose(settings, database_url)}
    assert importlib.metadata.version("headwater") in findings["versions"].found
