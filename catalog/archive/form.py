"""What stands in an archive beside the rows: what it is, and what all of it must be."""

from typing import Literal

from pydantic import BaseModel, ConfigDict, Field
from pydantic.alias_generators import to_camel

#: Raised when a reader of this release would misread an archive of another form.
FORM = 1

HEADER = "headwater-backup.json"
MANIFEST = "manifest.json"


class _Told(BaseModel):
    model_config = ConfigDict(frozen=True, alias_generator=to_camel, populate_by_name=True, extra="ignore")


class Header(_Told):
    """The first member: enough to say whether this release can read the rest."""

    form: int
    headwater: str = Field(description="Release that wrote it.")
    revision: str = Field(description="Revision of the database's schema.")
    server: str = Field(description="Release of PostgreSQL that it was read from.")
    taken_at: str = Field(description="By the database's clock, UTC.")
    ledger_position: int = Field(description="Position of the last fact in it.")
    state_position: int = Field(description="Position that its state was computed at.")
    outputs: Literal["not included"] = Field(
        "not included", description="What runs wrote stays in the data folders of their hosts."
    )


class Part(_Told):
    """One member with rows of a table: their number, and the SHA-256 of the member's bytes."""

    name: str
    rows: int
    sha256: str


class TableCopy(_Told):
    """A table: the columns of its rows, their number, the digest of the rows as a set, and where they stand."""

    name: str
    columns: tuple[str, ...]
    rows: int
    digest: str
    parts: tuple[Part, ...]


class Partition(_Told):
    """A range of ledger positions that has a table of its own, from `lower` up to `upper` without it."""

    name: str
    lower: int
    upper: int


class Sequence(_Told):
    """Where a sequence stands."""

    name: str
    last_value: int
    is_called: bool


class Manifest(_Told):
    """The last member: everything that an archive holds."""

    header: Header
    tables: tuple[TableCopy, ...]
    partitions: tuple[Partition, ...]
    sequences: tuple[Sequence, ...]

    @property
    def rows(self) -> int:
        """How many rows it holds."""
        return sum(table.rows for table in self.tables)
