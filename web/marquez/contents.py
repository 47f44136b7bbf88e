"""What hashes stand for, as JSON that is put into answers: columns of schemas, inputs and outputs of shapes.

Remembered, and never wrong: a hash stands for one content for ever. The graph of one answer may hold thousands.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import orjson

from catalog.openlineage.remembered import Remembered
from web.graphql.loaders.standing import schema_bodies, shape_bodies
from web.graphql.records import FieldRecord
from web.graphql.request import QueryRequest
from web.graphql.scalars import raw_json
from web.marquez import names

#: Bytes of JSON that are remembered of each kind.
MOST_BYTES = 32 * 1024 * 1024


@dataclass(frozen=True, slots=True)
class JobDatasets:
    """What a shape says that a job reads and writes: as JSON, and as the digest that makes the job's version."""

    inputs: Any
    outputs: Any
    digest: bytes


NO_DATASETS = JobDatasets(raw_json(b"[]"), raw_json(b"[]"), b"")
NO_COLUMNS = raw_json(b"[]")


class Contents:
    """One for each process; threads share it."""

    def __init__(self) -> None:
        self._columns: Remembered[str, Any] = Remembered(MOST_BYTES)
        self._datasets: Remembered[bytes, JobDatasets] = Remembered(MOST_BYTES)

    def columns(self, request: QueryRequest, hashes: Iterable[str | None]) -> Mapping[str | None, Any]:
        """Return the columns of the schemas, without the tags that a dataset gives them."""
        found: dict[str | None, Any] = {}
        missing = []
        for each in {each for each in hashes if each is not None}:
            known = self._columns.get(each)
            if known is None:
                missing.append(each)
            else:
                found[each] = known
        for each, body in schema_bodies(request, missing).items():
            text = orjson.dumps(names.fields(FieldRecord.all_of(orjson.loads(body))))
            found[each] = raw_json(text)
            self._columns.put(each, found[each], len(text))
        return found

    def datasets(
        self, request: QueryRequest, hashes: Iterable[bytes | None]
    ) -> Mapping[bytes | None, JobDatasets]:
        """Return what the shapes say that jobs read and write."""
        found: dict[bytes | None, JobDatasets] = {}
        missing = []
        for each in {each for each in hashes if each is not None}:
            known = self._datasets.get(each)
            if known is None:
                missing.append(each)
            else:
                found[each] = known
        for each, body in shape_bodies(request, missing).items():
            read, written, *_ = orjson.loads(body)
            inputs, outputs = _named(read), _named(written)
            found[each] = JobDatasets(
                raw_json(inputs), raw_json(outputs), names.datasets_digest(read, written)
            )
            self._datasets.put(each, found[each], len(inputs) + len(outputs))
        return found


def _named(keys: list[list[str]]) -> bytes:
    return orjson.dumps([{"namespace": namespace, "name": name} for namespace, name in keys])
