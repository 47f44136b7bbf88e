"""Access: who a request comes from and what it may do.

The middleware finds the principal; `require` is the one check that routes, resolvers and websockets use.
"""

from collections.abc import MutableMapping
from typing import Any

from starlette.requests import HTTPConnection

from catalog.errors import Forbidden, Unauthenticated
from web.access.permissions import LOCAL, LOOPBACK, ROLE_PERMISSIONS, Permission, Principal, Role

__all__ = [
    "LOCAL",
    "LOOPBACK",
    "ROLE_PERMISSIONS",
    "Permission",
    "Principal",
    "Role",
    "principal_of",
    "require",
]


def principal_of(connection: HTTPConnection | MutableMapping[str, Any]) -> Principal:
    """Return on whose behalf the request or websocket acts; raise `Unauthenticated` where nobody checked it."""
    scope = connection.scope if isinstance(connection, HTTPConnection) else connection
    principal = scope.get("state", {}).get("principal")
    if not isinstance(principal, Principal):
        raise Unauthenticated
    return principal


def require(connection: HTTPConnection | MutableMapping[str, Any], permission: Permission) -> Principal:
    """Return the principal of the request, websocket or ASGI scope if it holds the permission.

    Raises `Unauthenticated` where a token would help, `Forbidden` where the token's role does not allow it.
    """
    principal = principal_of(connection)
    if permission in principal.permissions:
        return principal
    if principal.role is None:
        message = (
            f"expected a token that allows to {permission}: send the header Authorization: Bearer TOKEN"
            " (on the server's own machine the token in the file local-token of its data folder)"
        )
        raise Unauthenticated(message)
    roles = ", ".join(role for role, held in ROLE_PERMISSIONS.items() if permission in held)
    raise Forbidden(
        f"expected a token of role {roles}, found role {principal.role}", permission=str(permission)
    )
