"""Who may do what: permissions, the roles that hold them, and the principal on whose behalf a request acts."""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Final


class Permission(StrEnum):
    """One thing that a request may ask for."""

    PRODUCE = "produce"
    """Send OpenLineage events."""
    REPORT = "report"
    """Report dataset versions, which start pipelines as events do but are no OpenLineage."""
    READ = "read"
    """Ask anything: lineage, runs, documents, metrics."""
    OPERATE = "operate"
    """Trigger, cancel, retry, pause, resume."""
    APPLY = "apply"
    """Register and delete documents: a pipeline may name a command, so whoever applies may run code on a worker."""
    ADMINISTER = "administer"
    """Create, list and revoke tokens."""


class Role(StrEnum):
    """What a token is made for."""

    PRODUCER = "producer"
    VIEWER = "viewer"
    OPERATOR = "operator"
    ADMIN = "admin"


ROLE_PERMISSIONS: Final[Mapping[Role, frozenset[Permission]]] = {
    Role.PRODUCER: frozenset({Permission.PRODUCE, Permission.REPORT}),
    Role.VIEWER: frozenset({Permission.READ}),
    Role.OPERATOR: frozenset({Permission.READ, Permission.OPERATE}),
    Role.ADMIN: frozenset(Permission),
}


@dataclass(frozen=True, slots=True)
class Principal:
    """On whose behalf a request acts; `name` is the actor that facts and transitions record.

    `role` is None for who showed no token.
    """

    name: str
    permissions: frozenset[Permission]
    role: Role | None = None

    @classmethod
    def in_role(cls, name: str, role: Role) -> "Principal":
        """Return the principal with the permissions of the role."""
        return cls(name, ROLE_PERMISSIONS[role], role)


#: Whoever reaches a server that listens on loopback alone, without a token.
LOOPBACK: Final = Principal("loopback", frozenset({Permission.PRODUCE, Permission.READ}))
#: Whoever shows the local token, which only the user who runs the server can read.
LOCAL: Final = Principal.in_role("local", Role.ADMIN)
