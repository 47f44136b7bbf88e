"""Names that hold SQL, Cypher, orders to a terminal, 4 KiB or any script go in at every door and come out unchanged.

Some 500 requests and five commands take about 8 s on two free processors, the installation 8 s more.
"""

import base64
import json
import re
from pathlib import Path
from typing import Any
from urllib.parse import quote

import httpx
import pytest

from catalog.keys import MOST_COLONS
from tests.support.command_line import Said
from tests.support.fuzzing import HUB, NAMESPACE, Fuzzed, fuzzed, hostile_events, seeded
from tests.support.hostile import HOSTILE
from tests.support.spine import run_event

SECONDS = 240
#: The only orders to a terminal that are ours: colours.
COLOUR = re.compile(r"\x1b\[[0-9;]*m")
#: What may steer a terminal, turn or hide what stands around it, or end a line.
STEERING = re.compile("[\x00-\x09\x0b-\x1f\x7f-\x9f\u200e\u200f\u2028-\u202e\u2066-\u2069\ufeff]")

BY_NAMES = """query($namespace: String!, $name: String!) {
    byNames: dataset(namespace: $namespace, name: $name) {
        id namespace name description
        fields { name type description tags { key value source } }
        tags { key value source } owners { name type }
        currentVersion { id partition digest rowCount }
        consumers(first: 5) { jobs { id } }
    }
    datasets(filter: { namespace: $namespace }) { nodes { namespace name } }
}"""
BY_ID = """query($id: ID!, $text: String!) {
    dataset(nodeId: $id) { id }
    lineage(nodeId: $id, depth: 2) { completeness { complete } nodeIds }
    impact(nodeId: $id, depth: 2) { completeness { complete } }
    search(text: $text, first: 10) { nodes { id match } }
}"""
JOB = """query($namespace: String!, $name: String!) {
    job(namespace: $namespace, name: $name) {
        id namespace name
        runs(first: 1) { nodes { id errorMessage inputs { dataset { name } } outputs { dataset { name } } } }
    }
}"""


@pytest.mark.timeout(SECONDS)
def test_hostile_names_come_out_as_they_went_in(database_url: str, tmp_path: Path) -> None:
    with fuzzed(database_url, tmp_path) as found:
        position = seeded(found)
        with found.administrator() as client:
            client.headers["Headwater-Min-Position"] = str(position)
            for name in HOSTILE.values():
                graphql_knows(client, name)
                marquez_knows(client, name)
            nothing_else_is_known(client)
            nul_is_refused_everywhere(client)
            halves_of_characters_are_refused(client)
            events_alone_are_taken_too(client)
        terminals_are_safe(found)
        client_programs_get_the_names(found)


def asked(client: httpx.Client, query: str, **variables: Any) -> Any:
    """Return the data of an answer without errors."""
    answer = client.post("/graphql", json={"query": query, "variables": variables}).json()
    assert "errors" not in answer, (variables, answer["errors"])
    return answer["data"]


def graphql_knows(client: httpx.Client, name: str) -> None:
    node = f"dataset:{name}:{name}"
    data = asked(client, BY_NAMES, namespace=name, name=name)
    dataset = data["byNames"]
    assert (dataset["id"], dataset["namespace"], dataset["name"]) == (node, name, name)
    assert dataset["description"] == name
    [column] = dataset["fields"]
    assert (column["name"], column["type"], column["description"]) == (name, name, name)
    assert {"key": name, "value": name, "source": name} in dataset["tags"]
    assert dataset["owners"] == [{"name": name, "type": name}]
    version = dataset["currentVersion"]
    assert (version["partition"], version["digest"]) == (name[:250], name[:250])
    assert version["rowCount"] == 2**63 - 1
    assert {each["id"] for each in dataset["consumers"]["jobs"]} == {
        f"job:{name}:{name}",
        f"job:{NAMESPACE}:{HUB}",
    }
    assert (name, name) in {(each["namespace"], each["name"]) for each in data["datasets"]["nodes"]}
    variables = {"id": node, "text": node}
    if has_too_many_readings(node):
        assert (
            code(client.post("/graphql", json={"query": BY_ID, "variables": variables})) == "invalid-node-id"
        )
    else:
        data = asked(client, BY_ID, **variables)
        assert data["dataset"] == {"id": node}
        assert data["lineage"]["completeness"]["complete"]
        assert f"job:{name}:{name}" in data["lineage"]["nodeIds"]
        assert data["search"]["nodes"] == [{"id": node, "match": "EXACT"}]
    job = asked(client, JOB, namespace=NAMESPACE, name=name)["job"]
    assert (job["id"], job["name"]) == (f"job:{NAMESPACE}:{name}", name)
    [run] = job["runs"]["nodes"]
    assert run["errorMessage"] == name
    assert {each["dataset"]["name"] for each in run["inputs"]} == {name, "source"}
    assert {each["dataset"]["name"] for each in run["outputs"]} == {f"{name}.made"}


def has_too_many_readings(node: str) -> bool:
    return node.count(":") - 1 > MOST_COLONS


def marquez_knows(client: httpx.Client, name: str) -> None:
    def answer(path: str, **parameters: str | int) -> Any:
        response = client.get(f"/api/v1{path}", params=parameters)
        assert response.status_code == 200, (path, response.text[:1000])
        return response.json()

    inside = f"/namespaces/{quote(name, safe='')}"
    assert answer(inside)["name"] == name
    assert answer(f"/sources/{quote(name, safe='')}")["name"] == name
    dataset = answer(f"{inside}/datasets/{quote(name, safe='')}")
    assert dataset["id"] == {"namespace": name, "name": name}
    assert [each["name"] for each in dataset["fields"]] == [name]
    assert dataset["tags"] == [name]
    assert len(answer(f"{inside}/datasets/{quote(name, safe='')}/versions")["versions"]) >= 1
    job = answer(f"{inside}/jobs/{quote(name, safe='')}")
    assert job["id"] == {"namespace": name, "name": name}
    assert job["inputs"] == [{"namespace": name, "name": name}]
    [run] = answer(f"/namespaces/{quote(NAMESPACE, safe='')}/jobs/{quote(name, safe='')}/runs")["runs"]
    assert run["facets"]["errorMessage"]["message"] == name
    node = f"dataset:{name}:{name}"
    if not has_too_many_readings(node):
        graph = answer("/lineage", nodeId=node, depth=1)["graph"]
        assert {node, f"job:{name}:{name}"} <= {each["id"] for each in graph}


def nothing_else_is_known(client: httpx.Client) -> None:
    """Each name is one of its own: none is normalised, folded, cut or trimmed to another."""
    named = client.get("/api/v1/namespaces", params={"limit": 1000}).json()["namespaces"]
    assert sorted(each["name"] for each in named) == sorted([*HOSTILE.values(), NAMESPACE])
    tags = client.get("/api/v1/tags", params={"limit": 1000}).json()["tags"]
    assert sorted(each["name"] for each in tags) == sorted(HOSTILE.values())
    told = client.get(
        "/api/v1/events/lineage", params={"limit": 1000, "kind": ["run", "dataset", "job"]}
    ).json()
    sent = hostile_events()
    assert len(told["events"]) == len(sent)
    assert all(event in sent for event in told["events"])


def nul_is_refused_everywhere(client: httpx.Client) -> None:
    """PostgreSQL holds no NUL in a text, so none comes as far."""
    name = "a\0b"
    event = run_event("9b1f0c2e-0000-4000-8000-000000000000", job=name)
    assert code(client.post("/api/v1/lineage", json=event)) == "invalid-event"
    [failed] = client.post("/api/v1/lineage/batch", json=[event]).json()["failed_events"]
    assert failed["code"] == "invalid-event"
    report = {"dataset": {"namespace": "n", "name": name}, "idempotencyKey": "k"}
    assert code(client.post("/api/v1/versions", json=report)) == "invalid-input"
    assert code(client.delete("/api/v1/tokens/a%00b")) == "not-found"
    assert code(client.get("/graphql/a%00b")) == "not-found"
    for path in (
        "/namespaces/a%00b",
        "/sources/a%00b",
        "/namespaces/a%00b/datasets",
        "/namespaces/n/datasets/a%00b/versions",
        "/namespaces/n/jobs/a%00b/runs",
        "/search?q=a%00b",
        "/search?q=a&namespace=a%00b",
        "/lineage?nodeId=dataset:a:a%00b",
        "/stats/jobs?period=day&timezone=a%00b",
    ):
        assert code(client.get(f"/api/v1{path}")) == "invalid-input", path
    for query in (
        '{ dataset(namespace: "n", name: "a\\u0000b") { id } }',
        'mutation { trigger(pipeline: "a\\u0000b") { position } }',
        'mutation { pauseAll(reason: "a\\u0000b") { position } }',
    ):
        assert code(client.post("/graphql", json={"query": query})) == "invalid-input", query
    for variables in ({"v": name}, {"v": {name: 1}}, {"v": [[name]]}):
        body = {"query": "query($v: JSON) { position }", "variables": variables}
        assert code(client.post("/graphql", json=body)) == "invalid-input", variables
    cursor = base64.urlsafe_b64encode(json.dumps(["datasets", name, name]).encode()).decode()
    body = {"query": "query($v: String) { datasets(after: $v) { totalCount } }", "variables": {"v": cursor}}
    assert code(client.post("/graphql", json=body)) == "invalid-input"


def halves_of_characters_are_refused(client: httpx.Client) -> None:
    """Half a character is no text: UTF-8 has no form for it."""
    headers = {"Content-Type": "application/json"}
    for path, body in (
        (
            "/api/v1/lineage",
            '{"eventTime": "2026-01-01T00:00:00Z", "job": {"namespace": "\\ud800", "name": "x"}}',
        ),
        ("/api/v1/versions", '{"dataset": {"namespace": "\\udc00", "name": "x"}, "idempotencyKey": "k"}'),
        ("/api/v1/tokens", '{"name": "\\ud800", "role": "viewer"}'),
        ("/graphql", '{"query": "{ position }", "variables": {"v": "\\ud800"}}'),
    ):
        answer = client.post(path, content=body, headers=headers)
        assert answer.status_code == 400, (path, answer.text)
        assert code(answer).startswith("invalid-")


def events_alone_are_taken_too(client: httpx.Client) -> None:
    """What a batch took is known when it is sent again one by one; nothing is stored twice."""
    for event in hostile_events():
        answer = client.post("/api/v1/lineage", json=event)
        assert answer.status_code == 201, answer.text
    counts = asked(client, "{ status { parkedCount counts { datasets jobs } } }")["status"]
    assert counts["parkedCount"] == 0


def code(response: httpx.Response) -> str:
    """Return the code of a refusal."""
    assert 400 <= response.status_code < 500 or response.json().get("errors"), response.text[:1000]
    body = response.json()
    if "errors" in body:
        return str(body["errors"][0]["extensions"]["code"])
    return str(body["code"])


def terminals_are_safe(found: Fuzzed) -> None:
    """What commands show to people holds no order to a terminal but colours, and no line that is not theirs."""
    for command in (
        ("lineage", f"job:{NAMESPACE}:{HUB}"),
        ("search", "a"),
        ("runs", "list", "--limit", "100"),
    ):
        said = found.headwater.on_terminal(*command, columns=120)
        assert said.code == 0, said
        assert STEERING.findall(COLOUR.sub("", said.out)) == [], command
        assert "\x1b[31mred" not in said.out


def client_programs_get_the_names(found: Fuzzed) -> None:
    """JSON for programs has every name as it is, in plain characters where a terminal could be steered."""
    said: Said = found.headwater.done("lineage", f"job:{NAMESPACE}:{HUB}", "--json")
    assert STEERING.findall(said.out.replace("\n", "")) == []
    ids = {each["id"] for each in said.json["nodes"]}
    assert {f"dataset:{name}:{name}" for name in HOSTILE.values()} <= ids
    said = found.headwater.done("runs", "list", "--limit", "100", "--json")
    # Each name was waited for, and started what waited.
    started = {each["pipelineName"] for each in said.json["runs"]}
    assert started == {f"p{index}" for index in range(len(HOSTILE))}
