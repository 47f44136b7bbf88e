"""A dry run says what the command then does, and is refused for what the command is refused for."""

import random
import uuid
from pathlib import Path
from typing import Any

import httpx

from tests.support.graphql import Asking, asked, completed, heard, keeping_up
from tests.support.spine import fact_of_event, pipeline_body, run_event

APPLY = """mutation ($documents: [JSON!]!, $dryRun: Boolean!, $expected: JSON) {
  applyDocuments(documents: $documents, dryRun: $dryRun, expected: $expected) {
    documents { kind name version change text differences { pointer added removed old new }
      warnings { code message dataset } } } }"""
DELETE = 'mutation ($name: String!) { deleteDocument(kind: "Pipeline", name: $name) { position } }'
NAMES = ("p", "q", "r")
DATASETS = ("a", "b", "c", "side")


def some_documents(chance: random.Random) -> list[dict[str, Any]]:
    """Return a few documents of few names over few datasets, so that each kind of refusal happens."""
    documents = [some_pipeline(chance) for _ in range(chance.randint(1, 2))]
    if chance.random() < 0.2:
        scope = {"namespace": "ns", "scope": chance.choice(["run", "rootRun"])}
        metadata = {"name": "p", "owner": "team"}
        documents.append(
            {"apiVersion": "headwater/v1", "kind": "VersionScope", "metadata": metadata, "spec": scope}
        )
    return documents


def some_pipeline(chance: random.Random) -> dict[str, Any]:
    written = chance.sample(DATASETS, chance.choice([0, 0, 1]))
    spec: dict[str, Any] = {"produces": [{"namespace": "ns", "name": name} for name in written]}
    if chance.random() < 0.5:
        spec["job"] = {"namespace": "ns", "name": "model"}
    if chance.random() < 0.3:
        spec["launch"] = {"command": {"argv": ["load", "--api-key-name=hunter2"]}}
    return pipeline_body(chance.choice(NAMES), chance.choice(DATASETS), **spec)


def answer(response: httpx.Response) -> Any:
    """Return what was answered, without the position, which only a command has."""
    body = response.json()
    if "errors" in body:
        (error,) = body["errors"]
        found = error["extensions"]
        return error["message"], found["code"], found.get("pointer")
    return body["data"]["applyDocuments"]["documents"]


def test_a_dry_run_says_what_the_command_then_does(database_url: str, tmp_path: Path) -> None:
    dag = uuid.uuid4()
    alias = {"symlinks": {"identifiers": [{"namespace": "ns", "name": "b", "type": "TABLE"}]}}
    heard(
        database_url,
        [
            *completed("load", outputs=["a"], output_facets=alias),
            fact_of_event(run_event(dag, "COMPLETE", job="model")),
            *completed("step", inputs=["a", "side"], outputs=["c"], parent=(dag, "model")),
        ],
    )
    chance = random.Random(3)
    seen: set[str] = set()

    async def story(ask: Asking) -> None:
        for _ in range(120):
            variables: dict[str, Any] = {"documents": some_documents(chance)}
            if chance.random() < 0.3:
                variables["expected"] = {f"Pipeline/{chance.choice(NAMES)}": chance.randint(0, 3)}
            told = []
            for dry_run in (True, False):
                response = await ask.response(APPLY, {**variables, "dryRun": dry_run}, headers=ask.web.local)
                told.append(answer(response))
            assert told[0] == told[1], variables
            seen.update([told[0][1]] if isinstance(told[0], tuple) else _marks(told[0]))
            if chance.random() < 0.2:
                await ask.response(DELETE, {"name": chance.choice(NAMES)}, headers=ask.web.local)

    with keeping_up(database_url):
        asked(database_url, tmp_path, story)
    # Each outcome was met, so that none of them was compared in vain.
    assert seen == {
        *("CREATED", "UPDATED", "UNCHANGED", "conflict", "causal-loop", "invalid-document"),
        *("credential-written-out", "reads-undeclared", "writes-undeclared"),
    }


def _marks(documents: list[dict[str, Any]]) -> list[str]:
    codes = [warning["code"] for document in documents for warning in document["warnings"]]
    return [*codes, *(document["change"] for document in documents)]
