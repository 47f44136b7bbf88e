"""The description of all routes for machines, `/openapi.json`: what each takes and gives, refusals included."""

from typing import Any, NotRequired

from fastapi import FastAPI
from fastapi.routing import APIRoute
from pydantic import TypeAdapter
from typing_extensions import TypedDict

from web.graphql.router import MIN_POSITION_HEADER, POSITION_HEADER
from web.marquez.asking import REMOVED_HEADER


class Problem(TypedDict):
    """A refusal (RFC 9457). `code` is stable; members beside these name what it is about."""

    type: str
    title: str
    status: int
    detail: str
    code: str
    retryable: NotRequired[bool]
    pointer: NotRequired[str]


_PROBLEM: dict[str, Any] = {
    "description": "A refusal; the status says of which kind, `code` which.",
    "content": {"application/problem+json": {"schema": {"$ref": "#/components/schemas/Problem"}}},
}
#: Of all routes together: a header that many take or give is told once.
_ABOUT = f"""\
`{POSITION_HEADER}` in an answer is the ledger position that it was read at, or that was written.

A question of GraphQL or of Marquez's API with `{MIN_POSITION_HEADER}` waits until its answer knows that position.

`{REMOVED_HEADER}` stands on answers that are made from events where retention has removed old ones:
those received before it may be missing.
"""
#: What the framework would answer to parameters that do not fit; they get a problem like everything else.
_FRAMEWORKS_OWN = ("HTTPValidationError", "ValidationError")


def operation_id(route: APIRoute) -> str:
    """Return the name of an operation: that of its function, which is unique."""
    return route.name


def describe(app: FastAPI) -> None:
    """Let the application describe itself as it is: every operation may refuse, and takes a bearer token."""
    made: dict[str, Any] = {}
    framework = app.openapi

    def openapi() -> dict[str, Any]:
        if not made:
            made.update(_completed(framework()))
        return made

    app.openapi = openapi  # type: ignore[method-assign]  # the framework's own way to change it


def _completed(found: dict[str, Any]) -> dict[str, Any]:
    found["info"]["description"] = _ABOUT
    components = found.setdefault("components", {})
    schemas = components.setdefault("schemas", {})
    for name in _FRAMEWORKS_OWN:
        schemas.pop(name, None)
    schemas["Problem"] = TypeAdapter(Problem).json_schema()
    components["securitySchemes"] = {"bearer": {"type": "http", "scheme": "bearer"}}
    # A server that only this machine reaches lets it read, and send events, without a token.
    found["security"] = [{"bearer": []}, {}]
    for operations in found["paths"].values():
        for operation in operations.values():
            for content in operation.get("requestBody", {}).get("content", {}).values():
                # What a schema defines beside itself is found where all schemas are.
                schemas.update(content["schema"].pop("$defs", {}))
            responses = operation["responses"]
            responses.pop("422", None)
            own = responses.get("default", {}).get("content", {})
            responses["default"] = _PROBLEM | {"content": own | _PROBLEM["content"]}
    exact: dict[str, Any] = _exact(found)
    return exact


def _exact(value: Any) -> Any:
    """Return the value with whole numbers written as such; the framework makes floats of bounds."""
    match value:
        case dict():
            return {key: _exact(item) for key, item in value.items()}
        case list():
            return [_exact(item) for item in value]
        case float() if value.is_integer():
            return int(value)
        case _:
            return value
