"""How far a long work has come, on a terminal."""

from collections.abc import Iterator
from contextlib import contextmanager

from rich.progress import BarColumn, MofNCompleteColumn, TextColumn, TimeElapsedColumn
from rich.progress import Progress as Bars

from catalog.progress import Progress, ShowProgress
from web.cli.output import err

_PHASES = {
    "build": "builds",
    "remove": "removes the old one",
    "verify": "compares the graph",
    "ledger": "reads the ledger",
    "replay": "follows it again",
    "checkpoint": "keeps the state",
    "bodies": "takes bodies",
    "compare": "compares tables",
    "backup": "copies tables",
    "restore": "fills tables",
    "import": "takes over events",
}


@contextmanager
def progress_bar() -> Iterator[ShowProgress]:
    """Yield what shows the progress of a long work on stderr; silent where that is no terminal."""
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    console = err()
    with Bars(*columns, console=console, transient=True, disable=not console.is_terminal) as bar:
        tasks = {}

        def show(standing: Progress) -> None:
            phase = standing.phase
            if phase not in tasks:
                tasks[phase] = bar.add_task(_PHASES.get(phase, phase), total=None)
            bar.update(tasks[phase], completed=standing.done, total=standing.total)

        yield show
