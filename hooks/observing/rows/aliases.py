"""The names under which datasets go: pairs of aliases, and the classes of names that are one dataset."""

import datetime as dt
import uuid
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

import psycopg

from catalog.keys import DatasetKey
from catalog.observations import AliasObserved
from hooks.observing.memory import Memory
from hooks.observing.queries import QUERIES
from hooks.observing.rows.observations import Observations


@dataclass(slots=True)
class Aliases:
    """Rows of `dataset_alias` and `dataset_class`."""

    connection: psycopg.Connection[Any]
    memory: Memory
    observations: Observations
    _new: dict[tuple[uuid.UUID, uuid.UUID], tuple[str, dt.datetime]] = field(default_factory=dict)
    _moved: set[uuid.UUID] = field(default_factory=set)

    def load(self, *, pairs: Iterable[uuid.UUID], classes: Iterable[uuid.UUID]) -> None:
        """Read the alias pairs of some datasets and the classes of others."""
        unknown = [found for found in pairs if found not in self.memory.aliases]
        if unknown:
            self.memory.aliases.update((found, {}) for found in unknown)
            for dataset, alias, since, type_ in self.connection.execute(QUERIES["aliases"], {"ids": unknown}):
                self.memory.aliases[dataset][alias] = (since, type_)
        unknown = [found for found in classes if found not in self.memory.classes]
        if unknown:
            self._load_classes(unknown)

    def _load_classes(self, datasets: list[uuid.UUID]) -> None:
        members: dict[uuid.UUID, set[uuid.UUID]] = {dataset: {dataset} for dataset in datasets}
        for dataset, member in self.connection.execute(QUERIES["classes"], {"ids": datasets}):
            members[dataset].add(member)
        for found in members.values():
            shared = frozenset(found)
            self.memory.classes.update(dict.fromkeys(shared, shared))

    def see(self, dataset: DatasetKey, alias: DatasetKey, type_: str, at: dt.datetime, position: int) -> None:
        """Make sure that the alias edge exists since the earliest time it was seen, and that the classes are one."""
        dataset_id, alias_id = dataset.id, alias.id
        if dataset_id == alias_id:
            return
        told = self.memory.aliases[dataset_id].get(alias_id)
        if told is None or (at, type_) < told:
            self.memory.aliases[dataset_id][alias_id] = (at, type_)
            self._new[dataset_id, alias_id] = (type_, at)
            self.observations.add(AliasObserved(dataset, alias, type_, at), position)
        ours, theirs = self.memory.classes[dataset_id], self.memory.classes[alias_id]
        if ours is not theirs and ours != theirs:
            merged = ours | theirs
            self.memory.classes.update(dict.fromkeys(merged, merged))
            self._moved |= merged

    def names_of(self, dataset: uuid.UUID) -> tuple[uuid.UUID, ...]:
        """Return the dataset and every alias known so far, sorted."""
        if dataset not in self.memory.classes:
            # A root run that ends makes versions of datasets that its own event does not name.
            self._load_classes([dataset])
        return tuple(sorted(self.memory.classes[dataset]))

    def flush(self) -> None:
        """Write the alias edges that are new or were seen earlier than known, and the classes that grew."""
        if self._new:
            self.connection.execute(
                QUERIES["save_aliases"],
                {
                    "datasets": [dataset for dataset, _ in self._new],
                    "aliases": [alias for _, alias in self._new],
                    "types": [type_ for type_, _ in self._new.values()],
                    "sinces": [since for _, since in self._new.values()],
                },
            )
        if self._moved:
            moved = sorted(self._moved)
            self.connection.execute(
                QUERIES["save_classes"],
                {"datasets": moved, "classes": [min(self.memory.classes[dataset]) for dataset in moved]},
            )
