"""An attempt that takes too long is ended by its worker, told as timed out, and tried again as the document says."""

import time
from pathlib import Path
from typing import Any

import psycopg
import pytest

from catalog.facts import version_report
from catalog.keys import DatasetKey
from tests.support.processes import lines, part, wait_for_lines
from tests.support.spine import T0, append, apply_fact, connect, parked, pipeline_body


def wait_until_ended(connection: psycopg.Connection[Any], seconds: float) -> tuple[str, int]:
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        row = connection.execute(
            "SELECT state, attempt FROM pipeline_run WHERE ended_at IS NOT NULL"
        ).fetchone()
        if row is not None:
            return row[0], row[1]
        time.sleep(0.1)
    raise AssertionError(f"expected the run to end within {seconds} s")


@pytest.mark.timeout(120)
def test_an_attempt_that_takes_too_long_is_timed_out_and_tried_again(
    tmp_path: Path, database_url: str
) -> None:
    told = tmp_path / "told.txt"
    # Nothing but the deadline ends it: it would sleep for an hour.
    script = 'echo "$HEADWATER_ATTEMPT $$" >> "$0"; exec sleep 3600'
    document = pipeline_body(
        "slow",
        "a",
        launch={"command": {"argv": ["sh", "-c", script, str(told)]}},
        timeout="1s",
        retries={"count": 1, "outcomes": ["timed_out"], "backoff": {"initial": "10ms", "maximum": "10ms"}},
    )
    with (
        part("worker", "--allow-commands", str(tmp_path), data_dir=tmp_path, url=database_url),
        connect(database_url) as connection,
    ):
        append(connection, [apply_fact(document)])
        append(connection, [version_report(DatasetKey("ns", "a"), actor="test", time=T0, key="1")])
        wait_for_lines(told, 2, 60)
        assert wait_until_ended(connection, 30) == ("timed_out", 2)
        assert parked(connection) == []
        moves = connection.execute(
            "SELECT to_state, attempt FROM pipeline_run_transition ORDER BY sequence"
        ).fetchall()
        reason = connection.execute("SELECT reason FROM pipeline_run").fetchone()
    assert [state for state, attempt in moves if state in ("retrying", "timed_out")] == [
        "retrying",
        "timed_out",
    ]
    assert reason is not None
    assert "still running at" in reason[0]
    # Each attempt started once, and nothing of them is left.
    assert [line.split()[0] for line in lines(told)] == ["1", "2"]
    for line in lines(told):
        assert not Path(f"/proc/{line.split()[1]}").exists()
