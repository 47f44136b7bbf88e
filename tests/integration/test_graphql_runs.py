"""Jobs and runs over GraphQL: as OpenLineage told them, merged, with the facts behind them."""

import datetime as dt
import json
import uuid
from pathlib import Path

from tests.support.graphql import Asking, asked, completed, heard
from tests.support.spine import (
    T0,
    append,
    apply_fact,
    connect,
    fact_of_event,
    follow,
    pipeline_body,
    run_event,
)

MINUTE = dt.timedelta(minutes=1)


def test_a_job_knows_what_it_reads_and_writes_and_its_runs(database_url: str, tmp_path: Path) -> None:
    first, second = uuid.uuid4(), uuid.uuid4()
    heard(
        database_url,
        [
            *completed("model", inputs=["raw"], outputs=["old"], run=first),
            *completed("model", inputs=["raw", "dim"], outputs=["mart"], run=second, at=T0 + MINUTE),
            fact_of_event(run_event(uuid.uuid4(), "START", job="silent", at=T0)),
        ],
    )

    async def story(ask: Asking) -> None:
        found = await ask.data(
            """{
              model: job(namespace: "ns", name: "model") {
                id shapeAt inputs { id } outputs { id } parents { id } pipeline { name }
                latestRun { id state startedAt endedAt }
                runs(states: [COMPLETE]) { totalCount nodes { id } }
                failed: runs(states: [FAIL]) { totalCount nodes { id } }
              }
              silent: job(nodeId: "job:ns:silent") { inputs { id } outputs { id } latestRun { state endedAt } }
              missing: job(namespace: "ns", name: "nothing") { id }
              jobs(filter: { search: "MOD" }) { totalCount nodes { name } }
            }"""
        )
        model = found["model"]
        # The shape of the last completed run, not the union of all.
        assert model["inputs"] == [{"id": "dataset:ns:dim"}, {"id": "dataset:ns:raw"}]
        assert model["outputs"] == [{"id": "dataset:ns:mart"}]
        assert (model["parents"], model["pipeline"]) == ([], None)
        assert model["latestRun"]["id"] == str(second)
        assert model["latestRun"]["state"] == "COMPLETE"
        assert [node["id"] for node in model["runs"]["nodes"]] == [str(second), str(first)]
        assert model["failed"] == {"totalCount": 0, "nodes": []}
        # Unknown is null: the job may read and write whatever it likes.
        assert found["silent"] == {
            "inputs": None,
            "outputs": None,
            "latestRun": {"state": "START", "endedAt": None},
        }
        assert found["missing"] is None
        assert found["jobs"] == {"totalCount": 1, "nodes": [{"name": "model"}]}

    asked(database_url, tmp_path, story)


def test_runs_of_one_instant_and_runs_without_a_start_page_without_loss(
    database_url: str, tmp_path: Path
) -> None:
    started = [uuid.uuid4() for _ in range(9)]
    ended = [uuid.uuid4() for _ in range(6)]
    heard(
        database_url,
        [
            *(fact_of_event(run_event(run, "START", job="j", at=T0)) for run in started),
            # These never told their start: their end stands for it.
            *(fact_of_event(run_event(run, "COMPLETE", job="j", at=T0)) for run in ended[:3]),
            *(fact_of_event(run_event(run, "COMPLETE", job="j", at=T0 + MINUTE)) for run in ended[3:]),
        ],
    )

    async def story(ask: Asking) -> None:
        query = """query ($after: String) { job(namespace: "ns", name: "j") {
          latestRun { id } runs(first: 4, after: $after) { nodes { id } pageInfo { hasNextPage endCursor } } } }"""
        seen: list[str] = []
        after, more = None, True
        while more:
            job = (await ask.data(query, {"after": after}))["job"]
            seen += [node["id"] for node in job["runs"]["nodes"]]
            after, more = job["runs"]["pageInfo"]["endCursor"], job["runs"]["pageInfo"]["hasNextPage"]
        assert sorted(seen) == sorted(str(run) for run in [*started, *ended])
        # The latest instant first, whichever event told it.
        assert set(seen[:3]) == {str(run) for run in ended[3:]}
        assert job["latestRun"]["id"] == seen[0]

    asked(database_url, tmp_path, story)


def test_a_run_tells_its_family_its_datasets_and_its_facts(database_url: str, tmp_path: Path) -> None:
    root, child = uuid.uuid4(), uuid.uuid4()
    unheard = uuid.uuid4()
    event = run_event(child, "COMPLETE", job="step", inputs=["raw"], outputs=["mart"], parent=(root, "dag"))
    event["outputs"][0]["outputFacets"] = {"outputStatistics": {"rowCount": 5, "size": 2**33}}
    event["run"]["facets"]["errorMessage"] = {"message": "not that bad", "programmingLanguage": "SQL"}
    event["run"]["facets"]["nominalTime"] = {"nominalStartTime": "2026-01-01T00:00:00Z"}
    heard(
        database_url,
        [
            fact_of_event(run_event(root, "START", job="dag")),
            fact_of_event(event),
            fact_of_event(run_event(uuid.uuid4(), "START", job="orphan", parent=(unheard, "gone"))),
        ],
    )

    async def story(ask: Asking) -> None:
        found = await ask.data(
            """query ($id: ID!, $root: ID!) {
              run(id: $id) {
                id nodeId reported state job { id } parentId parent { id } rootId root { id state } pipelineRun { id }
                errorMessage nominalStart nominalEnd lastEventAt startedAt
                inputs { dataset { id } rowCount }
                outputs { dataset { id } rowCount byteCount fileCount fields { name } }
                versions { dataset { id } rowCount }
                events { totalCount nodes { kind actor redactions body } }
              }
              parent: run(id: $root) { children { totalCount nodes { id } } state inputs { rowCount } }
            }""",
            {"id": f"run:{child}", "root": str(root)},
        )
        run = found["run"]
        assert (run["id"], run["nodeId"], run["reported"]) == (str(child), f"run:{child}", True)
        assert (run["state"], run["job"]["id"], run["pipelineRun"]) == ("COMPLETE", "job:ns:step", None)
        assert run["parentId"] == run["rootId"] == run["parent"]["id"] == str(root)
        assert run["root"] == {"id": str(root), "state": "START"}
        assert (run["errorMessage"], run["nominalEnd"], run["startedAt"]) == ("not that bad", None, None)
        assert dt.datetime.fromisoformat(run["nominalStart"]) == T0
        assert run["inputs"] == [{"dataset": {"id": "dataset:ns:raw"}, "rowCount": None}]
        assert run["outputs"] == [
            {
                "dataset": {"id": "dataset:ns:mart"},
                "rowCount": 5,
                "byteCount": 2**33,
                "fileCount": None,
                "fields": None,
            }
        ]
        assert run["versions"] == [{"dataset": {"id": "dataset:ns:mart"}, "rowCount": 5}]
        (fact,) = run["events"]["nodes"]
        assert (fact["kind"], fact["actor"], fact["redactions"]) == ("openlineage.run", "test", [])
        assert fact["body"] == json.loads(json.dumps(event))
        assert found["parent"] == {
            "children": {"totalCount": 1, "nodes": [{"id": str(child)}]},
            "state": "START",
            "inputs": [],
        }

    asked(database_url, tmp_path, story)


def test_a_parent_that_never_reported_is_named_and_not_made_up(database_url: str, tmp_path: Path) -> None:
    child, unheard = uuid.uuid4(), uuid.uuid4()
    heard(database_url, [fact_of_event(run_event(child, "START", job="step", parent=(unheard, "gone")))])

    async def story(ask: Asking) -> None:
        query = "query ($id: ID!) { run(id: $id) { parentId parent { id } rootId root { id } job { parents { id } } } }"
        assert (await ask.data(query, {"id": str(child)}))["run"] == {
            "parentId": str(unheard),
            "parent": None,
            "rootId": str(unheard),
            "root": None,
            "job": {"parents": [{"id": "job:ns:gone"}]},
        }
        assert (await ask.data(query, {"id": str(unheard)}))["run"] is None
        assert await ask.code(query, {"id": "no uuid"}) == "invalid-node-id"

    asked(database_url, tmp_path, story)


def test_a_pipeline_run_that_never_reported_is_a_run_all_the_same(database_url: str, tmp_path: Path) -> None:
    with connect(database_url) as connection:
        append(connection, [apply_fact(pipeline_body("p", "raw"))])
        append(connection, completed("load", outputs=["raw"]))
        follow(connection)
        ((run,),) = connection.execute("SELECT id FROM pipeline_run").fetchall()
        child = uuid.uuid4()
        started = run_event(child, "START", job="work", parent=(run, "p"))
        started["run"]["facets"]["parent"]["job"]["namespace"] = "headwater"
        append(connection, [fact_of_event(started)])
        follow(connection)

    async def story(ask: Asking) -> None:
        found = await ask.data(
            """query ($id: ID!) { run(id: $id) {
              id reported state startedAt position inputs { rowCount } errorMessage
              job { id pipeline { name } } pipelineRun { number state }
              children { nodes { id } } consumedVersions { nodes { basis version { dataset { id } } } complete } } }""",
            {"id": str(run)},
        )
        assert found["run"] == {
            "id": str(run),
            "reported": False,
            "state": None,
            "startedAt": None,
            "position": None,
            "inputs": None,
            "errorMessage": None,
            "job": {"id": "job:headwater:p", "pipeline": {"name": "p"}},
            "pipelineRun": {"number": 1, "state": "QUEUED"},
            "children": {"nodes": [{"id": str(child)}]},
            "consumedVersions": {
                "nodes": [{"basis": "CONSUMED", "version": {"dataset": {"id": "dataset:ns:raw"}}}],
                "complete": True,
            },
        }

    asked(database_url, tmp_path, story)


def test_the_facts_of_a_run_page_and_large_ones_end_a_page_early(database_url: str, tmp_path: Path) -> None:
    run = uuid.uuid4()
    events = []
    for number in range(5):
        event = run_event(run, "RUNNING", job="j", at=T0 + number * MINUTE)
        event["run"]["facets"]["load"] = {"text": "x" * 3_000_000, "number": number}
        events.append(fact_of_event(event))
    heard(database_url, events)

    async def story(ask: Asking) -> None:
        query = """query ($id: ID!, $after: String) { run(id: $id) { events(first: 4, after: $after) {
          totalCount nodes { body } pageInfo { hasNextPage endCursor } } } }"""
        seen, sizes = [], []
        after, more = None, True
        while more:
            page = (await ask.data(query, {"id": str(run), "after": after}))["run"]["events"]
            seen += [node["body"]["run"]["facets"]["load"]["number"] for node in page["nodes"]]
            sizes.append(len(page["nodes"]))
            assert page["totalCount"] == 5
            after, more = page["pageInfo"]["endCursor"], page["pageInfo"]["hasNextPage"]
        assert seen == [0, 1, 2, 3, 4]
        # 8 MiB hold two bodies of 3 MB.
        assert sizes == [2, 2, 1]

    asked(database_url, tmp_path, story)


def test_a_run_is_marked_where_its_id_was_made_and_where_lineage_could_not_be_extracted(
    database_url: str, tmp_path: Path
) -> None:
    event = run_event(uuid.uuid4(), "COMPLETE", outputs=["out"])
    named = event | {"run": {"runId": "manual__2024-01-01", "facets": {}}}
    partial = event | {
        "run": {
            "runId": str(uuid.uuid4()),
            "facets": {"extractionError": {"totalTasks": 2, "failedTasks": 1}},
        }
    }
    heard(database_url, [fact_of_event(each) for each in (event, named, partial)])

    async def story(ask: Asking) -> None:
        found = await ask.data(
            '{ job(namespace: "ns", name: "job") { runs { nodes { id idDerived extractionError } } } }'
        )
        runs = {
            node["id"]: (node["idDerived"], node["extractionError"]) for node in found["job"]["runs"]["nodes"]
        }
        assert len(runs) == 3
        assert runs[event["run"]["runId"]] == (False, False)
        assert runs[partial["run"]["runId"]] == (False, True)
        assert sorted(runs.values()) == [(False, False), (False, True), (True, False)]

    asked(database_url, tmp_path, story)
