"""Lineage of columns: of which fields of other datasets each field of one dataset is made, and how.

ColumnLineage.of(fields, dataset)    from sources in any order, also named twice
lineage.merge(other)                 both together: commutative, associative, idempotent
lineage.encoded / ColumnLineage.from_json(value)       JSON, and what was made of it again
lineage.digest                       equal for equal lineage, in every release that writes the same form
"""

import hashlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any, NamedTuple

import orjson

from catalog.keys import DatasetKey


class Transformation(NamedTuple):
    """How a source takes part: `type` is DIRECT or INDIRECT, or what else the producer writes.

    Texts are empty where the producer says nothing; `masking` says that the original value is hidden.
    """

    type: str
    subtype: str
    description: str
    masking: bool


class ColumnSource(NamedTuple):
    """A field of a dataset from which something is made; `transformations` are sorted, each once."""

    dataset: DatasetKey
    field: str
    transformations: tuple[Transformation, ...]


@dataclass(frozen=True)
class ColumnLineage:
    """What is said of the columns of one dataset.

    `fields` holds each field, sorted by name, with its sources; of a field without sources none is stated.
    `dataset` holds the sources on which every field depends (a filter, a join, an order).
    Sources are sorted, each field of each dataset once.
    """

    fields: tuple[tuple[str, tuple[ColumnSource, ...]], ...]
    dataset: tuple[ColumnSource, ...]

    @classmethod
    def of(
        cls, fields: Mapping[str, Iterable[ColumnSource]], dataset: Iterable[ColumnSource]
    ) -> "ColumnLineage":
        """Return the lineage of sources in any order; of a source that is named twice, all that is said counts."""
        return cls(
            tuple((name, _sorted(sources)) for name, sources in sorted(fields.items())), _sorted(dataset)
        )

    def merge(self, other: "ColumnLineage") -> "ColumnLineage":
        """Return what this lineage and the other say together."""
        fields: dict[str, list[ColumnSource]] = {}
        for name, sources in (*self.fields, *other.fields):
            fields.setdefault(name, []).extend(sources)
        return ColumnLineage.of(fields, (*self.dataset, *other.dataset))

    def __len__(self) -> int:
        """Return how many sources it names, and fields: what it weighs."""
        return len(self.fields) + len(self.dataset) + sum(len(sources) for _, sources in self.fields)

    @cached_property
    def sources(self) -> frozenset[DatasetKey]:
        """The datasets from whose fields anything is made."""
        found = {source.dataset for _, sources in self.fields for source in sources}
        return frozenset(found.union(source.dataset for source in self.dataset))

    @cached_property
    def encoded(self) -> bytes:
        """The lineage as JSON; datasets and transformations, which repeat, stand in their own lists.

        It is stored in several places, and the digest is that of it, so it is made once.
        """
        everything = [source for _, sources in self.fields for source in sources]
        everything += self.dataset
        datasets = sorted({source.dataset for source in everything})
        transformations = sorted({found for source in everything for found in source.transformations})
        dataset_place = {key: index for index, key in enumerate(datasets)}
        transformation_place = {found: index for index, found in enumerate(transformations)}

        def packed(sources: Iterable[ColumnSource]) -> list[Any]:
            return [
                [
                    dataset_place[source.dataset],
                    source.field,
                    *(transformation_place[found] for found in source.transformations),
                ]
                for source in sources
            ]

        value = [
            [list(key) for key in datasets],
            [list(found) for found in transformations],
            [[name, packed(sources)] for name, sources in self.fields],
            packed(self.dataset),
        ]
        return orjson.dumps(value)

    @classmethod
    def from_json(cls, value: list[Any]) -> "ColumnLineage":
        """Return the lineage of which `encoded` is the JSON of this value."""
        datasets = [DatasetKey(*key) for key in value[0]]
        transformations = [Transformation(*found) for found in value[1]]

        def unpacked(sources: Iterable[list[Any]]) -> tuple[ColumnSource, ...]:
            return tuple(
                [
                    ColumnSource(
                        datasets[dataset],
                        field,
                        tuple([transformations[index] for index in found]) if found else (),
                    )
                    for dataset, field, *found in sources
                ]
            )

        return cls(tuple((name, unpacked(sources)) for name, sources in value[2]), unpacked(value[3]))

    @cached_property
    def digest(self) -> str:
        """The identity of what is said, as 32 hex digits."""
        return hashlib.blake2b(self.encoded, digest_size=16).hexdigest()


def _sorted(sources: Iterable[ColumnSource]) -> tuple[ColumnSource, ...]:
    sources = tuple(sources)
    if len(sources) < 2 and all(len(source.transformations) < 2 for source in sources):
        return sources  # as most fields have
    found: dict[tuple[DatasetKey, str], set[Transformation]] = {}
    for dataset, field, transformations in sources:
        found.setdefault((dataset, field), set()).update(transformations)
    return tuple(ColumnSource(*key, tuple(sorted(found[key]))) for key in sorted(found))
