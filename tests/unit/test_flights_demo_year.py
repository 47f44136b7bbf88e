"""What the flights demo calls a good year, and what it must not."""

import importlib.util
import sys
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

_FILE = Path(__file__).parent.parent.parent / "examples" / "flights" / "demo_year.py"
_SPECIFICATION = importlib.util.spec_from_file_location("demo_year", _FILE)
assert _SPECIFICATION is not None
assert _SPECIFICATION.loader is not None
demo: Any = importlib.util.module_from_spec(_SPECIFICATION)
sys.modules["demo_year"] = demo
_SPECIFICATION.loader.exec_module(demo)

NOON = datetime(2026, 1, 1, 12, tzinfo=UTC)
Runs = list[Any]


def a_run(pipeline: str, number: int, consumed: list[Any], made: list[Any]) -> Any:
    return demo.PipelineRun(
        id=f"{pipeline}/{number}",
        pipeline=pipeline,
        number=number,
        state="succeeded",
        reason="exit code 0",
        attempts=1,
        due_at=NOON,
        slot_at=NOON,
        started_at=NOON,
        ended_at=NOON,
        consumed=tuple(consumed),
        made=tuple(made),
    )


def version(name: str, dataset: str | None = None, partition: str | None = None) -> Any:
    return demo.Version(name, dataset, partition)


def good_year() -> Runs:
    """Twelve loads; one build of the first month and one of the others; a page for each build."""
    loads = [
        a_run(demo.LOAD, n, [version(f"csv{n}", None, month)], [version(f"raw{n}", demo.RAW)])
        for n, month in enumerate(demo.MONTHS)
    ]
    raw = [load.made[0] for load in loads]
    marts = [version("mart1", demo.MART), version("mart2", demo.MART)]
    builds = [a_run(demo.DBT, 1, raw[:1], marts[:1]), a_run(demo.DBT, 2, raw[1:], marts[1:])]
    pages = [a_run(demo.PAGE, 1, marts[:1], []), a_run(demo.PAGE, 2, marts[1:], [])]
    return [*loads, *builds, *pages]


def faults(runs: Runs, earlier: Runs | None = None) -> list[str]:
    year = demo.Year(earlier=earlier or [])
    year.take([*(earlier or []), *runs])
    found: list[str] = year.faults()
    return found


def test_a_year_in_which_everything_ran_once_has_no_fault() -> None:
    assert faults(good_year()) == []


def test_runs_and_versions_of_an_earlier_demo_do_not_count() -> None:
    # The second demo's loads land an unchanged table again: its version is an old one that nobody waits for.
    airlines = version("airlines", "dataset:airlines")
    earlier = a_run(demo.LOAD, 100, [], [airlines])
    runs = good_year()
    runs[0] = replace(runs[0], made=(*runs[0].made, airlines))
    assert faults(runs, [earlier]) == []
    assert faults(runs) != []


@pytest.mark.parametrize(
    "spoil",
    [
        pytest.param(lambda runs: runs.pop(0), id="a month was not landed"),
        pytest.param(lambda runs: runs.append(replace(runs[0], id="again", number=99)), id="landed twice"),
        pytest.param(lambda runs: runs.pop(), id="the last mart has no page"),
        pytest.param(lambda runs: runs.pop(-2), id="an earlier mart has no page"),
        pytest.param(lambda runs: runs.pop(12), id="a landed month was not built"),
        pytest.param(lambda runs: swap(runs, 5, state="failed"), id="a run failed"),
        pytest.param(lambda runs: swap(runs, 13, state="running"), id="a run goes on"),
        pytest.param(lambda runs: swap(runs, 14, attempts=2), id="a run was tried twice"),
        pytest.param(
            lambda runs: swap(runs, 15, consumed=runs[14].consumed), id="one mart was reported twice"
        ),
        pytest.param(
            lambda runs: swap(runs, 13, consumed=runs[13].consumed[1:]), id="a version was left out"
        ),
        pytest.param(lambda runs: swap(runs, 15, number=0), id="the last page is not of the last mart"),
        pytest.param(lambda runs: runs.clear(), id="nothing ran"),
    ],
)
def test_a_year_that_went_otherwise_has_a_fault(spoil: Callable[[Runs], object]) -> None:
    runs = good_year()
    spoil(runs)
    assert faults(runs) != []


def swap(runs: Runs, place: int, **changed: Any) -> None:
    runs[place] = replace(runs[place], **changed)
