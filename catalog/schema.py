"""How the schema of a database stands to the one that this release was made for."""

from dataclasses import dataclass
from enum import StrEnum
from typing import Any

import psycopg

from catalog.errors import SchemaTooNew
from catalog.migrations import HEAD


class Standing(StrEnum):
    """What may be done with the schema."""

    NONE = "none"
    """Nothing was ever migrated."""
    OLDER = "older"
    """It must be migrated before this release can use it."""
    CURRENT = "current"
    NEWER = "newer"
    """A newer release has migrated it, and this one may go on beside that."""
    TOO_NEW = "too new"
    """A newer release has migrated it, and this one must not use it any more."""


@dataclass(frozen=True, slots=True)
class Schema:
    """The revision of a database, and the oldest revision whose release may still run on it."""

    revision: str | None
    oldest: str | None = None

    @property
    def standing(self) -> Standing:
        """How it stands; revisions are numbers of four digits."""
        if self.revision is None:
            return Standing.NONE
        if self.revision == HEAD:
            return Standing.CURRENT
        if self.revision < HEAD:
            return Standing.OLDER
        return Standing.NEWER if self.oldest is not None and self.oldest <= HEAD else Standing.TOO_NEW

    @property
    def usable(self) -> bool:
        """Whether this release can use it as it is."""
        return self.standing in (Standing.CURRENT, Standing.NEWER)

    def __str__(self) -> str:
        """Return it in words."""
        match self.standing:
            case Standing.NONE | Standing.OLDER:
                return f"schema revision {self.revision or 'none'}, expected {HEAD}"
            case Standing.CURRENT:
                return f"schema revision {HEAD}"
            case Standing.NEWER:
                return f"schema revision {self.revision}, which a newer release made and this one ({HEAD}) may use too"
            case Standing.TOO_NEW:
                newer = f"schema revision {self.revision}, newer than the {HEAD} of this release"
                return f"{newer}, which it does not fit any more"


def read_schema(connection: "psycopg.Connection[Any]") -> Schema:
    """Return how the schema of the database stands."""
    has_revision, has_oldest = connection.execute(
        "SELECT to_regclass('alembic_version') IS NOT NULL, to_regclass('compatibility') IS NOT NULL"
    ).fetchone() or (False, False)
    if not has_revision:
        return Schema(None)
    row = connection.execute("SELECT version_num FROM alembic_version").fetchone()
    oldest = connection.execute("SELECT oldest FROM compatibility").fetchone() if has_oldest else None
    return Schema(None if row is None else str(row[0]), None if oldest is None else str(oldest[0]))


def refuse_too_new(schema: Schema) -> None:
    """Return if this release may run on the schema, now or once it is migrated; raise `SchemaTooNew` if not."""
    if schema.standing is Standing.TOO_NEW:
        raise SchemaTooNew(f"found {schema}: run the newer release")
