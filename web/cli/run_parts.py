"""How pipeline runs are shown: names, states, times and durations."""

import datetime as dt
from typing import Any, Final

from rich.text import Text

from policies import transitions
from web.cli.output import cell, state
from web.cli.text import duration, instant, parsed_instant, seconds_between, shown

#: Sets of states by their names in GraphQL. In a final state an operator may still ask for another attempt.
FINAL: Final = frozenset(found.name for found in transitions.TERMINAL)
HOLDS_SLOT: Final = frozenset(found.name for found in transitions.HOLDS_SLOT)

Run = dict[str, Any]


def run_name(run: Run) -> str:
    """Return PIPELINE/NUMBER, by which every command finds the run."""
    return f"{run['pipelineName']}/{run['number']}"


def state_of(run: Run) -> Text:
    """Return the state in its colour."""
    return state(run["state"].lower())


def took(run: Run, now: dt.datetime) -> str:
    """Return how long the run took from its first attempt, so far where it has not ended."""
    if run["startedAt"] is None:
        return "-"
    if run["endedAt"] is not None:
        return duration(seconds_between(run["startedAt"], run["endedAt"]))
    if run["state"] in FINAL:
        return "-"
    return f"{duration((now - parsed_instant(run['startedAt'])).total_seconds())} so far"


def waited(run: Run) -> str:
    """Return how long it took from being due to the start of the first attempt."""
    return duration(seconds_between(run["dueAt"], run["startedAt"]))


def heading(run: Run) -> Text:
    """Return the run with its state, in one line."""
    return Text.assemble(Text(shown(run_name(run)), style="bold"), " ", state_of(run))


def row(run: Run, now: dt.datetime) -> list[Text]:
    """Return the run as a row of `COLUMNS`."""
    return [
        cell(run_name(run), "bold"),
        state_of(run),
        cell(instant(run["dueAt"])),
        cell(took(run, now)),
        cell(run["reason"]),
    ]


COLUMNS: Final = ("RUN", "STATE", "DUE", "TOOK", "REASON")


def summary(run: Run, now: dt.datetime) -> str:
    """Return the run's state and how long it took, for a line on stderr."""
    return f"{run_name(run)} {run['state'].lower()} after {took(run, now)}: {run['reason']}"
