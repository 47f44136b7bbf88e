"""The registered pipelines as the state follower knows them: documents, conditions, and who waits for which dataset."""

import uuid
from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import psycopg

from catalog.documents.pipeline import Pipeline
from catalog.forms import stored
from catalog.keys import digest_uuid
from catalog.queries import load_queries
from hooks.pausing import PauseOfAll, read_pause
from policies.conditions import Condition, DatasetCondition, from_document, leaves

QUERIES = load_queries(Path(__file__).with_name("deciding.sql"))


def input_id(leaf: DatasetCondition) -> uuid.UUID:
    """Return the identity under which a leaf queues and consumes; it outlives edits of the document."""
    if leaf.occurrence == 0:
        return leaf.key.id
    return digest_uuid("dataset", leaf.key.namespace, leaf.key.name, str(leaf.occurrence))


@dataclass(frozen=True, slots=True)
class RegisteredPipeline:
    """A pipeline with the document version that is current."""

    name: str
    version: int
    #: By itself, or with all others.
    paused: bool
    position: int
    document: Pipeline
    condition: Condition
    #: Input identity of each leaf, by its number.
    inputs: tuple[uuid.UUID, ...]
    #: Dataset of each leaf, by its number.
    datasets: tuple[uuid.UUID, ...]

    @classmethod
    def from_body(
        cls, name: str, version: int, body: Mapping[str, Any], *, paused: bool, position: int
    ) -> "RegisteredPipeline":
        """Read the stored document."""
        document = stored(Pipeline, body)
        condition = from_document(document.spec.when)
        found = leaves(condition)
        return cls(
            name=name,
            version=version,
            paused=paused,
            position=position,
            document=document,
            condition=condition,
            inputs=tuple(input_id(leaf) for leaf in found),
            datasets=tuple(leaf.key.id for leaf in found),
        )


@dataclass(slots=True)
class Registry:
    """All pipelines, and an index from datasets to the pipelines that wait for them."""

    installation: uuid.UUID
    #: The pause of all pipelines, if there is one.
    pause: PauseOfAll | None
    pipelines: dict[str, RegisteredPipeline]
    by_dataset: dict[uuid.UUID, list[tuple[str, int]]] = field(default_factory=dict)

    def waiting_for(self, datasets: Iterable[uuid.UUID]) -> list[tuple[RegisteredPipeline, int]]:
        """Return each pipeline and leaf that one of the datasets feeds, in a fixed order, each leaf once."""
        found = {pair for dataset in datasets for pair in self.by_dataset.get(dataset, ())}
        return [(self.pipelines[name], leaf) for name, leaf in sorted(found)]


def load_registry(connection: psycopg.Connection[Any]) -> Registry:
    """Read every pipeline that is not deleted."""
    row = connection.execute(QUERIES["installation"]).fetchone()
    installation = row[0] if row else uuid.UUID(int=0)
    pause = read_pause(connection)
    pipelines = {
        name: RegisteredPipeline.from_body(
            name, version, body, paused=pause is not None or state == "paused", position=position
        )
        for name, state, position, version, body in connection.execute(QUERIES["registry"])
    }
    index: dict[uuid.UUID, list[tuple[str, int]]] = defaultdict(list)
    for pipeline in pipelines.values():
        for leaf, dataset in enumerate(pipeline.datasets):
            index[dataset].append((pipeline.name, leaf))
    return Registry(installation, pause, pipelines, dict(index))


def load_documents(
    connection: psycopg.Connection[Any], wanted: Iterable[tuple[str, int]]
) -> dict[tuple[str, int], Pipeline]:
    """Return the documents of the wanted (pipeline, version) pairs: what runs of older versions go by."""
    pairs = sorted(set(wanted))
    if not pairs:
        return {}
    rows = connection.execute(
        QUERIES["document_bodies"],
        {"names": [pair[0] for pair in pairs], "versions": [pair[1] for pair in pairs]},
    )
    return {(name, version): stored(Pipeline, body) for name, version, body in rows}
