"""A pipeline run found by the beginning of its UUID: exactly, however many runs there are."""

import uuid
from pathlib import Path

from tests.support.graphql import Asking, asked
from tests.support.spine import connect
from web.graphql.loaders.pipeline_runs import QUERIES

ONE = "query ($prefix: String!) { pipelineRun(idPrefix: $prefix) { id number } }"
OLDEST = uuid.UUID("abcd0123-4567-89ab-cdef-0123456789ab")
#: What a row needs beside its identity, number and position.
ROWS = """
INSERT INTO pipeline_run (id, pipeline, number, document_version, state, cause, actor, causal_depth, batch_open,
                          attempts_left, due_position, due_at, reason)
SELECT id, 'p', number, 1, 'succeeded', 'versions', 'headwater', 1, false, 0, number, now(), 'because'
FROM unnest(%s::uuid[], %s::bigint[]) AS r (id, number)
"""


def runs(database_url: str, ids: list[uuid.UUID]) -> None:
    with connect(database_url) as connection:
        connection.execute(ROWS, (ids, list(range(1, len(ids) + 1))))
        connection.execute("ANALYZE pipeline_run")


def test_the_oldest_of_very_many_is_found_by_its_range_of_the_primary_key(
    database_url: str, tmp_path: Path
) -> None:
    # All others begin with zeros, so that no chance decides.
    runs(database_url, [OLDEST, *(uuid.UUID(int=n) for n in range(1, 12_001))])

    async def story(ask: Asking) -> None:
        for prefix in ("abcd", "ABCD0123-", "abcd0123-4567-89ab-cdef-0123456789a", str(OLDEST)):
            found = await ask.data(ONE, {"prefix": prefix})
            assert found == {"pipelineRun": {"id": str(OLDEST), "number": 1}}, prefix
        assert await ask.data(ONE, {"prefix": "abce"}) == {"pipelineRun": None}

    asked(database_url, tmp_path, story)
    with connect(database_url) as connection:
        values = {"least": OLDEST, "greatest": OLDEST, "limit": 6}
        plan = "\n".join(row[0] for row in connection.execute(b"EXPLAIN " + QUERIES["by_range"], values))
    assert "Index Scan using pipeline_run_pkey" in plan


def test_several_are_an_error_that_names_them(database_url: str, tmp_path: Path) -> None:
    same = [uuid.UUID(f"0402f88{digit}-73f1-5897-843c-df52f030484c") for digit in "012"]
    many = [uuid.UUID(f"ffff{n:04x}-0000-0000-0000-000000000000") for n in range(9)]
    runs(database_url, [*same, *many])

    async def story(ask: Asking) -> None:
        (error,) = await ask.errors(ONE, {"prefix": "0402f88"})
        assert error["extensions"]["code"] == "invalid-input"
        assert error["message"] == (
            "expected one run to begin with 0402f88, found 3: "
            + ", ".join(f"{run} (p/{number})" for number, run in enumerate(same, 1))
        )
        (error,) = await ask.errors(ONE, {"prefix": "ffff"})
        assert "found more than 5: ffff0000-" in error["message"]
        assert (await ask.data(ONE, {"prefix": "0402f881"}))["pipelineRun"]["id"] == str(same[1])

    asked(database_url, tmp_path, story)


def test_what_begins_no_uuid_is_refused(database_url: str, tmp_path: Path) -> None:
    async def story(ask: Asking) -> None:
        for prefix in (
            "",
            "abc",
            "abcg",
            "abcd-",
            "abcd01234",
            "%%%%",
            "\uff41\uff42\uff43\uff44",
            f"{OLDEST}0",
        ):
            assert await ask.code(ONE, {"prefix": prefix}) == "invalid-input", prefix
        both = f'{{ pipelineRun(id: "{OLDEST}", idPrefix: "abcd") {{ id }} }}'
        assert await ask.code(both) == "invalid-input"
        assert await ask.code("{ pipelineRun { id } }") == "invalid-input"

    asked(database_url, tmp_path, story)
