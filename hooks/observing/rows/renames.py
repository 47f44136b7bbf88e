"""The names that datasets had before: each pair since the earliest time at which it was told."""

import datetime as dt
import uuid
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

import psycopg

from catalog.keys import DatasetKey
from catalog.observations import RenameObserved
from hooks.observing.queries import QUERIES
from hooks.observing.rows.observations import Observations

Pair = tuple[uuid.UUID, uuid.UUID]


@dataclass(slots=True)
class Renames:
    """Rows of `dataset_rename`; they are few, so nothing is remembered between batches."""

    connection: psycopg.Connection[Any]
    observations: Observations
    _known: dict[Pair, dt.datetime] = field(default_factory=dict)
    _new: dict[Pair, dt.datetime] = field(default_factory=dict)

    def load(self, datasets: Iterable[uuid.UUID]) -> None:
        """Read the former names of the datasets."""
        if ids := list(datasets):
            rows = self.connection.execute(QUERIES["renames"], {"ids": ids})
            self._known.update(((dataset, previous), since) for dataset, previous, since in rows)

    def see(self, dataset: DatasetKey, previous: DatasetKey, at: dt.datetime, position: int) -> None:
        """Make sure that the rename is known since the earliest time at which it was told."""
        pair = (dataset.id, previous.id)
        told = self._known.get(pair)
        if dataset == previous or (told is not None and told <= at):
            return
        self._known[pair] = self._new[pair] = at
        self.observations.add(RenameObserved(dataset, previous, at), position)

    def flush(self) -> None:
        """Write the renames that are new or were told of an earlier time."""
        if self._new:
            self.connection.execute(
                QUERIES["save_renames"],
                {
                    "datasets": [dataset for dataset, _ in self._new],
                    "previous": [previous for _, previous in self._new],
                    "sinces": list(self._new.values()),
                },
            )
