"""A server with the one route of Marquez that an import reads, and with Marquez's looseness about it.

As Marquez 0.51.1 does, it gives RunEvents alone but counts every event, writes null for each member of its own model
that a producer left out, writes times anew and in UTC, keeps of a parent its names alone, and takes 1970 and 2030 for
the bounds that nobody gave. Events of one instant come in another order at each request; parameters that it does not
know change nothing.
"""

import datetime as dt
import json
import random
import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from typing import Any
from urllib.parse import parse_qs, urlsplit

_BASE = ("_producer", "_schemaURL")
_DOCUMENTATION = (*_BASE, "description")
#: What Marquez's classes hold: of each, the members that it writes whether or not a producer did.
_JOB_FACETS = {
    "documentation": _DOCUMENTATION,
    "sourceCodeLocation": (*_BASE, "type", "url"),
    "sql": (*_BASE, "query"),
    "jobType": (*_BASE, "processingType", "integration", "jobType"),
}
_RUN_FACETS = {
    "nominalTime": (*_BASE, "nominalStartTime", "nominalEndTime"),
    "parent": (*_BASE, "run", "job"),
}
_DATASET_FACETS = {
    "documentation": _DOCUMENTATION,
    "schema": (*_BASE, "fields"),
    "dataSource": (*_BASE, "name", "uri"),
    "lifecycleStateChange": (*_BASE, "lifecycleStateChange"),
    "columnLineage": (*_BASE, "fields"),
    "symlinks": (*_BASE, "identifiers"),
    "description": (),
}


def _with(value: Any, *names: str) -> Any:
    return dict.fromkeys(names) | value if isinstance(value, dict) else value


def _facets(value: Any, known: dict[str, tuple[str, ...]]) -> Any:
    if not isinstance(value, dict):
        return value
    return _with(
        {name: _with(facet, *known.get(name, ())) for name, facet in value.items()},
        *known,
    )


def _time(text: str) -> str:
    """Return the time in UTC, a fraction without the zeros at its end; without zone it is taken for UTC."""
    fraction = re.search(r"\.\d+", text)
    at = dt.datetime.fromisoformat(text if fraction is None else text.replace(fraction[0], ""))
    whole = at.replace(tzinfo=at.tzinfo or dt.UTC).astimezone(dt.UTC).isoformat().removesuffix("+00:00")
    return whole + ("" if fraction is None else fraction[0].rstrip("0").rstrip(".")) + "Z"


def _dataset(value: dict[str, Any]) -> dict[str, Any]:
    whole = _with(value, "facets", "inputFacets", "outputFacets")
    facets = whole["facets"] = _facets(whole["facets"], _DATASET_FACETS)
    match facets:
        case {"schema": {"fields": [*fields]}}:
            facets["schema"]["fields"] = [_with(each, "type", "description") for each in fields]
    match facets:
        case {"columnLineage": {"fields": {**columns}}}:
            facets["columnLineage"]["fields"] = {
                name: _with(each, "transformationDescription", "transformationType")
                for name, each in columns.items()
            }
    return whole


def as_kept(event: dict[str, Any]) -> dict[str, Any]:
    """Return a RunEvent as Marquez gives it back."""
    names = ("eventType", "run", "job", "inputs", "outputs", "producer", "schemaURL")
    whole = _with(json.loads(json.dumps(event)), *names)
    whole["eventTime"] = _time(whole["eventTime"])
    for name, known in (("run", _RUN_FACETS), ("job", _JOB_FACETS)):
        whole[name] = _with(whole[name], "facets")
        if whole[name] is not None:
            whole[name]["facets"] = _facets(whole[name]["facets"], known)
    match whole["run"]:
        case {"facets": {"nominalTime": {**nominal}}}:
            times = {name: nominal[name] for name in ("nominalStartTime", "nominalEndTime") if nominal[name]}
            whole["run"]["facets"]["nominalTime"] = nominal | {
                name: _time(text) for name, text in times.items()
            }
    match whole["run"]:
        case {"facets": {"parent": {"run": run, "job": job, **more}}}:
            job = {name: job[name] for name in ("namespace", "name")}
            whole["run"]["facets"]["parent"] = more | {"run": {"runId": run["runId"]}, "job": job}
    for side in ("inputs", "outputs"):
        if whole[side] is not None:
            whole[side] = [_dataset(each) for each in whole[side]]
    return whole


@dataclass
class MarquezEvents:
    """What the server holds, and what it was asked."""

    events: list[dict[str, Any]]
    url: str = ""
    asked: list[dict[str, str]] = field(default_factory=list)
    authorizations: list[str | None] = field(default_factory=list)
    #: Headers of every answer. A Headwater says there where it was read, and from when on it has the events.
    headers: dict[str, str] = field(default_factory=dict)
    #: Gives a status to refuse a request with, None where it is answered.
    refuse: Callable[[dict[str, str]], int | None] = lambda _query: None

    @property
    def is_headwater(self) -> bool:
        """Whether it gives events of all kinds as producers wrote them."""
        return "Headwater-Position" in self.headers

    def page(self, query: dict[str, str]) -> dict[str, Any]:
        """Return what Marquez would."""
        bounds = {"after": "1970-01-01T00:00:00Z", "before": "2030-01-01T00:00:00Z"} | query
        after, before = (dt.datetime.fromisoformat(bounds[name]) for name in ("after", "before"))
        found = [
            (dt.datetime.fromisoformat(event["eventTime"]), random.random(), event) for event in self.events
        ]
        ordered = sorted(each for each in found if after <= each[0] < before)
        if query.get("sortDirection", "desc").lower() == "desc":
            ordered.reverse()
        given = [
            event if self.is_headwater else as_kept(event)
            for _, _, event in ordered
            if self.is_headwater or ("dataset" not in event and "run" in event)
        ]
        start = int(query.get("offset", "0"))
        return {"totalCount": len(ordered), "events": given[start : start + int(query.get("limit", "100"))]}


@contextmanager
def marquez_events(events: list[dict[str, Any]]) -> Iterator[MarquezEvents]:
    """Yield the server; it is gone at the end."""
    held = MarquezEvents(events)

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            split = urlsplit(self.path)
            query = {name: values[-1] for name, values in parse_qs(split.query).items()}
            held.asked.append(query)
            held.authorizations.append(self.headers["Authorization"])
            known = split.path == "/api/v1/events/lineage"
            status = (held.refuse(query) or 200) if known else 404
            body = json.dumps(held.page(query) if status == 200 else {"code": status}).encode()
            self.send_response(status)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(body)))
            for name, value in held.headers.items():
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            """Say nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    thread = Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    held.url = f"http://127.0.0.1:{server.server_address[1]}"
    try:
        yield held
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
