"""`/openapi.json`: every route of ours, with what it takes and gives, and nothing that is not so."""

import asyncio
import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from jsonschema import Draft202012Validator

from tests.support.openlineage_events import run_event
from tests.support.spine import T0
from tests.support.web import running_web
from web.graphql.router import MIN_POSITION_HEADER, POSITION_HEADER
from web.marquez.asking import REMOVED_HEADER

WITHOUT_BODY = {("post", "/api/v1/lineage"), ("delete", "/api/v1/tokens/{name}")}
#: Statuses that are neither a success nor a problem.
OTHERS = {("get", "/readyz"): {"503"}}
METHODS = {"get", "put", "post", "delete", "options", "head", "patch", "trace"}


def described(database_url: str, data_dir: Path) -> tuple[dict[str, Any], set[tuple[str, str]]]:
    """Return the description, and the routes that the application really has."""

    async def ask() -> tuple[dict[str, Any], set[tuple[str, str]]]:
        async with running_web(database_url, data_dir) as web:
            response = await web.client.get("/openapi.json")
            assert response.status_code == 200
            return response.json(), set(routes_below(web.app._app))  # type: ignore[attr-defined]  # the framework's

    return asyncio.run(ask())


def routes_below(router: Any) -> Iterator[tuple[str, str]]:
    """Yield method and path of every route, without the prefix that routers above it add."""
    for route in router.routes:
        if hasattr(route, "original_router"):
            yield from routes_below(route.original_router)
        else:
            # A websocket has no method, and OpenAPI no websockets.
            yield from ((method.lower(), route.path) for method in getattr(route, "methods", ()))


def operations(document: dict[str, Any]) -> dict[tuple[str, str], dict[str, Any]]:
    return {
        (method, path): operation
        for path, members in document["paths"].items()
        for method, operation in members.items()
        if method in METHODS
    }


def references(value: Any) -> set[str]:
    if isinstance(value, dict):
        own = {value["$ref"]} if isinstance(value.get("$ref"), str) else set()
        return own.union(*(references(each) for each in value.values()))
    return set().union(*(references(each) for each in value)) if isinstance(value, list) else set()


def test_every_route_is_described(database_url: str, tmp_path: Path) -> None:
    document, routes = described(database_url, tmp_path)
    shown = set(operations(document))
    pages = {("get", "/"), ("get", "/graphql"), ("get", "/graphql/{name}"), ("get", "/openapi.json")}
    assert len(routes) > 40
    hidden = {
        (method, path)
        for method, path in routes
        if method != "head" and not any(method == other and each.endswith(path) for other, each in shown)
    }
    assert hidden <= pages
    for route in (
        ("post", "/api/v1/lineage"),
        ("get", "/api/v1/lineage"),
        ("post", "/api/v1/lineage/batch"),
        ("post", "/api/v1/versions"),
        ("post", "/api/v1/tokens"),
        ("post", "/graphql"),
        ("get", "/healthz"),
        ("get", "/readyz"),
        ("get", "/metrics"),
    ):
        assert route in shown


def test_every_operation_says_what_it_takes_and_gives(database_url: str, tmp_path: Path) -> None:
    document, _ = described(database_url, tmp_path)
    found = operations(document)
    names = [operation["operationId"] for operation in found.values()]
    assert len(names) == len(set(names))
    for route, operation in found.items():
        assert operation["description"], route
        (status,) = (status for status in operation["responses"] if status.startswith("2"))
        assert set(operation["responses"]) - {status, "default"} <= OTHERS.get(route, set()), route
        problem = operation["responses"]["default"]["content"]["application/problem+json"]
        assert problem["schema"] == {"$ref": "#/components/schemas/Problem"}
        if route not in WITHOUT_BODY:
            (content,) = operation["responses"][status]["content"].values()
            assert content["schema"], route
        if route[0] in {"post", "put"}:
            assert operation["requestBody"]["content"]["application/json"]["schema"], route
        for parameter in operation.get("parameters", ()):
            assert parameter["schema"], route


def test_headers_that_many_routes_take_or_give_are_described(database_url: str, tmp_path: Path) -> None:
    document, _ = described(database_url, tmp_path)
    told = set(re.findall(r"Headwater-[A-Z][A-Za-z-]+", document["info"]["description"]))
    assert told == {POSITION_HEADER, MIN_POSITION_HEADER, REMOVED_HEADER}


def test_bounds_are_exact(database_url: str, tmp_path: Path) -> None:
    document, _ = described(database_url, tmp_path)
    report = found_body(document, "/api/v1/versions")
    whole, nothing = report["properties"]["rows"]["anyOf"]
    assert whole == {"type": "integer", "minimum": 0, "exclusiveMaximum": 2**63}
    assert nothing == {"type": "null"}
    assert '"minimum":0.0' not in json.dumps(document, separators=(",", ":"))


def found_body(document: dict[str, Any], path: str) -> dict[str, Any]:
    """Return the schema of what is posted there."""
    found: dict[str, Any] = document["paths"][path]["post"]["requestBody"]["content"]["application/json"]
    schema: dict[str, Any] = found["schema"]
    return schema


def test_a_refused_question_of_graphql_has_the_form_of_an_answer(database_url: str, tmp_path: Path) -> None:
    document, _ = described(database_url, tmp_path)
    refused = document["paths"]["/graphql"]["post"]["responses"]["default"]["content"]
    assert refused["application/json"]["schema"] == {"$ref": "#/components/schemas/GraphQLAnswer"}
    assert refused["application/problem+json"]["schema"] == {"$ref": "#/components/schemas/Problem"}


def test_a_method_that_a_path_has_not_is_told_those_that_it_has(database_url: str, tmp_path: Path) -> None:
    async def ask() -> None:
        async with running_web(database_url, tmp_path) as web:
            for method, path, allowed in (
                ("OPTIONS", "/api/v1/lineage", "GET, POST"),
                ("TRACE", "/api/v1/lineage", "GET, POST"),
                ("OPTIONS", "/api/v1/log-level", "GET, PUT, DELETE"),
                ("TRACE", "/healthz", "GET, HEAD"),
                ("OPTIONS", "/api/v1/namespaces/a%2Fb/jobs/c", "GET"),
            ):
                answer = await web.client.request(method, path)
                assert (answer.status_code, answer.headers["allow"]) == (405, allowed)

    asyncio.run(ask())


def test_schemas_are_whole_and_what_is_sent_fits_them(database_url: str, tmp_path: Path) -> None:
    document, _ = described(database_url, tmp_path)
    schemas = document["components"]["schemas"]
    assert {each.removeprefix("#/components/schemas/") for each in references(document)} <= set(schemas)
    assert "HTTPValidationError" not in schemas
    for schema in schemas.values():
        Draft202012Validator.check_schema(schema)
    sent = found_body(document, "/api/v1/lineage")
    whole = json.loads(json.dumps({**sent, "components": document["components"]}))
    assert Draft202012Validator(whole).is_valid(run_event())
    assert not Draft202012Validator(whole).is_valid({"eventType": "START"})
    assert not Draft202012Validator(whole).is_valid(
        {"eventTime": T0.isoformat(), "job": {"namespace": "", "name": "j"}}
    )


def test_the_page_about_marquez_lists_its_routes(database_url: str, tmp_path: Path) -> None:
    document, _ = described(database_url, tmp_path)
    page = (Path(__file__).parents[2] / "docs" / "marquez.md").read_text("utf-8")
    table = page[page.index("| route |") : page.index("## What differs")]
    listed = set(re.findall(r"`GET (/[^`]*)`", table))
    ours = {"/api/v1/tokens", "/api/v1/log-level"}
    served = {
        path for method, path in operations(document) if method == "get" and path.startswith("/api/v1/")
    } - ours
    assert {f"/api/v1{path}" for path in listed} == served
