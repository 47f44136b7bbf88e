"""The sets of run states that SQL writes out are those that `policies.transitions` names."""

import re
from collections.abc import Iterator
from pathlib import Path

from catalog.queries import load_queries
from policies.transitions import HOLDS_SLOT, WAITS_FOR_SLOT, WITH_HOST, RunState
from tests.support.spine import connect

PROJECT = Path(__file__).parents[2]
RUNS = re.compile(r"\bpipeline_run\b")
STATE_IN = re.compile(r"\bstate IN \(([^)]*)\)")
STATE_IS = re.compile(r"\bstate (?:=|<>) '(\w+)'")


def states_in(text: str) -> frozenset[RunState]:
    return frozenset(RunState(word) for word in re.findall(r"'(\w+)'", text))


def statements_with_states() -> Iterator[tuple[str, str]]:
    for room in ("catalog", "graph", "hooks", "web"):
        for path in sorted((PROJECT / room).rglob("*.sql")):
            if "migrations" not in path.parts:
                for name, statement in load_queries(path).items():
                    text = statement.decode()
                    if RUNS.search(text) and (STATE_IN.search(text) or STATE_IS.search(text)):
                        yield f"{path.relative_to(PROJECT)}:{name}", text


STATEMENTS = dict(statements_with_states())


def test_each_statement_about_runs_writes_out_the_set_that_it_means() -> None:
    lists = {
        name: [states_in(listed) for listed in STATE_IN.findall(text)]
        for name, text in STATEMENTS.items()
        if STATE_IN.search(text)
    }
    # Whoever writes out states in another statement says here which set they are.
    assert lists == {
        "hooks/deciding/deciding.sql:runs_by_pipeline": [HOLDS_SLOT],
        "hooks/deciding/deciding.sql:waiting_runs": [WAITS_FOR_SLOT],
        "web/doctor/doctor.sql:hosts": [WITH_HOST],
    }
    assert {state for text in STATEMENTS.values() for state in STATE_IS.findall(text)} <= set(RunState)


def test_the_indexes_of_runs_hold_the_same_sets(database_url: str) -> None:
    with connect(database_url) as connection:
        rows = connection.execute(
            "SELECT pg_get_expr(indpred, indrelid) FROM pg_index"
            " WHERE indrelid = 'pipeline_run'::regclass AND indpred IS NOT NULL"
        ).fetchall()
    assert {states_in(predicate) for (predicate,) in rows} == {HOLDS_SLOT, WAITS_FOR_SLOT}
