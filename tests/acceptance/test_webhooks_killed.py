"""Everything of `headwater up` is killed while messages go out: none is left out, and their order holds."""

import contextlib
import json
import random
import shutil
import signal
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest
from standardwebhooks import Webhook

from benchmarks.events import complete_event
from benchmarks.server import Server, start_server, stop_server
from tests.support.http_double import Heard, Reply, http_double
from tests.support.processes import post
from tests.support.webhooks import SECRET, header, webhook_body

EVENTS, KILLS = 60, 3


@pytest.fixture
def folder() -> Iterator[Path]:
    found = Path(tempfile.mkdtemp(prefix="headwater-webhooks-"))
    (found / "secrets").mkdir(mode=0o700)
    (found / "secrets" / "hook").write_text(SECRET)
    yield found
    link = found / "postgresql"
    if link.is_symlink():
        shutil.rmtree(link.resolve(), ignore_errors=True)
    shutil.rmtree(found, ignore_errors=True)


def kill_everything(server: Server) -> None:
    for process in server.processes():
        with contextlib.suppress(psutil.NoSuchProcess):
            process.send_signal(signal.SIGKILL)
    server.process.wait()
    assert server.process.stdout is not None
    server.process.stdout.close()


def test_after_kill_9_of_everything_each_message_has_come_in_order(folder: Path) -> None:
    chooser = random.Random(4)
    taken: list[Heard] = []

    def manners(heard: Heard, reply: Reply) -> None:
        time.sleep(0.02)
        if chooser.random() < 0.1:
            reply.send(500)
            return
        taken.append(heard)
        reply.send(204)

    with http_double(manners) as receiver:
        server = start_server(folder, HEADWATER_OUTBOUND_ALLOW_LOOPBACK="true")
        try:
            retries = {"count": 100, "backoff": {"initial": "100ms", "maximum": "200ms"}}
            server.apply(webhook_body("hook", receiver.url, ["version.published"], retries=retries))
            for _ in range(KILLS):
                before = len(taken)
                for number in range(EVENTS // KILLS):
                    assert post(server.port, "/api/v1/lineage", complete_event(f"d{number}")) == 201
                deadline = time.monotonic() + 20
                while len(taken) < before + 5 and time.monotonic() < deadline:
                    time.sleep(0.01)
                kill_everything(server)
                server = start_server(folder, HEADWATER_OUTBOUND_ALLOW_LOOPBACK="true")
            deadline = time.monotonic() + 60
            found = None
            while time.monotonic() < deadline:
                found = server.graphql('{ webhook(name: "hook") { state pending dead delivered } }')[
                    "webhook"
                ]
                if found["pending"] == 0 and found["delivered"] >= EVENTS:
                    break
                time.sleep(0.1)
            assert found == {"state": "ACTIVE", "pending": 0, "dead": 0, "delivered": EVENTS}
        finally:
            stop_server(server)
    first = {
        header(heard, "webhook-id"): json.loads(heard.body)["data"]["position"] for heard in reversed(taken)
    }
    positions = [first[name] for name in dict.fromkeys(header(heard, "webhook-id") for heard in taken)]
    assert len(positions) == EVENTS
    assert positions == sorted(positions)
    # The last ones are young enough for a receiver's own check.
    Webhook(SECRET).verify(taken[-1].body, taken[-1].headers)
