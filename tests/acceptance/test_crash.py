"""Laws 1, 3 and 4 against kill -9: what was acknowledged is kept, what is due runs once."""

import pytest

from benchmarks.crash import KINDS, measure_crash


@pytest.mark.timeout(600)
def test_nothing_is_lost_and_nothing_runs_twice_when_processes_are_killed() -> None:
    # It raises where a count is wrong; the long form is `python -m benchmarks crash`.
    result = measure_crash(kills=20, events=500)
    assert result["acknowledged_count"] == 500
    # Each kind came up as often as any other.
    assert result["kills"] == dict.fromkeys(KINDS, 4)
    assert result["graph_differences"] == 0
