"""Commands over GraphQL: judged by the state follower, answered with what they changed, refused with a code."""

import uuid
from pathlib import Path
from typing import Any

import pytest

from tests.support.graphql import Asking, asked, completed, heard, keeping_up
from tests.support.spine import apply_fact, connect, pipeline_body
from tests.support.web import bearer, ledger

APPLY = """mutation ($documents: [JSON!]!, $dryRun: Boolean! = false, $expected: JSON, $key: String) {
  applyDocuments(documents: $documents, dryRun: $dryRun, expected: $expected, idempotencyKey: $key) {
    dryRun position documents {
      kind name version change text differences { pointer added removed old new }
      warnings { code dataset } document { version actor } } } }"""


def produces(*names: str) -> list[dict[str, str]]:
    return [{"namespace": "ns", "name": name} for name in names]


def test_documents_are_created_updated_and_left_as_they_are(database_url: str, tmp_path: Path) -> None:
    async def story(ask: Asking) -> None:
        first = pipeline_body("p", "raw")
        created = (await ask.command(APPLY, {"documents": [first]}))["applyDocuments"]
        (change,) = created["documents"]
        assert (change["kind"], change["name"], change["version"], change["change"]) == (
            "Pipeline",
            "p",
            1,
            "CREATED",
        )
        assert (change["text"], change["differences"]) == ("", [])
        assert change["document"] == {"version": 1, "actor": "local"}
        assert (created["dryRun"], created["position"]) == (False, 1)

        # The same in other words (a default written out) is the same.
        again = pipeline_body("p", "raw", batching="each")
        (unchanged,) = (await ask.command(APPLY, {"documents": [again]}))["applyDocuments"]["documents"]
        assert (unchanged["version"], unchanged["change"]) == (1, "UNCHANGED")

        second = pipeline_body("p", "raw", batching="latest", produces=produces("mart"))
        (updated,) = (await ask.command(APPLY, {"documents": [second]}))["applyDocuments"]["documents"]
        assert (updated["version"], updated["change"]) == (2, "UPDATED")
        assert updated["differences"] == [
            {"pointer": "/spec/batching", "added": True, "removed": False, "old": None, "new": "latest"},
            {
                "pointer": "/spec/produces",
                "added": True,
                "removed": False,
                "old": None,
                "new": produces("mart"),
            },
        ]
        assert updated["text"].startswith("+ spec.batching: latest\n+ spec.produces:")

    with keeping_up(database_url):
        asked(database_url, tmp_path, story)


def test_a_credential_that_is_written_out_is_refused_and_stored_nowhere(
    database_url: str, tmp_path: Path
) -> None:
    launch = {"command": {"argv": ["load"], "environment": {"DB_PASSWORD": "hunter2"}}}

    async def story(ask: Asking) -> None:
        for dry_run in (True, False):
            variables = {"documents": [pipeline_body("p", "raw", launch=launch)], "dryRun": dry_run}
            response = await ask.response(APPLY, variables, headers=ask.web.local)
            (error,) = response.json()["errors"]
            assert error["extensions"]["code"] == "invalid-document"
            assert "DB_PASSWORD is a credential: name a secret instead" in error["message"]
            assert "hunter2" not in response.text

    asked(database_url, tmp_path, story)
    assert ledger(database_url) == []


def test_what_looks_like_a_credential_is_a_warning_that_does_not_show_it(
    database_url: str, tmp_path: Path
) -> None:
    launch = {
        "command": {"argv": ["load", "--api-key-name=hunter2"], "environment": {"PASSWORD_FILE": "hunter2"}}
    }
    question = APPLY.replace("warnings { code dataset }", "warnings { code message dataset }")

    async def story(ask: Asking) -> None:
        for dry_run in (True, False):
            variables = {"documents": [pipeline_body("p", "raw", launch=launch)], "dryRun": dry_run}
            (change,) = (await ask.command(question, variables))["applyDocuments"]["documents"]
            messages = [warning.pop("message") for warning in change["warnings"]]
            assert change["warnings"] == [{"code": "credential-written-out", "dataset": None}] * 2
            assert [message.split(":", 1)[0] for message in messages] == [
                "/spec/launch/command/environment/PASSWORD_FILE",
                "/spec/launch/command/argv/1",
            ]
            assert "hunter2" not in "".join(messages)

    with keeping_up(database_url):
        asked(database_url, tmp_path, story)


def test_a_dry_run_tells_the_same_and_stores_nothing(database_url: str, tmp_path: Path) -> None:
    heard(
        database_url,
        [
            apply_fact(pipeline_body("p", "raw")),
            *completed("model", inputs=["raw", "side"], outputs=["mart"]),
        ],
    )
    before = ledger(database_url)

    async def story(ask: Asking) -> None:
        model = {"namespace": "ns", "name": "model"}
        documents = [
            pipeline_body("p", "raw", job=model, produces=produces("mart")),
            pipeline_body("new", "mart"),
            pipeline_body("p2", "raw"),
        ]
        # Nothing is changed, so a token that may read is enough.
        plan = (await ask.data(APPLY, {"documents": documents, "dryRun": True}))["applyDocuments"]
        assert (plan["dryRun"], plan["position"]) == (True, None)
        updated, created, _ = plan["documents"]
        assert (updated["change"], updated["version"], updated["document"]) == ("UPDATED", 2, None)
        assert [difference["pointer"] for difference in updated["differences"]] == [
            "/spec/job",
            "/spec/produces",
        ]
        # The new version is looked at, not the one that is current.
        assert updated["warnings"] == [{"code": "reads-undeclared", "dataset": "dataset:ns:side"}]
        assert (created["change"], created["version"], created["warnings"]) == ("CREATED", 1, [])
        unchanged = await ask.data(APPLY, {"documents": [pipeline_body("p", "raw")], "dryRun": True})
        (change,) = unchanged["applyDocuments"]["documents"]
        assert (change["change"], change["version"]) == ("UNCHANGED", 1)

    asked(database_url, tmp_path, story)
    assert ledger(database_url) == before


@pytest.mark.parametrize("dry_run", [True, False])
def test_documents_that_cannot_be_are_refused_alike_dry_or_not(
    database_url: str, tmp_path: Path, dry_run: bool
) -> None:
    heard(database_url, [apply_fact(pipeline_body("p", "raw", produces=produces("mart")))])

    async def story(ask: Asking) -> None:
        async def refusal(*documents: Any, **options: Any) -> dict[str, Any]:
            variables = {"documents": list(documents), "dryRun": dry_run, **options}
            (error,) = await ask.errors(APPLY, variables, headers=ask.web.local)
            return error

        loop = await refusal(pipeline_body("q", "mart", produces=produces("raw")))
        assert loop["extensions"]["code"] == "causal-loop"
        assert "p" in loop["message"]
        assert "q" in loop["message"]
        unknown = await refusal(pipeline_body("q", "mart", bathcing="latest"))
        assert unknown["extensions"]["code"] == "invalid-document"
        assert "batching" in unknown["message"]
        twins = await refusal(pipeline_body("q", "a"), pipeline_body("q", "b"))
        assert twins["extensions"]["code"] == "invalid-document"
        assert "documents/1" in twins["message"]
        conflict = await refusal(pipeline_body("p", "other"), expected={"Pipeline/p": 7})
        assert conflict["extensions"]["code"] == "conflict"
        assert "found 1" in conflict["message"]
        assert (await refusal(pipeline_body("p", "x"), expected=[1]))["extensions"]["code"] == "invalid-input"
        assert (await refusal("text"))["extensions"]["code"] == "invalid-document"

    with keeping_up(database_url):
        asked(database_url, tmp_path, story)
    with connect(database_url) as connection:
        assert connection.execute("SELECT name, version FROM document").fetchall() == [("p", 1)]


def test_a_pipeline_is_triggered_cancelled_and_retried(database_url: str, tmp_path: Path) -> None:
    heard(database_url, [apply_fact(pipeline_body("p", "raw"))])

    async def story(ask: Asking) -> None:
        trigger = """mutation ($key: String) { trigger(pipeline: "p", reason: "try", idempotencyKey: $key) {
          position pipelineRun { id number state cause actor reason transitions { toState } } } }"""
        first = (await ask.command(trigger, {"key": "once"}))["trigger"]
        run = first["pipelineRun"]
        assert (run["number"], run["state"], run["cause"], run["actor"]) == (1, "QUEUED", "MANUAL", "local")
        assert [move["toState"] for move in run["transitions"]] == ["PENDING", "QUEUED"]
        # The same key is the same command, whoever sends it again.
        assert (await ask.command(trigger, {"key": "once"}))["trigger"] == first
        second = (await ask.command(trigger, {"key": "twice"}))["trigger"]["pipelineRun"]
        assert (second["number"], second["state"]) == (2, "PENDING")

        cancel = (
            'mutation ($id: ID!) { cancelRun(id: $id, reason: "wrong day") { pipelineRun { state reason } } }'
        )
        cancelled = await ask.command(cancel, {"id": run["id"]})
        assert cancelled["cancelRun"]["pipelineRun"] == {"state": "CANCELLED", "reason": "wrong day"}
        assert await ask.code(cancel, {"id": run["id"]}, headers=ask.web.local) == "invalid-transition"
        assert await ask.code(cancel, {"id": str(uuid.uuid4())}, headers=ask.web.local) == "not-found"

        retry = "mutation ($id: ID!) { retryRun(id: $id) { position pipelineRun { id state } } }"
        retried = (await ask.command(retry, {"id": f"run:{run['id']}"}))["retryRun"]["pipelineRun"]
        assert retried == {"id": run["id"], "state": "PENDING"}
        nothing = 'mutation { trigger(pipeline: "nothing") { position } }'
        (error,) = await ask.errors(nothing, headers=ask.web.local)
        assert error["extensions"]["code"] == "not-found"
        assert error["extensions"]["position"] > 0

    with keeping_up(database_url):
        asked(database_url, tmp_path, story)


def test_a_pipeline_is_paused_resumed_and_deleted(database_url: str, tmp_path: Path) -> None:
    heard(database_url, [apply_fact(pipeline_body("p", "raw"))])

    async def story(ask: Asking) -> None:
        paused = await ask.command(
            'mutation { pausePipeline(pipeline: "p") { position pipeline { state paused } } }'
        )
        assert paused["pausePipeline"]["pipeline"] == {"state": "PAUSED", "paused": True}
        held = 'mutation { trigger(pipeline: "p") { position } }'
        assert await ask.code(held, headers=ask.web.local) == "invalid-transition"
        resumed = await ask.command('mutation { resumePipeline(pipeline: "p") { pipeline { state } } }')
        assert resumed["resumePipeline"]["pipeline"] == {"state": "ACTIVE"}
        delete = (
            'mutation { deleteDocument(kind: "Pipeline", name: "p") { document { version deleted actor } } }'
        )
        deleted = await ask.command(delete)
        assert deleted["deleteDocument"]["document"] == {"version": 2, "deleted": True, "actor": "local"}
        assert await ask.code(delete, headers=ask.web.local) == "not-found"
        assert await ask.data("{ pipelines { nodes { name } } }") == {"pipelines": {"nodes": []}}
        again = (await ask.command(APPLY, {"documents": [pipeline_body("p", "raw")]}))["applyDocuments"]
        # What was deleted is created anew, and its versions go on.
        assert [(change["change"], change["version"]) for change in again["documents"]] == [("CREATED", 3)]

    with keeping_up(database_url):
        asked(database_url, tmp_path, story)


def test_several_commands_in_one_request_are_carried_out_one_after_another(
    database_url: str, tmp_path: Path
) -> None:
    heard(database_url, [apply_fact(pipeline_body("p", "raw"))])

    async def story(ask: Asking) -> None:
        query = """mutation {
          pausePipeline(pipeline: "p") { pipeline { state } }
          resumePipeline(pipeline: "p") { pipeline { state } }
          trigger(pipeline: "p") { pipelineRun { state pipeline { state } } }
        }"""
        assert await ask.command(query) == {
            "pausePipeline": {"pipeline": {"state": "PAUSED"}},
            "resumePipeline": {"pipeline": {"state": "ACTIVE"}},
            "trigger": {"pipelineRun": {"state": "QUEUED", "pipeline": {"state": "ACTIVE"}}},
        }

    with keeping_up(database_url):
        asked(database_url, tmp_path, story)


COMMANDS = {
    "trigger": 'trigger(pipeline: "p") { position }',
    "cancelRun": f'cancelRun(id: "{uuid.uuid4()}") {{ position }}',
    "retryRun": f'retryRun(id: "{uuid.uuid4()}") {{ position }}',
    "pausePipeline": 'pausePipeline(pipeline: "p") { position }',
    "resumePipeline": 'resumePipeline(pipeline: "p") { position }',
    "applyDocuments": "applyDocuments(documents: []) { position }",
    "deleteDocument": 'deleteDocument(kind: "Pipeline", name: "p") { position }',
}


@pytest.mark.parametrize("name", COMMANDS)
def test_a_command_without_the_right_token_is_refused_and_nothing_is_stored(
    database_url: str, tmp_path: Path, name: str
) -> None:
    async def story(ask: Asking) -> None:
        command = f"mutation {{ {COMMANDS[name]} }}"
        assert await ask.code(command) == "unauthenticated"
        viewer = await ask.web.client.post(
            "/api/v1/tokens", json={"name": "viewer", "role": "viewer"}, headers=ask.web.local
        )
        assert viewer.status_code == 201, viewer.text
        assert await ask.code(command, headers=bearer(viewer.json()["token"])) == "forbidden"

    asked(database_url, tmp_path, story)
    assert ledger(database_url) == []


def test_an_operator_may_trigger_and_not_apply(database_url: str, tmp_path: Path) -> None:
    heard(database_url, [apply_fact(pipeline_body("p", "raw"))])

    async def story(ask: Asking) -> None:
        made = await ask.web.client.post(
            "/api/v1/tokens", json={"name": "olga", "role": "operator"}, headers=ask.web.local
        )
        olga = bearer(made.json()["token"])
        found = await ask.data('mutation { trigger(pipeline: "p") { pipelineRun { actor } } }', headers=olga)
        assert found["trigger"]["pipelineRun"]["actor"] == "token:olga"
        assert await ask.code(f"mutation {{ {COMMANDS['applyDocuments']} }}", headers=olga) == "forbidden"

    with keeping_up(database_url):
        asked(database_url, tmp_path, story)


def test_a_command_that_nobody_carries_out_in_time_says_that_it_is_kept(
    database_url: str, tmp_path: Path
) -> None:
    heard(database_url, [apply_fact(pipeline_body("p", "raw"))])

    async def story(ask: Asking) -> None:
        ask.web.services.commands._seconds = 0.2
        (error,) = await ask.errors('mutation { trigger(pipeline: "p") { position } }', headers=ask.web.local)
        assert error["extensions"]["code"] == "position-not-reached"
        assert error["extensions"]["retryable"] is True
        assert error["extensions"]["position"] == 2

    asked(database_url, tmp_path, story)
    assert ledger(database_url)[-1][1] == "pipeline.trigger"
