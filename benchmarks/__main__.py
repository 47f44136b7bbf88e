"""`python -m benchmarks NAME [--json]`: measure, and print one JSON object or a table."""

import argparse
import json
import sys
from collections.abc import Callable
from typing import Any

from rich.console import Console
from rich.table import Table

from benchmarks.columns import measure_columns
from benchmarks.crash import measure_crash
from benchmarks.ingest import measure_ingest
from benchmarks.lineage import measure_lineage
from benchmarks.marquez_reads import measure_marquez_reads
from benchmarks.report import write_page
from benchmarks.search import measure_search
from benchmarks.soak import measure_soak
from benchmarks.startup import measure_startup
from benchmarks.trigger import measure_burst, measure_fanout, measure_trigger

MEASUREMENTS: dict[str, Callable[..., dict[str, Any]]] = {
    "columns": measure_columns,
    "crash": measure_crash,
    "trigger": measure_trigger,
    "fanout": measure_fanout,
    "burst": measure_burst,
    "ingest": measure_ingest,
    "lineage": measure_lineage,
    "marquez-reads": measure_marquez_reads,
    "search": measure_search,
    "soak": measure_soak,
    "startup": measure_startup,
}


def _rows(value: dict[str, Any], prefix: str = "") -> list[tuple[str, str]]:
    rows = []
    for name, item in value.items():
        if isinstance(item, dict):
            rows += _rows(item, f"{prefix}{name}.")
        else:
            rows.append((f"{prefix}{name}", str(item)))
    return rows


def main() -> int:
    """Run the named measurement."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("name", choices=[*sorted(MEASUREMENTS), "report"])
    parser.add_argument(
        "--json", action="store_true", help="one JSON object on standard output, nothing else"
    )
    parser.add_argument("--kills", type=int, help="how many processes `crash` kills; the suite's form is 20")
    parser.add_argument("--minutes", type=float, help="how long `soak` lasts; 20 unless told")
    arguments = parser.parse_args()
    if arguments.name == "report":
        sys.stdout.write(f"wrote {write_page()}\n")
        return 0
    options: dict[str, Any] = {}
    if arguments.kills:
        options = {"kills": arguments.kills, "events": 25 * arguments.kills}
    if arguments.minutes:
        options = {"minutes": arguments.minutes}
    result = {"name": arguments.name, **MEASUREMENTS[arguments.name](**options)}
    if arguments.json:
        sys.stdout.write(json.dumps(result) + "\n")
        return 0
    table = Table("figure", "value", title=arguments.name)
    for row in _rows(result):
        table.add_row(*row)
    Console().print(table)
    return 0


if __name__ == "__main__":
    sys.exit(main())
