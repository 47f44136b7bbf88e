"""What is found, and in which order."""

import uuid
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from web.graphql.cohort import Record
from web.graphql.records import DatasetRecord, JobRecord
from web.search.words import Match

Kind = Literal["dataset", "job"]
KINDS: tuple[Kind, ...] = ("dataset", "job")

#: Of the best matches first, in this order.
_TIERS: Mapping[Match, int] = {match: tier for tier, match in enumerate(Match)}
#: So much of a name its order knows, in characters.
ORDERED_CHARACTERS = 256

#: Where a hit stands: tier, rank in it, length of the name, its beginning, that of the namespace, identity.
Place = tuple[int, int, int, str, str, uuid.UUID]


@dataclass(slots=True, eq=False)
class Hit(Record):
    """A dataset or a job that fits a text; `rank` orders those that fit in the same way."""

    kind: Kind
    record: DatasetRecord | JobRecord
    match: Match
    rank: int

    @property
    def row_id(self) -> uuid.UUID:
        """The identity of what was found."""
        return self.record.row_id

    @property
    def id(self) -> str:
        """The node id of what was found."""
        return self.record.id

    @property
    def namespace(self) -> str:
        """Where it is."""
        return self.record.namespace

    @property
    def name(self) -> str:
        """Its name."""
        return self.record.name

    @property
    def place(self) -> Place:
        """Where it stands among all hits of a text."""
        return (
            _TIERS[self.match],
            self.rank,
            len(self.name),
            self.name[:ORDERED_CHARACTERS],
            self.namespace[:ORDERED_CHARACTERS],
            self.row_id,
        )
