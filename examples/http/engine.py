"""A small engine to start runs on: `python engine.py [PORT]`, on this machine only. It works for two seconds a run.

What Headwater needs of an engine is here: it accepts at once and works afterwards, it knows a run by the id that it was
given and so starts none twice, it says how a run stands, and it ends one. HEADWATER_SECRET_ENGINE is its token.
"""

import hmac
import json
import os
import sys
import time
from dataclasses import dataclass
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

SECONDS = 2.0
TOKEN = f"Bearer {os.environ.get('HEADWATER_SECRET_ENGINE', '')}"


@dataclass
class Run:
    """A run, and what it was asked to do."""

    order: dict[str, Any]
    accepted_at: float
    killed: bool = False

    @property
    def state(self) -> str:
        """Where it stands."""
        if self.killed:
            return "KILLED"
        return "SUCCESS" if time.monotonic() > self.accepted_at + SECONDS else "RUNNING"


RUNS: dict[str, Run] = {}


class Engine(BaseHTTPRequestHandler):
    """`POST /runs` with an `id`, `GET /runs/ID`, `DELETE /runs/ID`."""

    def do_POST(self) -> None:
        """Accept a run; the same id again is the same run."""
        order = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        if not self._is_known():
            return
        if order["id"] not in RUNS:
            print(f"started {order['id']}: {order['note']}", flush=True)
            RUNS[order["id"]] = Run(order, time.monotonic())
        self._say(HTTPStatus.ACCEPTED, {"id": order["id"]})

    def do_GET(self) -> None:
        """Say how a run stands."""
        run = RUNS.get(self.path.rpartition("/")[2])
        if not self._is_known():
            return
        if run is None:
            self._say(HTTPStatus.NOT_FOUND, {"message": "there is no such run"})
        else:
            self._say(HTTPStatus.OK, {"state": run.state, "message": run.order["note"]})

    def do_DELETE(self) -> None:
        """End a run."""
        run = RUNS.get(self.path.rpartition("/")[2])
        if not self._is_known():
            return
        if run is not None and run.state == "RUNNING":
            run.killed = True
        self._say(HTTPStatus.ACCEPTED, {})

    def _is_known(self) -> bool:
        known = hmac.compare_digest(self.headers.get("Authorization", ""), TOKEN)
        if not known:
            self._say(HTTPStatus.UNAUTHORIZED, {"message": "expected the token"})
        return known

    def _say(self, status: HTTPStatus, answer: dict[str, Any]) -> None:
        content = json.dumps(answer).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 - the library's name
        """Print what runs are started, not every question."""


def main() -> None:
    """Serve until the process is ended."""
    port = int(sys.argv[1]) if len(sys.argv) > 1 else 8700
    server = ThreadingHTTPServer(("127.0.0.1", port), Engine)
    print(f"engine http://127.0.0.1:{server.server_address[1]}", flush=True)
    server.serve_forever()


if __name__ == "__main__":
    main()
