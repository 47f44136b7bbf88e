"""What is found, where it fits, and in which order."""

import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import Enum
from typing import NamedTuple

from catalog.search.texts import ASKED_FIELDS, KINDS, Field, Kind
from catalog.search.words import Match
from web.graphql.cohort import Record
from web.graphql.records import DatasetRecord, JobRecord, PipelineRecord

#: Of the best matches first, in this order.
_TIERS: Mapping[Match, int] = {match: tier for tier, match in enumerate(Match)}
#: So much of a name its order knows, in characters.
ORDERED_CHARACTERS = 256
#: Behind every field: where only several texts together have every word.
SEVERAL = len(ASKED_FIELDS)

#: Where a hit stands: whether only fuzzily, field, tier, rank in it, length of the name, its beginning, that of the
#: namespace, identity.
Place = tuple[int, int, int, int, int, str, str, uuid.UUID]


@dataclass(frozen=True, slots=True)
class SearchFilters:
    """What may be found: everything that is said here must be so."""

    kinds: Sequence[Kind] = KINDS
    namespace: str | None = None
    #: Tags by key or `key:value`, owners and columns, whole, in whatever case; all of them.
    tags: Sequence[str] = ()
    owners: Sequence[str] = ()
    columns: Sequence[str] = ()
    #: Where the text is looked for.
    fields: Sequence[Field] = ASKED_FIELDS


class Unfinished(Enum):
    """Why what was found is not all that fits; where several reasons hold, the first in this order is given."""

    NOT_INDEXED = "NOT_INDEXED"
    NOT_JUDGED = "NOT_JUDGED"
    NOT_SOUGHT = "NOT_SOUGHT"


class Fit(NamedTuple):
    """How well something fits: smaller is better. `field` is `SEVERAL` where no field alone has every word."""

    fuzzy: bool
    field: int
    tier: int
    rank: int

    @classmethod
    def of(cls, field: int, match: Match, rank: int) -> "Fit":
        """Return it."""
        return cls(match is Match.FUZZY, field, _TIERS[match], rank)

    @property
    def match(self) -> Match:
        """In which way it fits."""
        return tuple(Match)[self.tier]


@dataclass(frozen=True, slots=True)
class FoundIn:
    """A text that fits, or that has some of the words where no text alone has all of them."""

    field: Field
    text: str
    column: str | None
    match: Match


@dataclass(slots=True, eq=False)
class Hit(Record):
    """A dataset, a job or a pipeline that fits a text; the record is there on pages."""

    kind: Kind
    row_id: uuid.UUID
    namespace: str
    name: str
    fit: Fit
    #: On pages, the best first; empty where the text was its node id, or asked for anything.
    found_in: Sequence[FoundIn] = ()
    record: DatasetRecord | JobRecord | PipelineRecord | None = None

    @property
    def id(self) -> str:
        """Its node id; of a pipeline, which is no node, `pipeline:NAME`."""
        return (
            f"pipeline:{self.name}"
            if self.kind == "pipeline"
            else f"{self.kind}:{self.namespace}:{self.name}"
        )

    @property
    def match(self) -> Match:
        """How it fits."""
        return self.fit.match

    @property
    def place(self) -> Place:
        """Where it stands among all hits of a text."""
        return (
            int(self.fit.fuzzy),
            *self.fit[1:],
            len(self.name),
            self.name[:ORDERED_CHARACTERS],
            self.namespace[:ORDERED_CHARACTERS],
            self.row_id,
        )
