"""Routes whose path parameters are names as producers wrote them: any character may stand in one, `/` too."""

from typing import Any
from urllib.parse import unquote

from fastapi.routing import APIRoute
from starlette.routing import Match
from starlette.types import Scope


class NameRoute(APIRoute):
    """A route that is matched on the path as it was sent.

    The server decodes the path before it is matched, and `%2F` within a name is a separator then.
    """

    def matches(self, scope: Scope) -> tuple[Match, Scope]:
        """Match the undecoded path; the parameters of a match are decoded one by one."""
        raw: bytes | None = scope.get("raw_path")
        if raw is None or scope["type"] != "http":
            return super().matches(scope)
        match, child = super().matches({**scope, "path": raw.decode("ascii", "replace")})
        if match is not Match.NONE:
            found: dict[str, Any] = child["path_params"]
            child["path_params"] = {
                name: unquote(value) if isinstance(value, str) else value for name, value in found.items()
            }
        return match, child
