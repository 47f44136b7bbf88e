"""A server with the one route of Marquez that an import reads, and with Marquez's looseness about it.

Events of one instant come in another order at each request; parameters that Marquez does not know change nothing.
"""

import datetime as dt
import json
import random
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from typing import Any
from urllib.parse import parse_qs, urlsplit


@dataclass
class MarquezEvents:
    """What the server holds, and what it was asked."""

    events: list[dict[str, Any]]
    url: str = ""
    asked: list[dict[str, str]] = field(default_factory=list)
    authorizations: list[str | None] = field(default_factory=list)
    #: Headers of every answer: a Headwater says there from when on it has the events.
    headers: dict[str, str] = field(default_factory=dict)
    #: Gives a status to refuse a request with, None where it is answered.
    refuse: Callable[[dict[str, str]], int | None] = lambda _query: None

    def page(self, query: dict[str, str]) -> dict[str, Any]:
        """Return what Marquez would."""
        after, before = (dt.datetime.fromisoformat(query[name]) for name in ("after", "before"))
        found = [
            (dt.datetime.fromisoformat(event["eventTime"]), random.random(), event) for event in self.events
        ]
        ordered = sorted(each for each in found if after <= each[0] < before)
        start = int(query["offset"])
        events = [event for _, _, event in ordered[start : start + int(query["limit"])]]
        return {"events": events, "totalCount": len(ordered)}


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
