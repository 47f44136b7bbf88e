"""What happens is told as it happens: over real websockets, without gaps and not twice."""

import contextlib
import signal
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
from sqlalchemy import Engine
from websockets.exceptions import ConnectionClosed, InvalidStatus

from tests.services.postgresql import drop_database, fresh_database
from tests.services.web_process import WebProcess, web_process
from tests.support.graphql import completed, heard, keeping_up
from tests.support.spine import append, apply_fact, connect, pipeline_body
from tests.support.subscriptions import opened, subscriber
from tests.support.web import ALL_ADDRESSES, bearer
from web.access import Role
from web.access.tokens import TokenStore

RUNS = """subscription ($pipeline: String, $states: [PipelineRunState!], $after: Long) {
  pipelineRunChanged(pipeline: $pipeline, states: $states, after: $after) {
    cursor position transition { fromState toState reason } pipelineRun { id pipelineName number state } } }"""
VERSIONS = """subscription ($node: ID, $states: [DatasetVersionState!], $after: Long) {
  versionAdded(nodeId: $node, states: $states, after: $after) {
    cursor position state version { id dataset { id } runId } } }"""


@pytest.fixture
def server(database_url: str, tmp_path: Path) -> Iterator[WebProcess]:
    with web_process(database_url, tmp_path) as running:
        yield running


@pytest.fixture(scope="module")
def standing_server(
    cluster_url: str, template_database: str, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[WebProcess]:
    """A server for all tests that neither tell it anything nor end it."""
    url = fresh_database(cluster_url, template_database)
    with web_process(url, tmp_path_factory.mktemp("standing")) as running:
        yield running
    drop_database(url)


def register(database_url: str, *names: str) -> None:
    heard(database_url, [apply_fact(*(pipeline_body(name, "orders", concurrency=50) for name in names))])


def orders(database_url: str, count: int = 1) -> None:
    """Make so many versions of the dataset that pipelines wait for."""
    for number in range(count):
        heard(database_url, completed(f"load_{number}", outputs=["orders"]))


def sequences(database_url: str) -> list[int]:
    with connect(database_url) as connection:
        rows = connection.execute("SELECT sequence FROM pipeline_run_transition ORDER BY sequence").fetchall()
    return [row[0] for row in rows]


def test_moves_of_runs_are_told_as_they_happen(server: WebProcess, database_url: str) -> None:
    register(database_url, "report", "mail")
    with subscriber(server.url) as client:
        client.subscribe(RUNS, {"pipeline": "report"})
        time.sleep(0.3)
        orders(database_url)
        first = client.next()["pipelineRunChanged"]
        assert first["transition"] == {
            "fromState": None,
            "toState": "PENDING",
            "reason": first["transition"]["reason"],
        }
        second = client.next()["pipelineRunChanged"]
        assert (second["transition"]["fromState"], second["transition"]["toState"]) == ("PENDING", "QUEUED")
        assert second["pipelineRun"]["pipelineName"] == "report"
        # The run is told as it stands.
        assert {first["pipelineRun"]["state"], second["pipelineRun"]["state"]} == {"QUEUED"}
        assert second["cursor"] > first["cursor"]
        # Of the other pipeline nothing was asked.
        with pytest.raises(TimeoutError):
            client.receive(seconds=0.7)


def test_versions_are_told_by_any_name_of_their_dataset(server: WebProcess, database_url: str) -> None:
    facets = {
        "symlinks": {
            "_producer": "https://example.com",
            "_schemaURL": "https://x",
            "identifiers": [{"namespace": "ns", "name": "table", "type": "TABLE"}],
        }
    }
    heard(database_url, completed("name", outputs=["path"], output_facets=facets))
    with subscriber(server.url) as client:
        client.subscribe(VERSIONS, {"node": "dataset:ns:table"})
        time.sleep(0.3)
        heard(database_url, completed("other", outputs=["elsewhere"]))
        heard(database_url, completed("write", outputs=["path"]))
        found = client.next()["versionAdded"]
        assert found["state"] == "PUBLISHED"
        assert found["version"]["dataset"]["id"] == "dataset:ns:path"


def test_one_that_was_never_heard_of_may_be_waited_for(server: WebProcess, database_url: str) -> None:
    with subscriber(server.url) as client:
        client.subscribe(VERSIONS, {"node": "dataset:ns:to_come"})
        time.sleep(0.3)
        heard(database_url, completed("write", outputs=["to_come"]))
        assert client.next()["versionAdded"]["version"]["dataset"]["id"] == "dataset:ns:to_come"


def test_after_a_break_it_goes_on_at_any_server(
    server: WebProcess, database_url: str, tmp_path: Path
) -> None:
    register(database_url, "report")
    orders(database_url, 3)
    everything = sequences(database_url)
    assert len(everything) == 6
    with subscriber(server.url) as client:
        client.subscribe(RUNS, {"after": 0})
        told = [client.next()["pipelineRunChanged"]["cursor"] for _ in range(4)]
    assert told == everything[:4]
    with web_process(database_url, tmp_path / "other") as other, subscriber(other.url) as client:
        client.subscribe(RUNS, {"after": told[-1]})
        assert [client.next()["pipelineRunChanged"]["cursor"] for _ in range(2)] == everything[4:]
        orders(database_url)
        assert client.next()["pipelineRunChanged"]["cursor"] > everything[-1]
        client.subscribe(RUNS, {"after": 10**9}, number="2")
        messages = [client.receive() for _ in range(2)]
        [refused] = [message for message in messages if message["type"] == "error"]
        assert refused["payload"][0]["extensions"]["code"] == "invalid-input"


def test_nothing_is_lost_or_told_twice_when_database_connections_are_killed(
    server: WebProcess, database_url: str, cluster_url: str
) -> None:
    register(database_url, "report")
    name = database_url.split("?", maxsplit=1)[0].rsplit("/", 1)[1]
    stop = threading.Event()

    def kill() -> None:
        with connect(cluster_url) as connection:
            while not stop.wait(0.3):
                connection.execute(
                    "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
                    " WHERE datname = %s AND application_name LIKE 'headwater%%'",
                    (name,),
                )

    told: list[int] = []
    with subscriber(server.url) as client:
        client.subscribe(RUNS, {"after": 0})
        killer = threading.Thread(target=kill)
        killer.start()
        try:
            for _ in range(15):
                orders(database_url)
                time.sleep(0.1)
        finally:
            stop.set()
            killer.join()
        expected = sequences(database_url)
        while len(told) < len(expected):
            told.append(client.next()["pipelineRunChanged"]["cursor"])
        with pytest.raises(TimeoutError):
            client.receive(seconds=1.2)
    assert told == expected


def test_many_follow_one_burst_and_each_hears_all_of_it(server: WebProcess, database_url: str) -> None:
    register(database_url, *(f"p{number}" for number in range(20)))
    with subscriber(server.url) as one, subscriber(server.url) as other:
        for client in (one, other):
            for number in range(5):
                client.subscribe(RUNS, {"after": 0}, number=str(number))
        orders(database_url, 10)
        expected = sequences(database_url)
        assert len(expected) > 200
        for client in (one, other):
            told: dict[str, list[int]] = {str(number): [] for number in range(5)}
            while any(len(found) < len(expected) for found in told.values()):
                message = client.receive()
                told[message["id"]].append(message["payload"]["data"]["pipelineRunChanged"]["cursor"])
            assert all(found == expected for found in told.values())


def test_what_may_not_be_followed_is_refused_with_a_code(standing_server: WebProcess) -> None:
    with subscriber(standing_server.url) as client:
        client.subscribe("subscription { nothing }")
        assert client.code() == "invalid-query"
        client.subscribe("subscription { pipelineRunChanged { cursor } versionAdded { cursor } }")
        assert client.code() == "invalid-query"
        deep = "pipeline { latestRun { " * 8 + "id" + " } }" * 8
        client.subscribe(f"subscription {{ pipelineRunChanged {{ pipelineRun {{ {deep} }} }} }}")
        assert client.code() == "query-too-expensive"
        wide = "runs(first: 1000) { nodes { transitions { reason } outputs(first: 1000) { nodes { id } } } }"
        client.subscribe(
            f"subscription {{ pipelineRunChanged {{ pipelineRun {{ pipeline {{ {wide} }} }} }} }}"
        )
        assert client.code() == "query-too-expensive"
        client.subscribe(VERSIONS, {"node": "job:ns:j"})
        assert client.code() == "invalid-node-id"
        client.subscribe(RUNS, {"states": ["NO_SUCH"]})
        assert client.code() == "invalid-query"
        # A question may be asked here too, within its bounds; a command needs its permission.
        client.subscribe("{ position }", number="question")
        assert client.next() == {"position": 0}
        assert client.receive() == {"id": "question", "type": "complete"}


def test_a_subscription_is_not_taken_as_a_question(standing_server: WebProcess) -> None:
    answer = httpx.post(f"{standing_server.url}/graphql", json={"query": RUNS}).json()
    assert answer["errors"][0]["extensions"]["code"] == "invalid-query"
    assert "websocket" in answer["errors"][0]["message"]


def test_a_connection_follows_only_so_much(standing_server: WebProcess) -> None:
    with subscriber(standing_server.url) as client:
        for number in range(21):
            client.subscribe(RUNS, number=str(number))
        message = client.receive()
        assert (message["type"], message["id"]) == ("error", "20")
        # One that is completed makes room.
        client.send(type="complete", id="3")
        client.subscribe("{ position }", number="21")
        assert client.next() == {"position": 0}


@pytest.mark.parametrize(
    ("message", "code"),
    [
        ("no json", 4400),
        ("[]", 4400),
        ('{"type": 1}', 4400),
        ('{"type": "subscribe", "id": "1", "payload": {"query": 5}}', 4400),
        ('{"type": "subscribe", "id": "", "payload": {"query": "x"}}', 4400),
        ('{"type": "nothing"}', 4400),
        ('{"type": "subscribe", "id": "1", "payload": {"query": "{ position }"}}', 4401),
    ],
)
def test_what_is_no_message_ends_the_connection(standing_server: WebProcess, message: str, code: int) -> None:
    with opened(standing_server.url) as client:
        client.connection.send(message)
        with pytest.raises(ConnectionClosed) as closed:
            client.receive()
        assert closed.value.rcvd is not None
        assert closed.value.rcvd.code == code


def test_whoever_says_nothing_is_let_go(standing_server: WebProcess) -> None:
    with opened(standing_server.url) as client, pytest.raises(ConnectionClosed) as closed:
        client.receive()
    assert closed.value.rcvd is not None
    assert closed.value.rcvd.code == 4408


def test_another_protocol_is_not_spoken(standing_server: WebProcess) -> None:
    with opened(standing_server.url, subprotocols=None) as client, pytest.raises(ConnectionClosed) as closed:
        client.receive()
    assert closed.value.rcvd is not None
    assert closed.value.rcvd.code == 4406


def test_pages_of_other_sites_may_not_listen(standing_server: WebProcess) -> None:
    with (
        pytest.raises(InvalidStatus) as refused,
        opened(standing_server.url, origin="https://attacker.example.com"),
    ):
        pass
    assert refused.value.response.status_code == 403


def test_beyond_loopback_a_token_is_shown_first(database_url: str, engine: Engine, tmp_path: Path) -> None:
    tokens = TokenStore(engine)
    viewer = tokens.create("viewer", Role.VIEWER)
    producer = tokens.create("producer", Role.PRODUCER)
    with web_process(database_url, tmp_path, ALL_ADDRESSES) as server:
        for payload in ({}, {"Authorization": "Bearer wrong"}, {"Authorization": f"Bearer {producer}"}):
            with opened(server.url) as client:
                client.send(type="connection_init", payload=payload)
                with pytest.raises(ConnectionClosed) as closed:
                    client.receive()
                assert closed.value.rcvd is not None
                assert closed.value.rcvd.code == 4403
        with subscriber(server.url, Authorization=f"Bearer {viewer}") as client:
            client.subscribe("{ position }")
            assert client.next() == {"position": 0}
        with subscriber(server.url, bearer(viewer)) as client:
            client.subscribe("{ position }")
            assert client.next() == {"position": 0}


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_the_server_ends_orderly_while_somebody_follows(
    server: WebProcess, database_url: str, number: int
) -> None:
    register(database_url, "report")
    with keeping_up(database_url), subscriber(server.url) as client:
        client.subscribe(RUNS)
        time.sleep(0.3)
        with connect(database_url) as connection:
            append(connection, completed("load", outputs=["orders"]))
        client.next()
        started = time.monotonic()
        code, log = server.end(number)
        assert time.monotonic() - started < 5
        assert (code, log) == (0, "")
        # What was sent before is read first.
        with contextlib.suppress(ConnectionClosed):
            while client.receive():
                pass
        assert client.connection.close_code == 1012
