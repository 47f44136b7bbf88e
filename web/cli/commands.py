"""The table of commands: where each stands, loaded when it is used and not before.

`headwater --help` shows this table and loads nothing of it, and a client never loads what only the server needs.
"""

import gc
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from importlib import import_module
from typing import Any, Final

import typer
from typer.core import TyperCommand

SERVER = "Server"
DECLARING = "Pipelines"
ASKING = "Questions"
ADMINISTRATION = "Administration"


@contextmanager
def _no_collections() -> Iterator[None]:
    # What an import makes stays; looking through it again and again is a sixth of the time that the server's takes.
    gc.disable()
    try:
        yield
    finally:
        gc.enable()


@dataclass(frozen=True, slots=True)
class CommandEntry:
    """One command of the table; `attribute` of `module` is a function, or a typer app with commands of its own."""

    name: str
    module: str
    attribute: str
    summary: str
    panel: str

    def load(self) -> Any:
        """Return the command itself; its module is imported now."""
        with _no_collections():
            found: typer.Typer | Callable[..., None] = getattr(import_module(self.module), self.attribute)
        if isinstance(found, typer.Typer):
            loaded = typer.main.get_group(found)
        else:
            # A command of its own, without what an app adds for shells.
            single = typer.Typer(add_completion=False, rich_markup_mode="markdown")
            single.command(self.name)(found)
            loaded = typer.main.get_command(single)  # type: ignore[assignment]  # a group or a command alike
        loaded.name = self.name
        return loaded


#: In the order in which `headwater --help` shows them. A summary is the first sentence of the command's own help.
COMMANDS: Final = (
    CommandEntry(
        "up",
        "web.cli.server",
        "run_up",
        "Run database, web and worker until SIGINT or SIGTERM.",
        SERVER,
    ),
    CommandEntry(
        "serve",
        "web.cli.server",
        "run_serve",
        "Run the web part alone, against HEADWATER_DATABASE_URL.",
        SERVER,
    ),
    CommandEntry(
        "worker",
        "web.cli.server",
        "run_worker",
        "Run a worker alone, against HEADWATER_DATABASE_URL; runs report to HEADWATER_PUBLIC_URL.",
        SERVER,
    ),
    CommandEntry(
        "migrate",
        "web.cli.server",
        "run_migrate",
        "Bring the database of HEADWATER_DATABASE_URL to this version's schema.",
        SERVER,
    ),
    CommandEntry("apply", "web.cli.documents", "run_apply", "Register documents, all or none.", DECLARING),
    CommandEntry("delete", "web.cli.documents", "run_delete", "Delete a document.", DECLARING),
    CommandEntry(
        "pipelines", "web.cli.pipelines", "run_pipelines", "List pipelines and their last runs.", DECLARING
    ),
    CommandEntry(
        "pause", "web.cli.pipelines", "run_pause", "Pause a pipeline: nothing of it starts.", DECLARING
    ),
    CommandEntry("resume", "web.cli.pipelines", "run_resume", "Resume a paused pipeline.", DECLARING),
    CommandEntry("trigger", "web.cli.trigger", "run_trigger", "Start a run of a pipeline now.", DECLARING),
    CommandEntry(
        "runs", "web.cli.runs", "runs", "List, show, cancel and retry runs; read their logs.", DECLARING
    ),
    CommandEntry(
        "webhooks",
        "web.cli.webhooks",
        "webhooks",
        "List and show webhooks; pause, replay, retry and test them.",
        DECLARING,
    ),
    CommandEntry("emit", "web.cli.emit", "emit", "Send events and reports of new versions.", DECLARING),
    CommandEntry(
        "import", "web.cli.importing", "import_events", "Take over what another server keeps.", DECLARING
    ),
    CommandEntry(
        "search",
        "web.cli.search",
        "run_search",
        "Find datasets, jobs and pipelines by what is said of them.",
        ASKING,
    ),
    CommandEntry("dataset", "web.cli.dataset", "dataset", "Show a dataset.", ASKING),
    CommandEntry("job", "web.cli.job", "job", "Show a job.", ASKING),
    CommandEntry(
        "lineage", "web.cli.lineage", "run_lineage", "Draw where data comes from and goes to.", ASKING
    ),
    CommandEntry(
        "impact",
        "web.cli.impact",
        "run_impact",
        "List what a change may change, and the pipelines that would start.",
        ASKING,
    ),
    CommandEntry("why", "web.cli.why", "run_why", "Say why a run started, down to the first cause.", ASKING),
    CommandEntry("why-not", "web.cli.why_not", "run_why_not", "Say why a pipeline does not start.", ASKING),
    CommandEntry(
        "status", "web.cli.status", "run_status", "Show how the server and its followers stand.", ASKING
    ),
    CommandEntry(
        "doctor", "web.cli.doctor", "run_doctor", "Check the installation and say what to do.", ADMINISTRATION
    ),
    CommandEntry(
        "config", "web.cli.config", "config", "Show settings and where they come from.", ADMINISTRATION
    ),
    CommandEntry(
        "log-level",
        "web.cli.log_level",
        "run_log_level",
        "Show or change what every web and worker process logs, while they run.",
        ADMINISTRATION,
    ),
    CommandEntry("man", "web.cli.manual", "run_man", "Print the manual page.", ADMINISTRATION),
    CommandEntry("backup", "web.cli.backup", "run_backup", "Write everything into one file.", ADMINISTRATION),
    CommandEntry(
        "restore", "web.cli.restore", "run_restore", "Fill an empty database from a backup.", ADMINISTRATION
    ),
    CommandEntry(
        "upgrade-database",
        "web.cli.upgrade",
        "run_upgrade",
        "Carry an embedded database over to this release's PostgreSQL.",
        ADMINISTRATION,
    ),
    CommandEntry(
        "verify", "web.cli.verify", "run_verify", "Check the laws on what is stored.", ADMINISTRATION
    ),
    CommandEntry(
        "retention",
        "web.cli.retention",
        "retention",
        "Show and carry out the removal of old events' bodies.",
        ADMINISTRATION,
    ),
    CommandEntry("token", "web.cli.token", "token", "Create, list and revoke tokens.", ADMINISTRATION),
    CommandEntry("graph", "web.cli.graph", "graph", "Show, rebuild and verify the graph.", ADMINISTRATION),
    CommandEntry(
        "reindex", "web.cli.reindex", "run_reindex", "Make the index of the search anew.", ADMINISTRATION
    ),
    CommandEntry(
        "follower",
        "web.cli.follower",
        "follower",
        "List, show, retry and skip parked records.",
        ADMINISTRATION,
    ),
)


class LazyCommand(TyperCommand):
    """Stands for a command until it is used."""

    def __init__(self, entry: CommandEntry) -> None:
        super().__init__(entry.name, help=entry.summary, rich_help_panel=entry.panel)
        self._entry = entry

    def make_context(self, *arguments: Any, **keywords: Any) -> Any:
        """Load the command and let it read its arguments; the context is its own."""
        return self._entry.load().make_context(*arguments, **keywords)
