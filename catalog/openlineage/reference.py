"""`python -m catalog.openlineage.reference > docs/openlineage.md`: what each facet does, made from the registry."""

import sys
from collections.abc import Iterator

from catalog.openlineage.registry import RULES, Place

_INTRODUCTION = """# OpenLineage: what each facet does

Headwater takes OpenLineage's run events, dataset events and job events and keeps them as they came, without secrets.
This page says what each facet of the specification does here. It is made from the registry by which facets are read:
`python -m catalog.openlineage.reference > docs/openlineage.md`.

A facet that is not named here, a producer's own for example, is kept and shown like one by which nothing is decided.
Whatever is wrong with a facet costs that facet alone, never the event.

What is kept, and how long it holds:

- A facet of a **dataset** or a **job** holds until a later event tells it anew (by event time, then START < RUNNING <
  OTHER < terminal, then the event's digest), whichever run told it and
  whenever it arrives. `_deleted: true` deletes it.
- A facet of a **run**, or of one run's **input** or **output**, is merged from the run's events in the same order when
  it is asked for.
- Lineage, of tables and of columns, belongs to the job: what its last completed run or job event said holds until the
  next one. A dataset event with `lineage` or `columnLineage` tells the dataset's definition: its lineage is that of a
  job in the namespace `headwater:definitions`, which stands for the definition and never runs.
  Lists of jobs, counts and search leave these jobs out; a list of their namespace has them.
- Column lineage says no more than the facets: a source that names no field counts for tables alone, and an output of
  which no column is told is known as a table.

GraphQL shows all facets as they were sent, integers of any length among them: `facets { name body producer at runId }`
of `Dataset`, `Job`, `Run` and a run's inputs and outputs.
"""

_HEADINGS: dict[Place, str] = {
    "dataset": "Facets of datasets",
    "job": "Facets of jobs",
    "run": "Facets of runs",
    "input": "Facets of a run's input",
    "output": "Facets of a run's output",
}


def facet_reference() -> str:
    """Return the page as Markdown."""
    return _INTRODUCTION + "".join(line for place in _HEADINGS for line in _table(place))


def _table(place: Place) -> Iterator[str]:
    yield f"\n## {_HEADINGS[place]}\n\n| facet | specification | what it does |\n|---|---|---|\n"
    for rule in RULES:
        if rule.place == place:
            schema = f"`{rule.schema}`" if rule.schema else ""
            yield f"| `{rule.name}` | {schema} | {rule.effect} |\n"


if __name__ == "__main__":
    sys.stdout.write(facet_reference())
