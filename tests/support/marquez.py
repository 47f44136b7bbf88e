"""Marquez's routes as a client reads them, on a running application."""

import asyncio
import json
from collections.abc import Callable, Coroutine
from dataclasses import dataclass
from pathlib import Path
from typing import Any, get_type_hints
from urllib.parse import quote

import httpx
from pydantic import TypeAdapter

from tests.support.web import Web, problem_of, running_web


def path(*parts: object) -> str:
    """Return the path of names, each percent-encoded as Marquez's clients do."""
    return "/api/v1/" + "/".join(quote(str(part), safe="") for part in parts)


def golden_events(data: Path) -> list[dict[str, Any]]:
    """Return the real events of real producers."""
    found: list[dict[str, Any]] = []
    for file in sorted((data / "openlineage" / "events").rglob("*.json")):
        events = json.loads(file.read_text("utf-8"))
        found += events if isinstance(events, list) else [events]
    return found


@dataclass(frozen=True)
class Reading:
    """A running application, and what it answers."""

    web: Web

    async def response(
        self, *parts: object, headers: dict[str, str] | None = None, **query: Any
    ) -> httpx.Response:
        return await self.web.client.get(path(*parts), params=query, headers=headers)

    async def get(self, *parts: object, **query: Any) -> Any:
        """Return the JSON of an answer that is well."""
        response = await self.response(*parts, **query)
        assert response.status_code == 200, response.text
        assert response.headers["content-type"] == "application/json"
        assert int(response.headers["headwater-position"]) >= 0
        return response.json()

    async def refused(self, *parts: object, **query: Any) -> tuple[int, str]:
        """Return status and code of a refusal."""
        response = await self.response(*parts, **query)
        return response.status_code, problem_of(response)["code"]


def read(
    database_url: str, data_dir: Path, story: Callable[[Reading], Coroutine[Any, Any, None]], **settings: Any
) -> None:
    """Tell the story to an application on the database."""

    async def told() -> None:
        async with running_web(database_url, data_dir, **settings) as web:
            await story(Reading(web))

    asyncio.run(told())


def check_shape(value: Any, shape: Any) -> None:
    """Assert that the value has the shape: its types, and no member that the shape does not have."""
    TypeAdapter(shape).validate_python(value)
    assert set(value) <= set(get_type_hints(shape)), set(value) - set(get_type_hints(shape))
