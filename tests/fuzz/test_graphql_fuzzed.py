"""Questions, commands and subscriptions that nobody would write: each is answered in order, or refused with its code.

200 questions, 80 commands and 30 subscriptions take about 10 s on two free processors, the installation 8 s more.
"""

from collections import Counter
from pathlib import Path
from typing import Any

import httpx
import hypothesis
import pytest
from hypothesis import Phase, given

from catalog.errors import HeadwaterError
from catalog.settings import Settings
from tests.support.fuzzing import NAMESPACE, SEED, TIMES, Fuzzed, fuzzed, seeded
from tests.support.graphql_fuzz import FORGED_CURSORS, Operation, Writer
from tests.support.subscriptions import Subscriber, subscriber

SECONDS = 240 * TIMES
DEEPEST = Settings().query_max_depth
#: What an answer may be slow for: nothing here asks for much.
ANSWER_SECONDS = 15.0

KNOWN = """{
    datasets(first: 2) { nodes { id namespace name currentVersion { id } } pageInfo { endCursor } }
    jobs(first: 2) { nodes { id namespace name } pageInfo { endCursor } }
    pipelines(first: 2) { nodes { name } pageInfo { endCursor } }
    pipelineRuns(first: 4) { nodes { id run { versions { id } } } pageInfo { endCursor } }
    documents(first: 2) { nodes { kind name } pageInfo { endCursor } }
    search(text: "a", first: 2) { pageInfo { endCursor } }
}"""


def codes_below(kind: type[HeadwaterError]) -> set[str]:
    return {kind.code}.union(*(codes_below(each) for each in kind.__subclasses__()))


#: What a client may be told; `internal` says that nobody expected it.
CODES = codes_below(HeadwaterError) - {"internal"}


def known(client: httpx.Client) -> dict[str, list[str]]:
    """Return texts that mean something to this server, by the arguments that take them."""
    data = client.post("/graphql", json={"query": KNOWN}).json()["data"]
    cursors = [part["pageInfo"]["endCursor"] for part in data.values()]
    names = [each["name"] for part in ("datasets", "jobs") for each in data[part]["nodes"]]
    nodes = [each["id"] for part in ("datasets", "jobs") for each in data[part]["nodes"]]
    runs = [each["id"] for each in data["pipelineRuns"]["nodes"]]
    versions = [
        each["currentVersion"]["id"]
        for each in data["datasets"]["nodes"]
        if each["currentVersion"] is not None
    ]
    pipelines = ["p0", "p1", "p2", "w", "nobody"]
    return {
        "after": [*cursors, *FORGED_CURSORS],
        "id": [*runs, *versions, *(f"run:{run}" for run in runs)],
        "idPrefix": [*(run[:8] for run in runs), runs[0].upper()],
        "nodeId": nodes,
        "namespace": [NAMESPACE, *names],
        "name": [*names, *pipelines],
        "pipeline": pipelines,
        "webhook": pipelines,
        "kind": ["Pipeline", "Webhook", "VersionScope"],
        "follower": ["state", "graph", "webhooks"],
        "search": ["a", "%"],
        "text": ["a", *nodes],
    }


#: How many answers there were to each kind of operation, by what they were refused with.
Told = Counter[tuple[str, str]]


def errors_of(operation: Operation, response: httpx.Response) -> list[dict[str, Any]]:
    """Return the errors of an answer that has the form of one."""
    assert response.status_code < 500, (operation, response.text[:2000])
    assert response.elapsed.total_seconds() < ANSWER_SECONDS, operation
    answer = response.json()
    errors: list[dict[str, Any]] = answer.get("errors", [])
    assert "data" in answer or errors, (operation, answer)
    for error in errors:
        assert error["extensions"]["code"] in CODES, (operation, error)
        assert error["message"], (operation, error)
    if operation.depth > DEEPEST and response.status_code == 400:
        assert {error["extensions"]["code"] for error in errors} <= {
            "query-too-expensive",
            "invalid-query",
            "invalid-input",
        }
    else:
        assert operation.depth <= DEEPEST, operation
    return errors


def tried(operations: Any, examples: int) -> Any:
    """Return a decorator that carries out a function with so many operations.

    One that fails is told as it is: the server has changed meanwhile, so that a smaller one may not fail again.
    """

    def decorate(function: Any) -> Any:
        bounded = hypothesis.settings(
            max_examples=examples * TIMES, database=None, phases=[Phase.generate], deadline=None
        )
        return hypothesis.seed(SEED)(bounded(given(operation=operations)(function)))

    return decorate


@pytest.mark.timeout(SECONDS)
def test_nothing_that_is_asked_breaks_anything(database_url: str, tmp_path: Path) -> None:
    with fuzzed(database_url, tmp_path) as found:
        seeded(found)
        with found.administrator() as client:
            writer = Writer(known(client))

            told: Told = Counter()

            def carry_out(operation: Operation) -> None:
                errors = errors_of(operation, client.post("/graphql", json=operation.body))
                kind = operation.text.partition(" ")[0]
                told.update(
                    (kind, code) for code in {each["extensions"]["code"] for each in errors} or {"done"}
                )

            @tried(writer.operations("query", deepest=6), 150)
            def ask(operation: Operation) -> None:
                carry_out(operation)

            @tried(writer.operations("query", deepest=DEEPEST + 6, most_fields=1), 50)
            def ask_deeply(operation: Operation) -> None:
                carry_out(operation)

            @tried(writer.operations("mutation", deepest=4, most_fields=2), 80)
            def command(operation: Operation) -> None:
                carry_out(operation)

            ask()
            ask_deeply()
            command()
        print(sorted(told.items()))
        # Enough of it was more than refused.
        assert told["query", "done"] >= 20 * TIMES
        assert told["mutation", "done"] >= 5 * TIMES
        assert told["query", "query-too-expensive"]
        follow_hostile(found, writer)
        give_commands_without_right(found, writer)


def follow_hostile(found: Fuzzed, writer: Writer) -> None:
    """Subscribe to what nobody would; the socket serves on whatever was asked."""
    headers = {"Authorization": f"Bearer {found.local_token}"}
    with subscriber(found.url, headers) as socket:
        numbers = iter(range(1_000_000))

        @tried(writer.operations("subscription", deepest=4), 30)
        def subscribe(operation: Operation) -> None:
            number = str(next(numbers))
            socket.subscribe(operation.text, operation.variables, number=number)
            for error in refused(socket, number):
                assert error["extensions"]["code"] in CODES, (operation, error)
            socket.send(type="complete", id=number)

        subscribe()
        socket.subscribe("{ position }", number="last")
        while (message := socket.receive())["id"] != "last":
            pass
        assert message["payload"]["data"]["position"] > 0


def refused(socket: Subscriber, number: str) -> list[dict[str, Any]]:
    """Return the errors of a subscription, none where it is followed."""
    # A question after it is answered after it was taken or refused.
    socket.subscribe("{ position }", number=f"{number} taken")
    errors: list[dict[str, Any]] = []
    while True:
        message = socket.receive()
        if message["id"] == number and message["type"] == "error":
            errors += message["payload"]
        elif message["id"] == number and message["type"] == "next":
            errors += message["payload"].get("errors", [])
        elif message["id"] == f"{number} taken" and message["type"] == "complete":
            return errors


def give_commands_without_right(found: Fuzzed, writer: Writer) -> None:
    """Give commands as somebody who may only look; nothing is stored."""
    before = found.ledger()
    with found.client(found.token("viewer")) as viewer:

        @tried(writer.operations("mutation", deepest=3), 20)
        def command(operation: Operation) -> None:
            errors = errors_of(operation, viewer.post("/graphql", json=operation.body))
            # To ask what documents would change is no command.
            assert errors or "applyDocuments" in operation.text, operation

        command()
    assert [fact for fact in found.ledger()[len(before) :] if "viewer" in fact[2]] == []
