import datetime as dt
import io
from typing import Any

from rich.console import Console
from rich.tree import Tree

from web.cli.why import causes_tree

NOW = dt.datetime(2026, 1, 1, 12, 0, 30, tzinfo=dt.UTC)


def drawn(tree: Tree) -> list[str]:
    stream = io.StringIO()
    Console(file=stream, width=100_000, markup=False).print(tree, no_wrap=True, overflow="ignore", crop=False)
    return [line.rstrip() for line in stream.getvalue().splitlines()]


def run(**parts: Any) -> dict[str, Any]:
    return {
        "id": "0" * 8,
        "pipelineName": "report",
        "number": 3,
        "state": "SUCCEEDED",
        "reason": "exit code 0",
        "dueAt": "2026-01-01T12:00:00Z",
        "startedAt": "2026-01-01T12:00:00.040Z",
        "endedAt": "2026-01-01T12:00:02.540Z",
        "causes": {"complete": True, "reason": None, "nodes": []},
        **parts,
    }


def cause(index: int, parent: int | None, kind: str, text: str, **parts: Any) -> dict[str, Any]:
    return {
        "index": index,
        "parent": parent,
        "level": 0 if parent is None else 1,
        "kind": kind,
        "text": text,
        "at": "2026-01-01T12:00:00Z",
        "position": None,
        "repeated": False,
        "explainedAt": None,
        "version": None,
        "run": None,
        "pipelineRun": None,
        **parts,
    }


def test_a_chain_stands_below_the_run_with_times_and_durations() -> None:
    nodes = [
        cause(0, None, "VERSION", "version of dataset:ns:mart", position=9, version={"rowCount": 12}),
        cause(
            1,
            0,
            "RUN",
            "run 1 of job:ns:build",
            run={"startedAt": "2026-01-01T11:59:00Z", "endedAt": "2026-01-01T11:59:59Z"},
        ),
        cause(
            2,
            1,
            "PIPELINE_RUN",
            "run 7 of pipeline build",
            pipelineRun={
                "dueAt": "2026-01-01T11:58:59Z",
                "startedAt": "2026-01-01T11:58:59.030Z",
                "endedAt": "2026-01-01T11:59:59Z",
            },
        ),
        cause(3, 2, "FACT", "pipeline.trigger by token:ci", position=4),
        cause(4, None, "VERSION", "version of dataset:ns:other", at=None),
    ]
    lines = drawn(causes_tree(run(causes={"complete": True, "reason": None, "nodes": nodes}), NOW))
    assert lines == [
        "report/3 succeeded  due 2026-01-01 12:00:00Z, started after 40 ms, took 2.5 s",
        "exit code 0",
        "├── 2026-01-01 12:00:00Z  version of dataset:ns:mart, 12 rows, position 9",
        "│   └── 2026-01-01 12:00:00Z  run 1 of job:ns:build, took 59.0 s",
        "│       └── 2026-01-01 12:00:00Z  run 7 of pipeline build, started 30 ms after it was due, took 59.9 s",
        "│           └── 2026-01-01 12:00:00Z  pipeline.trigger by token:ci, position 4",
        "└── -  version of dataset:ns:other",
    ]


def test_what_is_told_further_up_is_named_with_the_number_of_its_line() -> None:
    run_id = "0190c4a5-0000-7000-8000-000000000000"
    load = {"id": run_id, "job": {"id": "job:ns:load"}, "startedAt": None, "endedAt": None}
    build = {"pipelineName": "build", "number": 7, "dueAt": None, "startedAt": None, "endedAt": None}
    raw = {"dataset": {"id": "dataset:ns:raw"}, "partition": "p1", "rowCount": 3}
    nodes = [
        cause(0, None, "VERSION", "version of a", version={"rowCount": None}),
        cause(1, 0, "RUN", "run of load", run=load),
        cause(2, 1, "PIPELINE_RUN", "run 7 of pipeline build", pipelineRun=build),
        cause(3, 2, "VERSION", "version of raw", version=raw, position=9),
        cause(4, None, "VERSION", "version of b", version={"rowCount": None}),
        cause(5, 4, "RUN", "run of load", run=load, repeated=True, explainedAt=1),
        cause(6, None, "VERSION", "version of c", version={"rowCount": None}),
        cause(7, 6, "RUN", "run of another step", run={**load, "id": "1" * 36}),
        cause(
            8, 7, "PIPELINE_RUN", "run 7 of pipeline build", pipelineRun=build, repeated=True, explainedAt=2
        ),
        cause(9, None, "VERSION", "version of raw", version=raw, position=9, repeated=True, explainedAt=3),
        cause(10, None, "PIPELINE_RUN", "run 3 of pipeline report", pipelineRun=run(), repeated=True),
    ]
    lines = drawn(causes_tree(run(causes={"complete": True, "reason": None, "nodes": nodes}), NOW))
    at = "2026-01-01 12:00:00Z  "
    assert lines[2:] == [
        f"├── {at}version of a",
        f"│   └── {at}run of load  [1]",
        f"│       └── {at}run 7 of pipeline build  [2]",
        f"│           └── {at}version of raw, 3 rows, position 9  [3]",
        f"├── {at}version of b",
        "│   └── run 0190c4a5 of job:ns:load  see [1]",
        f"├── {at}version of c",
        f"│   └── {at}run of another step",
        "│       └── run build/7  see [2]",
        "├── version of dataset:ns:raw partition p1  see [3]",
        "└── run report/3  see the top",
    ]


def test_a_run_that_goes_on_and_one_that_waits() -> None:
    going = drawn(causes_tree(run(state="RUNNING", endedAt=None), NOW))
    assert going[0].endswith("took 29.9 s so far")
    waiting = drawn(causes_tree(run(state="PENDING", startedAt=None, endedAt=None), NOW))
    assert waiting[0] == "report/3 pending  due 2026-01-01 12:00:00Z"


def test_hostile_texts_are_escaped() -> None:
    version = {"dataset": {"id": "dataset:ns:\x1bagain"}, "partition": "\x9b", "rowCount": None}
    nodes = [
        cause(0, None, "VERSION", "version of \x1b[31m[bold]x", version=version),
        cause(1, None, "VERSION", "again", version=version, repeated=True, explainedAt=0),
    ]
    hostile = run(
        pipelineName="\x1bp", reason="\x9bboom", causes={"complete": True, "reason": None, "nodes": nodes}
    )
    text = "\n".join(drawn(causes_tree(hostile, NOW)))
    assert "\x1b" not in text
    assert "\x9b" not in text
    assert "\\x1bp/3" in text
    assert "[bold]x" in text
