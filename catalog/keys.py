"""Names of datasets, jobs and runs as value objects, and node ids in Marquez's form.

Source: OpenLineage `spec/Naming.md`; Marquez `NodeId` (`dataset:<namespace>:<name>`).
"""

import functools
import uuid
from dataclasses import dataclass
from hashlib import blake2b
from typing import NamedTuple

from catalog.errors import InvalidNodeId

#: Every name-based UUID of Headwater is made in this namespace, so that the same names give the same identity.
NAMESPACE = uuid.UUID("5f0f3ae9-6d63-5b8e-9d0a-6c2f2d8c9d11")

#: Namespace in which pipelines report as OpenLineage jobs.
HEADWATER_NAMESPACE = "headwater"


#: Most ways in which a node id may be read; each is looked for.
MOST_READINGS = 300
#: Most colons after the kind, for a field and for anything else.
MOST_COLONS_OF_FIELD, MOST_COLONS = 25, MOST_READINGS


class DatasetKey(NamedTuple):
    """A dataset as OpenLineage names it."""

    namespace: str
    name: str

    @property
    def node_id(self) -> str:
        """The dataset in Marquez's node id form."""
        return f"dataset:{self.namespace}:{self.name}"

    @property
    def id(self) -> uuid.UUID:
        """The identity under which rows refer to the dataset; the names alone give it."""
        return digest_uuid("dataset", self.namespace, self.name)


class JobKey(NamedTuple):
    """A job as OpenLineage names it."""

    namespace: str
    name: str

    @property
    def node_id(self) -> str:
        """The job in Marquez's node id form."""
        return f"job:{self.namespace}:{self.name}"

    @property
    def id(self) -> uuid.UUID:
        """The identity under which rows refer to the job; the names alone give it."""
        return digest_uuid("job", self.namespace, self.name)


@dataclass(frozen=True, slots=True)
class NodeId:
    """A node id as a caller wrote it; namespace and name may split at more than one colon.

    `dataset:postgres://host:5432:public.t` can be read as (`postgres`, `//host:5432:public.t`) or
    (`postgres://host`, `5432:public.t`) or (`postgres://host:5432`, `public.t`): only stored names can tell.
    """

    kind: str
    rest: str

    KINDS = ("dataset", "job", "run", "datasetField")

    @classmethod
    def parse(cls, text: str) -> "NodeId":
        """Split off the kind; raise `InvalidNodeId` for an unknown one, and for an id that may mean too much."""
        kind, _, rest = text.partition(":")
        if kind not in cls.KINDS or not rest or (kind != "run" and ":" not in rest):
            message = (
                "expected dataset:NAMESPACE:NAME, job:NAMESPACE:NAME, datasetField:NAMESPACE:NAME:FIELD or run:UUID,"
                f" found {text!r}"
            )
            raise InvalidNodeId(message[:500])
        colons, most = rest.count(":"), MOST_COLONS_OF_FIELD if kind == "datasetField" else MOST_COLONS
        if kind != "run" and colons > most:
            message = (
                f"expected a node id with at most {most} colons in its names, found {colons}, each of which may part"
                " namespace and name: give both apart where they are taken"
            )
            raise InvalidNodeId(message)
        return cls(kind, rest)

    def candidates(self) -> list[tuple[str, ...]]:
        """Every (namespace, name), of a field (namespace, name, field), that this may mean; at most `MOST_READINGS`.

        The longest namespace comes first, of equally long ones that with the longest name of the dataset.
        """
        parts = self.rest.split(":")
        last = len(parts)
        if self.kind == "datasetField":
            cuts = [(cut, other) for cut in range(last - 2, 0, -1) for other in range(last - 1, cut, -1)]
        else:
            cuts = [(cut, last) for cut in range(last - 1, 0, -1)]
        found = []
        for cut, other in cuts:
            names = [":".join(parts[:cut]), ":".join(parts[cut:other])]
            if self.kind == "datasetField":
                names.append(":".join(parts[other:]))
            if all(names):
                found.append(tuple(names))
        return found

    def __str__(self) -> str:
        return f"{self.kind}:{self.rest}"


def uuids_beginning_with(text: str) -> tuple[uuid.UUID, uuid.UUID]:
    """Return the least and the greatest UUID whose text begins so, in whatever case; raise `ValueError`."""
    form = "00000000-0000-0000-0000-000000000000"
    fits = len(text) <= len(form) and all(
        (found == "-") if place == "-" else found in "0123456789abcdefABCDEF"
        for found, place in zip(text, form, strict=False)
    )
    if not fits:
        raise ValueError(f"expected the beginning of a UUID, found {text!r}"[:200])
    rest = form[len(text) :]
    return uuid.UUID(text + rest), uuid.UUID(text + rest.replace("0", "f"))


def name_based_uuid(*parts: str) -> uuid.UUID:
    """Return the UUIDv5 of the parts; parts are length-prefixed, so that no two lists of parts collide."""
    return uuid.uuid5(NAMESPACE, "".join(f"{len(part)}:{part}" for part in parts))


def digest_uuid_once(*parts: str) -> uuid.UUID:
    """Return what `digest_uuid` returns, and do not remember it: for names that are too many to be asked for again."""
    text = "".join([f"{len(part)}:{part}" for part in parts])
    return uuid.UUID(bytes=blake2b(text.encode(), digest_size=16).digest())


@functools.lru_cache(maxsize=65_536)
def digest_uuid(*parts: str) -> uuid.UUID:
    """Return 128 bits of digest of the parts as a key for rows, several times cheaper than a UUIDv5."""
    return digest_uuid_once(*parts)
