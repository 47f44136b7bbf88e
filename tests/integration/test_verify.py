"""`verify` finds nothing in what has lived, and each kind of fault that is planted there."""

import uuid
from pathlib import Path
from typing import Any

import psycopg
import pytest
from psycopg import sql
from sqlalchemy import Engine

from catalog.errors import InvalidInput
from catalog.facts import Outcome, attempt_claimed, attempt_ended, attempt_started
from catalog.ledger import compress
from catalog.queries import load_queries
from catalog.tables import TABLES, TableRole, tables_of
from hooks.verifying.queries import QUERIES
from tests.support import history as history_module
from tests.support.spine import T0, append
from tests.support.verification import faults, verified
from web.verification import CHECKS

PLANTED = load_queries(Path(history_module.__file__).with_name("planted_faults.sql"))


@pytest.fixture
def database_url(lived_database: str) -> str:
    """A database in which an installation has lived."""
    return lived_database


def test_what_has_lived_holds(lived: psycopg.Connection[Any], engine: Engine) -> None:
    found = verified(engine)
    assert {each.check: each.told for each in found.findings if each.wrong} == {}
    assert found.holds
    assert [each.check for each in found.findings] == list(CHECKS)
    # Each check had something to look at.
    assert [each.check for each in found.findings if not each.looked_at] == []
    assert (found.position,) == lived.execute("SELECT max(position) FROM fact").fetchone()
    # Among it what makes the comparison worth something.
    for query in (
        "SELECT FROM applied_late WHERE after > position",
        "SELECT FROM pipeline_run WHERE state = 'failed'",
        "SELECT FROM pipeline_run WHERE state = 'queued'",
        "SELECT FROM pipeline_run WHERE state = 'pending'",
        "SELECT FROM pipeline_run WHERE state = 'cancelled'",
        "SELECT FROM pipeline_run_transition WHERE to_state = 'retrying'",
        "SELECT FROM input_queue WHERE pipeline = 'gives_back'",
        "SELECT FROM attempt_claim WHERE host = ''",
        "SELECT FROM dataset_class",
        "SELECT FROM graph_edge",
    ):
        assert lived.execute(query).fetchone() is not None, query


def test_a_check_changes_nothing_and_is_named(lived: psycopg.Connection[Any], engine: Engine) -> None:
    statement = "SELECT count(*), md5(string_agg(t::text, '' ORDER BY t::text)) FROM {} AS t"

    def contents() -> list[Any]:
        statements = [sql.SQL(statement).format(sql.Identifier(name)) for name in sorted(TABLES)]
        return [lived.execute(each).fetchall() for each in statements]

    before = contents()
    assert verified(engine).holds
    assert contents() == before
    assert [found.check for found in verified(engine, "runs.due").findings] == ["runs.due"]
    with pytest.raises(InvalidInput, match=r"expected checks among ledger\.positions"):
        verified(engine, "runs.duty")


#: What each statement of planted_faults.sql breaks: the check that sees it, and what it says.
FAULTS = {
    "a_fact_is_gone": (
        "ledger.positions",
        "fact 2 was acknowledged, for its digest is known, and is not there",
    ),
    "a_digest_is_gone": ("ledger.positions", "fact 2 has no digest"),
    "a_fact_stands_twice": ("ledger.positions", "fact 4999999 has the digest of fact 2"),
    "a_fact_says_something_else": (
        "ledger.digests",
        "fact 2 (openlineage.run) is not what its digest stands for",
    ),
    "a_fact_cannot_be_read": ("ledger.digests", "fact 2 (openlineage.run) cannot be read: error"),
    "a_cursor_has_gone_too_far": ("followers", "beyond the end of its log"),
    "a_fact_was_passed_over": ("followers", "the state follower took"),
    "nothing_is_parked": ("followers", "graph -1 is parked and is not there"),
    "a_run_is_unknown": ("state", "run 00000000-0000-0000-0000-000000000001: missing"),
    "a_version_too_much": ("state", ": surplus"),
    "a_version_of_another_state": ("state", "different in state"),
    "an_observation_is_gone": ("state", "observation"),
    "a_run_was_made_up": ("runs.transitions", "came to its state by no move"),
    "an_illegal_move": ("runs.transitions", "moved from succeeded to queued"),
    "a_state_without_a_move": ("runs.transitions", "is lost although it last moved to failed"),
    "consumed_by_nobody": ("runs.consumption", "is consumed by a run that does not exist"),
    "consumed_and_waiting": ("runs.consumption", "is consumed and waits all the same"),
    "due_without_a_run": ("runs.due", "pipeline late is due by version"),
    "a_slot_is_free": ("runs.due", "waits although 2 slots are free"),
    "nobody_goes_on_with_a_run": ("runs.jobs", "and no job goes on with its attempt"),
    "a_job_for_nobody": ("runs.jobs", "which does not exist"),
    "a_claim_that_nobody_told": ("attempts.claims", "is claimed and the ledger does not know of it"),
    "a_claim_of_what_was_never_granted": ("attempts.claims", "is claimed and was never granted"),
    "a_start_on_another_host": ("attempts.starts", "and host elsewhere had claimed it"),
    "an_edge_is_gone": ("graph", "missing: edge"),
}


def test_each_fault_that_can_be_planted_has_its_check() -> None:
    assert list(PLANTED) == list(FAULTS)
    checks = {check for check, _ in FAULTS.values()}
    assert checks == set(CHECKS)


@pytest.mark.parametrize("fault", FAULTS)
def test_each_kind_of_fault_is_found(lived: psycopg.Connection[Any], engine: Engine, fault: str) -> None:
    check, told = FAULTS[fault]
    assert lived.execute(PLANTED[fault]).rowcount > 0
    found = faults(engine, check)
    assert any(told in text for text in found[check]), found


def test_words_of_another_release_are_no_fault(lived: psycopg.Connection[Any], engine: Engine) -> None:
    for table, words in (
        ("command_result", "message"),
        ("pipeline_run", "reason"),
        ("pipeline_run_transition", "reason"),
        ("decision", "reason"),
    ):
        reworded = sql.SQL("UPDATE {table} SET {words} = {words} || ' (as it was said then)'")
        query = reworded.format(table=sql.Identifier(table), words=sql.Identifier(words))
        assert lived.execute(query).rowcount > 0
    assert verified(engine, "state").holds
    lived.execute("UPDATE pipeline_run SET attempts_left = attempts_left + 1 WHERE number = 1")
    assert any(text.startswith("pipeline_run ") for text in faults(engine, "state")["state"])


def test_what_looked_like_a_credential_to_another_release_is_no_fault(
    lived: psycopg.Connection[Any], engine: Engine
) -> None:
    warned = (
        "UPDATE command_result SET result = jsonb_insert(result, '{documents,0,warnings,0}', %s::jsonb)"
        " WHERE position = (SELECT min(position) FROM command_result WHERE result ? 'documents')"
    )
    written_out = (
        '{"code": "credential-written-out", "message": "/spec: it looked like one", "dataset": null}'
    )
    assert lived.execute(warned, (written_out,)).rowcount == 1
    assert verified(engine, "state").holds

    assert lived.execute(warned, ('{"code": "reads-undeclared"}',)).rowcount == 1
    assert any(text.startswith("command_result ") for text in faults(engine, "state")["state"])


def test_a_start_told_twice_is_found(lived: psycopg.Connection[Any], engine: Engine) -> None:
    (run, attempt) = lived.execute(
        "SELECT run_id, attempt FROM attempt_claim WHERE host <> '' LIMIT 1"
    ).fetchone() or (uuid.UUID(int=0), 0)
    again = attempt_started(run, attempt, host="host", pid=None, at=T0)
    append(lived, [type(again)(again.kind, b"another digest 1", again.actor, again.body, run_id=run)])
    (told,) = faults(engine, "attempts.starts")["attempts.starts"]
    assert told.startswith(f"attempt {attempt} of run {run}: fact")
    assert told.endswith("tells of attempt.started a second time")


def test_an_outcome_that_was_forgotten_is_found_by_following_again(
    lived: psycopg.Connection[Any], engine: Engine
) -> None:
    # A fact that the state does not show, as if a worker had taken it and written nothing.
    (run, attempt) = lived.execute(
        "SELECT id, attempt FROM pipeline_run WHERE state = 'queued' LIMIT 1"
    ).fetchone() or (uuid.UUID(int=0), 0)
    facts = [
        attempt_claimed(run, attempt, host="host"),
        attempt_ended(run, attempt, Outcome.EXITED, actor="host:host", at=T0, exit_code=0),
    ]
    places = append(lived, facts)
    lived.execute(
        "UPDATE follower SET position = %s, processed = processed + 2 WHERE name = 'state'",
        (places[-1].position,),
    )
    found = faults(engine, "followers", "state")
    assert list(found) == ["state"]
    assert any(text.startswith(f"pipeline_run {run}: different in") for text in found["state"])


def test_a_fact_that_cannot_be_applied_again_is_found(lived: psycopg.Connection[Any], engine: Engine) -> None:
    lived.execute("UPDATE fact SET body = %s WHERE position = 1", (compress(b"[]"),))
    assert any(
        "fact 1 (documents.apply) was applied and cannot be again" in told
        for told in faults(engine, "state")["state"]
    )


def test_every_table_is_known_and_every_table_of_the_state_can_be_compared(
    lived: psycopg.Connection[Any],
) -> None:
    rows = lived.execute(
        "SELECT c.relname FROM pg_class c WHERE c.relnamespace = 'public'::regnamespace AND c.relkind IN ('r', 'p')"
        " AND NOT c.relispartition AND c.relname <> 'alembic_version'"
    )
    assert sorted(name for (name,) in rows) == sorted(TABLES)
    for name in tables_of(TableRole.STATE):
        columns = lived.execute(QUERIES["columns"], {"table": name}).fetchall()
        assert any(is_key for _, _, is_key in columns), name
        generated = sql.SQL(
            "SELECT count(*) FROM pg_attribute WHERE attrelid = {}::regclass AND attidentity <> ''"
        ).format(sql.Literal(name))
        drawn = lived.execute(generated).fetchone()
        # A number that is drawn differs from one following to the next: such a table says how it is compared.
        assert drawn == (0,) or name in QUERIES, name
