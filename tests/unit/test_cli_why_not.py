import io
from typing import Any

from rich.console import Console

from web.cli.why_not import condition_tree, reasons, way_out

IDLE = {"lag": {"positions": 0, "seconds": 0.0}, "parkedCount": 0, "launchHosts": ["harbour"], "pause": None}


def part(level: int, label: str, *, kind: str = "DATASET", queued: int = 0, **parts: Any) -> dict[str, Any]:
    satisfied = bool(queued)
    return {
        "level": level,
        "kind": kind,
        "label": label,
        "satisfied": satisfied,
        "since": None,
        "durationSeconds": None,
        "waitingFor": None if satisfied else f"a new version of {label}",
        "queued": queued,
        "descendants": [],
        **parts,
    }


def runs(*given: dict[str, Any], **more: int) -> dict[str, Any]:
    """Return the pages of runs that go on, wait or are held; `more` says how many of a kind lie beyond its page."""
    kinds = {"going": {"RUNNING", "QUEUED"}, "waiting": {"PENDING"}, "held": {"HELD"}}
    pages = {kind: [each for each in given if each["state"] in states] for kind, states in kinds.items()}
    return {
        kind: {"nodes": nodes, "totalCount": len(nodes) + more.get(kind, 0)} for kind, nodes in pages.items()
    }


def pipeline(**parts: Any) -> dict[str, Any]:
    return {
        "name": "report",
        "state": "ACTIVE",
        "halted": None,
        "concurrency": 2,
        "launcher": "COMMAND",
        "condition": part(0, "dataset:ns:a", queued=1),
        **runs(),
        **parts,
    }


PAUSED = pipeline(state="PAUSED", halted="paused: nothing fires")
DELETED = pipeline(state="DELETED", halted="deleted: nothing fires", condition=None)


def run(number: int, state: str) -> dict[str, Any]:
    return {
        "pipelineName": "report",
        "number": number,
        "state": state,
        "reason": "because",
        "dueAt": "2026-01-01T12:00:00Z",
        "startedAt": None,
    }


def drawn(condition: dict[str, Any]) -> list[str]:
    stream = io.StringIO()
    Console(file=stream, width=1000, markup=False).print(condition_tree(condition))
    return [line.rstrip() for line in stream.getvalue().splitlines()]


def test_the_condition_is_a_tree_with_marks() -> None:
    condition = part(0, "all of 2", kind="ALL", satisfied=False)
    condition["descendants"] = [
        part(1, "dataset:ns:a", queued=2, since="2026-01-01T12:00:00Z", durationSeconds=65.0),
        part(1, "any of 2", kind="ANY", satisfied=False),
        part(2, "dataset:ns:b", since="2026-01-01T11:00:00Z", durationSeconds=3665.0),
        part(2, "dataset:ns:c"),
    ]
    assert drawn(condition) == [
        "✗ all of 2",
        "├── ✓ dataset:ns:a  2 versions queued, since 2026-01-01 12:00:00Z (1 min 5 s)",
        "└── ✗ any of 2",
        "    ├── ✗ dataset:ns:b  nothing queued, since 2026-01-01 11:00:00Z (1 h 1 min)",
        "    └── ✗ dataset:ns:c  nothing queued",
    ]


def test_a_tree_that_goes_down_and_up_again() -> None:
    condition = part(0, "any of 2", kind="ANY", satisfied=True)
    condition["descendants"] = [
        part(1, "all of 1", kind="ALL"),
        part(2, "any of 1", kind="ANY"),
        part(3, "dataset:ns:deep"),
        part(1, "dataset:ns:shallow", queued=1),
    ]
    assert drawn(condition) == [
        "✓ any of 2",
        "├── ✗ all of 1",
        "│   └── ✗ any of 1",
        "│       └── ✗ dataset:ns:deep  nothing queued",
        "└── ✓ dataset:ns:shallow  1 version queued",
    ]


def test_nothing_keeps_it() -> None:
    assert reasons(pipeline(), IDLE) == ["nothing keeps it from starting"]


def test_what_would_make_it_due() -> None:
    waiting = pipeline(condition=part(0, "dataset:ns:a"))
    assert reasons(waiting, IDLE) == ["would be due with a new version of dataset:ns:a"]


def test_what_a_run_gave_back_starts_with_the_next_version() -> None:
    holding = part(0, "dataset:ns:a", queued=1, waitingFor="a new version of dataset:ns:a")
    (line,) = reasons(pipeline(condition=holding), IDLE)
    assert line.endswith("did not succeed: would be due with a new version of dataset:ns:a")


def test_the_way_out_is_a_command() -> None:
    assert way_out(PAUSED, IDLE) == "headwater resume report"
    assert way_out(DELETED, IDLE) == "headwater apply -f FILE"
    halted = IDLE | {"pause": {"at": "2026-01-01T12:00:00Z", "actor": "ada", "reason": ""}}
    assert way_out(PAUSED, halted) == "headwater resume --all"
    assert way_out(DELETED, halted) == "headwater apply -f FILE"


def test_a_pipeline_that_is_halted_never_reads_as_if_it_waited_for_a_slot() -> None:
    # Nothing is said to be well because nothing else is wrong.
    assert reasons(PAUSED, IDLE) == []
    assert reasons(DELETED, IDLE) == []
    going, waiting = reasons(PAUSED | runs(run(1, "RUNNING"), run(2, "PENDING")), IDLE)
    assert going.startswith("goes on to its end: report/1 running since")
    assert waiting.startswith("waiting meanwhile: report/2 pending since")
    (going,) = reasons(DELETED | runs(run(1, "RUNNING")), IDLE)
    assert going.startswith("goes on to its end: report/1 running since")


def test_slots_that_are_taken_runs_that_wait_and_runs_that_are_held() -> None:
    busy = pipeline(**runs(run(1, "RUNNING"), run(2, "QUEUED"), run(3, "PENDING"), run(4, "HELD")))
    taken, waiting, held = reasons(busy, IDLE)
    assert taken.startswith(
        "2 of 2 slots taken: report/1 running since 2026-01-01 12:00:00Z, report/2 queued"
    )
    assert waiting.startswith("waiting for a slot: report/3 pending")
    assert held == "held: report/4: because"


def test_of_many_runs_some_are_named_and_all_are_counted() -> None:
    waiting = [run(number, "PENDING") for number in range(10, 110)]
    many = pipeline(**runs(run(1, "RUNNING"), *waiting, run(2, "HELD"), waiting=49, held=3))

    taken, line, held, more = reasons(many, IDLE)

    assert taken.startswith("1 of 2 slots taken: report/1 running since")
    assert line.endswith(" and 144 more")
    assert line.count("report/") == 5
    assert (held, more) == ("held: report/2: because", "held: 3 runs more")


def test_facts_that_nobody_judged_and_records_that_were_parked() -> None:
    behind = {"lag": {"positions": 3, "seconds": 61.0}, "parkedCount": 1, "launchHosts": ["harbour"]}
    lag, parked = reasons(pipeline(), behind)
    assert lag == (
        "the state is 3 positions behind the ledger, the oldest fact waits for 1 min 1 s: is a worker running?"
    )
    assert parked.startswith("1 record parked")


def test_that_nobody_takes_launches() -> None:
    (line,) = reasons(pipeline(), {**IDLE, "launchHosts": []})
    assert line.startswith("no living worker takes launches")
    assert "--allow-commands" in line
    assert reasons(DELETED, {**IDLE, "launchHosts": []}) == []
    # Whom a request starts is started by any worker.
    (line,) = reasons(pipeline(launcher="HTTP"), {**IDLE, "launchHosts": []})
    assert line == "nothing keeps it from starting"


def test_hostile_names_are_escaped() -> None:
    text = "\n".join(drawn(part(0, "dataset:ns:\x1b[2J[red]")))
    assert "\x1b" not in text
    assert "[red]" in text
    assert "\x1b" not in reasons(pipeline(condition=part(0, "\x1b[2J")), IDLE)[0]
