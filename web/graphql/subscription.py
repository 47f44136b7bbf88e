"""The fields of the subscription: what can be followed over a websocket.

A resolver yields batches of records that are asked together; whoever carries out a subscription makes of each record an
answer of its own.
"""

import uuid
from collections.abc import AsyncGenerator, Callable, Sequence
from typing import Any

import strawberry

from catalog.keys import DatasetKey
from policies.transitions import RunState
from web.graphql.loaders.changes import RunChangeRecord, VersionChangeRecord
from web.graphql.loaders.datasets import dataset_by_names
from web.graphql.node_ids import named
from web.graphql.request import QueryRequest
from web.graphql.scalars import Long
from web.graphql.subscribing import SubscribeRequest
from web.graphql.types.changes import PipelineRunChange, VersionAdded
from web.graphql.types.declaring import object_type, subscription_field
from web.graphql.types.enums import DatasetVersionState

Info = strawberry.Info[SubscribeRequest, None]


async def _pipeline_run_changed(
    info: Info,
    pipeline: str | None = None,
    states: list[RunState] | None = None,
    after: Long | None = None,
) -> AsyncGenerator[Any, None]:
    """Moves of pipeline runs from now on, or after a cursor: none is left out and none told twice.

    `states` chooses by the state that a run went to.
    """
    wanted = None if states is None else {state.value for state in states}
    async for moves in info.context.changes.runs.follow(after):
        chosen = [
            RunChangeRecord(move)
            for move in moves
            if (pipeline is None or move.pipeline == pipeline) and (wanted is None or move.to_state in wanted)
        ]
        if chosen:
            yield chosen


async def _version_added(
    info: Info,
    namespace: str | None = None,
    name: str | None = None,
    node_id: strawberry.ID | None = None,
    states: list[DatasetVersionState] | None = None,
    after: Long | None = None,
) -> AsyncGenerator[Any, None]:
    """Versions from now on, or after a cursor: those of one dataset, by any of its names, or all.

    Those that are published, where no other `states` are asked for. None is left out and none told twice.
    """
    request = info.context
    wanted = {state.value for state in states or [DatasetVersionState.PUBLISHED]}
    dataset: uuid.UUID | None = None
    if (namespace, name, node_id) != (None, None, None):
        dataset = await request.read(_finding(named("dataset", namespace, name, node_id)))
    async for changes in request.changes.versions.follow(after):
        chosen = [
            VersionChangeRecord(change)
            for change in changes
            if change.kind in wanted and (dataset is None or dataset in change.dataset_ids)
        ]
        if chosen:
            yield chosen


def _finding(names: Sequence[tuple[str, str]]) -> Callable[[QueryRequest], uuid.UUID]:
    """Return what finds the dataset that the names mean; one that was never heard of yet may be, under the first."""

    def find(request: QueryRequest) -> uuid.UUID:
        found = dataset_by_names(request, list(names))
        return DatasetKey(*names[0]).id if found is None else found.row_id

    return find


@object_type
class Subscription:
    """What can be followed, over a websocket with the protocol graphql-transport-ws.

    `connection_ack` tells where each field is now (`cursors`): who subscribes `after` that misses nothing of a break.
    """

    pipeline_run_changed = subscription_field(_pipeline_run_changed, PipelineRunChange)
    version_added = subscription_field(_version_added, VersionAdded)
