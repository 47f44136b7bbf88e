"""OpenLineage's own Python client, as producers use it, against a server that listens."""

import uuid
from pathlib import Path

from openlineage.client.client import OpenLineageClient
from openlineage.client.event_v2 import InputDataset, Job, OutputDataset, Run, RunEvent, RunState
from openlineage.client.transport.http import HttpConfig, HttpTransport

from tests.services.web_process import web_process
from tests.support.spine import connect, follow, parked
from tests.support.web import ledger

NAMESPACE = "duckdb://flights"


def test_what_the_real_client_sends_arrives(database_url: str, tmp_path: Path) -> None:
    run_id = str(uuid.uuid4())
    with web_process(database_url, tmp_path) as server:
        client = OpenLineageClient(transport=HttpTransport(HttpConfig(url=server.url)))
        for state, at in (
            (RunState.START, "2026-01-01T00:00:00Z"),
            (RunState.COMPLETE, "2026-01-01T00:01:00Z"),
        ):
            client.emit(
                RunEvent(
                    eventType=state,
                    eventTime=at,
                    producer="https://example.com/test",
                    run=Run(runId=run_id),
                    job=Job(namespace=NAMESPACE, name="land"),
                    inputs=[InputDataset(namespace=NAMESPACE, name="source")],
                    outputs=[OutputDataset(namespace=NAMESPACE, name="raw.flights")],
                )
            )
        assert client.close(5)
    assert [kind for _, kind, _ in ledger(database_url)] == ["openlineage.run"] * 2
    with connect(database_url) as connection:
        follow(connection)
        assert parked(connection) == []
        states = connection.execute("SELECT id::text, state FROM run").fetchall()
    assert states == [(run_id, "COMPLETE")]
