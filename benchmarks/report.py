"""`docs/performance.md` from the results under `benchmarks/results`: figures beside floor, aim and reference."""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

RESULTS = Path(__file__).parent / "results"
PAGE = Path(__file__).parent.parent / "docs" / "performance.md"


@dataclass(frozen=True)
class Target:
    """A figure: where it stands in the result, its floor (must hold) and its aim, and whether less is better."""

    benchmark: str
    field: str
    floor: float
    aim: float | None
    unit: str
    less: bool = True


TARGETS = (
    Target("trigger", "p50_ms", 60, 30, "ms"),
    Target("trigger", "p95_ms", 150, 80, "ms"),
    Target("fanout", "p50_ms", 1000, 400, "ms"),
    Target("burst", "each.runs_min", 200, None, "runs", less=False),
    Target("burst", "each.runs_max", 200, None, "runs"),
    Target("burst", "latest.stranded_max", 0, None, "versions"),
    Target("ingest", "single.acknowledged_per_s", 1000, 1500, "events/s", less=False),
    Target("ingest", "batch.acknowledged_per_s", 4000, 6000, "events/s", less=False),
    Target("ingest", "followers.events_per_s", 1200, 2500, "events/s", less=False),
    Target("columns", "steady.cost_percent", 30, None, "%"),
    Target("lineage", "depth5.p95_ms", 20, 5, "ms"),
    Target("lineage", "closure.p50_ms", 1500, 400, "ms"),
    Target("lineage", "hub.p50_ms", 500, 150, "ms"),
    Target("lineage", "ingest.p95_ms", 100, None, "ms"),
    Target("marquez-reads", "depth5.p95_ms", 100, None, "ms"),
    Target("marquez-reads", "depth20.p95_ms", 100, None, "ms"),
    Target("startup", "warm_ready_s", 3, 1.5, "s"),
    Target("startup", "idle_pss_mib", 350, 200, "MiB"),
    Target("soak", "memory.growth_percent", 10, None, "%"),
    Target("soak", "lag.p95_positions", 100, None, "positions"),
    Target("soak", "lag.end_positions", 0, None, "positions"),
    Target("soak", "disk.end_over_predicted_percent", 10, None, "%"),
    Target("crash", "acknowledged_missing", 0, None, "events"),
    Target("crash", "events_twice", 0, None, "events"),
    Target("crash", "each_runs_missing", 0, None, "runs"),
    Target("crash", "latest_versions_unconsumed", 0, None, "versions"),
    Target("crash", "attempts_started_twice", 0, None, "attempts"),
    Target("crash", "graph_differences", 0, None, "differences"),
)

ELSEWHERE = {
    "trigger": "Airflow 3.3: p50 511, p95 1,056 ms; Prefect 3.8: 7.9 s; Dagster 1.13: 22 s",
    "fanout": "Airflow: 4.2 s",
    "burst": "Airflow: 5 to 49 runs, up to 147 events stranded",
    "ingest": "Marquez 0.51: 28 events/s on 1 connection, 49 on 8",
    "lineage": "Marquez with 10,000 jobs: 1.4 s at depth 5, 36 s at depth 20",
    "marquez-reads": "Marquez with 10,000 jobs: 1.4 s at depth 5, 36 s at depth 20",
    "startup": "Airflow 6.7 s, 1,065 MiB; Dagster 3.7 s, 511 MiB",
}

HEAD = """# Performance

Made by `python -m benchmarks report` from the results in `benchmarks/results`, each of which
`python -m benchmarks NAME --json` wrote. Client, server and database share the machine's processors, followers
run, settings are the defaults. A reference of the same run stands beside each figure, because machines are noisy.
The figures of other systems were measured on a machine of the same kind.
"""


def _value(result: dict[str, Any], path: str) -> Any:
    found: Any = result
    for part in path.split("."):
        found = found[part]
    return found


def _verdict(target: Target, value: float) -> str:
    def holds(bound: float) -> bool:
        return value <= bound if target.less else value >= bound

    if target.aim is not None and holds(target.aim):
        return "aim"
    return "floor" if holds(target.floor) else "**below the floor**"


def _flat(value: dict[str, Any], prefix: str = "") -> list[str]:
    rows = []
    for name, item in value.items():
        if isinstance(item, dict):
            rows += _flat(item, f"{prefix}{name}.")
        else:
            rows.append(f"{prefix}{name} {item}")
    return rows


def performance_page(results: dict[str, dict[str, Any]], bounds: str) -> str:
    """Return the page for the results by name; `bounds` says what limits the figures, in prose."""
    parts = [HEAD]
    any_result = next(iter(results.values()), None)
    if any_result is not None:
        parts.append("\nMachine: " + ", ".join(_flat(any_result["machine"])) + ".\n\n")
    parts.append("| figure | floor | aim | measured | holds | n |\n|---|---|---|---|---|---|\n")
    for target in TARGETS:
        result = results.get(target.benchmark)
        if result is None:
            continue
        value = _value(result, target.field)
        aim = "" if target.aim is None else f"{target.aim:g} {target.unit}"
        parts.append(
            f"| {target.benchmark} `{target.field}` | {target.floor:g} {target.unit} | {aim}"
            f" | {value:g} {target.unit} | {_verdict(target, value)} | {result['n']} |\n"
        )
    parts.append("\n## References of the same runs, and other systems\n\n")
    for name, result in results.items():
        reference = ", ".join(_flat(result["reference"]))
        elsewhere = f" Elsewhere: {ELSEWHERE[name]}." if name in ELSEWHERE else ""
        parts.append(f"- **{name}**: {reference}.{elsewhere}\n")
    parts.append("\n" + bounds)
    return "".join(parts)


def write_page() -> Path:
    """Write the page from the stored results; return where."""
    results = {path.stem: json.loads(path.read_text("utf-8")) for path in sorted(RESULTS.glob("*.json"))}
    bounds = (RESULTS / "bounds.md").read_text("utf-8")
    PAGE.write_text(performance_page(results, bounds), "utf-8")
    return PAGE
