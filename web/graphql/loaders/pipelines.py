"""Pipelines: by name, by page, and how their conditions stand."""

import datetime as dt
import uuid
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import overload

from catalog.keys import HEADWATER_NAMESPACE
from catalog.queries import load_queries
from hooks.deciding.registry import input_id
from hooks.pausing import READ_PAUSE, PauseOfAll
from policies.conditions import ConditionState, explain, leaves
from policies.queues import QueuedVersion, Queues
from web.graphql.cohort import in_cohort
from web.graphql.pages import Order, Page, check_first, page_of
from web.graphql.records import DecisionRecord, JobRecord, PipelineRecord, PipelineRunRecord
from web.graphql.request import QueryRequest

QUERIES = load_queries(Path(__file__).with_name("pipelines.sql"))

BY_NAME = Order("pipelines", (str,), ("",))

#: The states in which a pipeline is registered.
REGISTERED = ("active", "paused")


def pipelines_by_name(request: QueryRequest, names: Iterable[str]) -> dict[str, PipelineRecord]:
    """Return the pipelines that were ever registered under the names, one cohort."""
    wanted = list(set(names))
    if not wanted:
        return {}
    records = [PipelineRecord(*row) for row in request.rows(QUERIES["by_name"], names=wanted)]
    return {record.name: record for record in in_cohort(request, records)}


def pipeline_page(
    request: QueryRequest, *, first: int, after: str | None, states: Sequence[str], search: str | None
) -> Page[PipelineRecord]:
    """Return pipelines by name."""
    check_first(first)
    (name,) = BY_NAME.decode(after)
    filters = {"states": list(states), "search": search}
    rows = request.rows(QUERIES["page"], after=name, limit=first + 1, **filters)
    records = [PipelineRecord(*row) for row in rows]
    return page_of(
        request,
        records,
        first=first,
        after=after,
        order=BY_NAME,
        place_of=lambda record: (record.name,),
        count=lambda: int(request.rows(QUERIES["count"], **filters)[0][0]),
    )


def pauses_of_all(request: QueryRequest, members: Sequence[PipelineRecord]) -> Mapping[str, PauseOfAll]:
    """Return the pause of all pipelines for each registered one, nothing where there is none."""
    pause = pause_of_all(request)
    return {} if pause is None else {member.name: pause for member in members if member.state in REGISTERED}


def pause_of_all(request: QueryRequest) -> PauseOfAll | None:
    """Return the pause of all pipelines, None where there is none."""
    return next((PauseOfAll(*row) for row in request.rows(READ_PAUSE)), None)


def pipelines_of_jobs(request: QueryRequest, members: Sequence[JobRecord]) -> Mapping[str, PipelineRecord]:
    """Return the pipelines whose runs report as the jobs, by name."""
    return pipelines_by_name(
        request, [member.name for member in members if member.namespace == HEADWATER_NAMESPACE]
    )


def pipelines_of_members(
    request: QueryRequest, members: Sequence[PipelineRunRecord | DecisionRecord]
) -> Mapping[str, PipelineRecord]:
    """Return the pipelines that the members name."""
    return pipelines_by_name(request, [member.pipeline_name for member in members])


@dataclass(frozen=True, slots=True)
class _Waiting(Sequence[QueuedVersion]):
    """A queue of which only its head and its length were read."""

    head: QueuedVersion
    length: int

    def __len__(self) -> int:
        return self.length

    @overload
    def __getitem__(self, index: int) -> QueuedVersion: ...
    @overload
    def __getitem__(self, index: slice) -> Sequence[QueuedVersion]: ...
    def __getitem__(self, index: int | slice) -> QueuedVersion | Sequence[QueuedVersion]:
        if index != 0:
            raise IndexError("only the head was read")
        return self.head


def conditions(request: QueryRequest, members: Sequence[PipelineRecord]) -> Mapping[str, ConditionState]:
    """Return how the condition of each registered pipeline stands; a deleted one waits for nothing."""
    waiting = [member for member in members if member.state in REGISTERED]
    inputs = {member.name: _inputs(member) for member in waiting}
    queued = queues(request, waiting)
    emptied = _emptied(
        request,
        {
            name: [found for leaf, found in enumerate(listed) if leaf not in queued[name]]
            for name, listed in inputs.items()
        },
    )
    return {
        member.name: explain(
            member.condition,
            queued[member.name],
            request.snapshot.now,
            {
                leaf: emptied[member.name, found]
                for leaf, found in enumerate(inputs[member.name])
                if (member.name, found) in emptied
            },
        )
        for member in waiting
    }


def queues(request: QueryRequest, members: Sequence[PipelineRecord]) -> Mapping[str, Queues]:
    """Return what the inputs of each pipeline have not consumed yet; only heads and lengths of the queues."""
    heads: defaultdict[str, dict[uuid.UUID, _Waiting]] = defaultdict(dict)
    for name, found, queued, *head in request.rows(
        QUERIES["queues"], names=[member.name for member in members]
    ):
        heads[name][found] = _Waiting(QueuedVersion(*head), queued)
    return {
        member.name: {
            leaf: heads[member.name][found]
            for leaf, found in enumerate(_inputs(member))
            if found in heads[member.name]
        }
        for member in members
    }


def _inputs(member: PipelineRecord) -> list[uuid.UUID]:
    return [input_id(leaf) for leaf in leaves(member.condition)]


def _emptied(
    request: QueryRequest, inputs: Mapping[str, Sequence[uuid.UUID]]
) -> dict[tuple[str, uuid.UUID], dt.datetime]:
    """Return since when each empty queue is empty: its last consumption, else the registration of its pipeline."""
    pairs = [(name, found) for name, listed in inputs.items() for found in listed]
    registered = dict(request.rows(QUERIES["registered"], names=list(inputs)))
    rows = request.rows(
        QUERIES["last_consumed"], names=[name for name, _ in pairs], inputs=[found for _, found in pairs]
    )
    taken = {(name, found): at for name, found, at in rows}
    return {
        (name, found): max(instant for instant in (registered[name], taken.get((name, found))) if instant)
        for name, found in pairs
    }
