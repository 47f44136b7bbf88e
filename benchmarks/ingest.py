"""Taking in realistic events: single posts, batches, and how fast the followers turn them into versions and graph."""

import datetime as dt
import json
import time
from typing import Any

import psycopg
from sqlalchemy import make_url

from benchmarks.events import pair
from benchmarks.load import events_body, post_all, request
from benchmarks.machine import machine, summary_ms
from benchmarks.server import running_server, temporary_folder
from catalog.embedded import EmbeddedPostgreSQL
from catalog.ledger import compress

START = dt.datetime(2026, 1, 1, tzinfo=dt.UTC)


def _events(first: int, pairs: int) -> list[dict[str, Any]]:
    found = []
    for number in range(first, first + pairs):
        found.extend(pair(number, START + dt.timedelta(seconds=2 * number)))
    return found


def _bare_rows_per_s(bodies: list[bytes]) -> float:
    """Return what the database alone does: the same bodies, compressed, in commits of 100."""
    with temporary_folder() as folder:
        database = EmbeddedPostgreSQL(folder, progress=lambda _: None)
        url = make_url(database.start()).set(drivername="postgresql").render_as_string(hide_password=False)
        try:
            with psycopg.connect(url, autocommit=True) as connection:
                connection.execute("CREATE TABLE bare (id bigserial PRIMARY KEY, body bytea)")
                started = time.perf_counter()
                for index in range(0, len(bodies), 100):
                    rows = [compress(body) for body in bodies[index : index + 100]]
                    connection.execute("INSERT INTO bare (body) SELECT unnest(%b::bytea[])", (rows,))
                return len(bodies) / (time.perf_counter() - started)
        finally:
            database.stop()


def measure_ingest(pairs: int = 5_000) -> dict[str, Any]:
    """Return acknowledged events per second, single and in batches, and followed ones; two cores shared by all."""
    with temporary_folder() as folder, running_server(folder) as server:
        post_all(
            server.port, [request("/api/v1/lineage", json.dumps(e).encode()) for e in _events(0, 1_000)], 8
        )
        server.wait_until_followed()
        single = [request("/api/v1/lineage", json.dumps(event).encode()) for event in _events(1_000, pairs)]
        started = time.perf_counter()
        answers, single_seconds = post_all(server.port, single, 8)
        answers.check()
        server.wait_until_followed()
        single_followed = time.perf_counter() - started
        events = _events(1_000 + pairs, 2 * pairs)
        batches = [
            request("/api/v1/lineage/batch", events_body(events[index : index + 100]))
            for index in range(0, len(events), 100)
        ]
        started = time.perf_counter()
        batch_answers, batch_seconds = post_all(server.port, batches, 4)
        batch_answers.check()
        server.wait_until_followed()
        batch_followed = time.perf_counter() - started
        status = server.graphql("{ status { position ledgerPosition graphPosition } }")["status"]
        lag = status["ledgerPosition"] - min(status["position"], status["graphPosition"])
        bodies = [json.dumps(event).encode() for event in events[:5_000]]
    return {
        "n": len(single) + len(events),
        "event_bytes": sum(map(len, bodies)) // len(bodies),
        "single": {
            "acknowledged_per_s": round(len(single) / single_seconds),
            **summary_ms(answers.seconds),
            "followed_per_s": round(len(single) / single_followed),
        },
        "batch": {
            "acknowledged_per_s": round(len(events) / batch_seconds),
            **summary_ms(batch_answers.seconds),
        },
        "followers": {"events_per_s": round(len(events) / batch_followed), "lag_after_positions": lag},
        "reference": {
            "what": "the same bodies into a bare table, commits of 100",
            "rows_per_s": round(_bare_rows_per_s(bodies)),
        },
        "machine": machine(),
    }
