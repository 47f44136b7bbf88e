"""Why a pipeline run exists, over GraphQL: back to the first causes, each of them told once."""

from pathlib import Path

from catalog.facts import FactKind, command
from tests.support.chains import CAUSES, chained
from tests.support.graphql import Asking, asked, completed, heard, latest_run, within
from tests.support.spine import apply_fact, pipeline_body


def test_why_goes_back_to_the_first_cause(database_url: str, tmp_path: Path) -> None:
    runs = chained(database_url)

    async def story(ask: Asking) -> None:
        causes = (await ask.data(CAUSES, {"id": str(runs[2])}))["pipelineRun"]["causes"]
        assert (causes["complete"], causes["reason"]) == (True, None)
        nodes = causes["nodes"]
        assert [(node["level"], node["kind"]) for node in nodes] == [
            (0, "VERSION"),
            (1, "RUN"),
            (2, "PIPELINE_RUN"),
            (3, "VERSION"),
            (4, "RUN"),
            (5, "PIPELINE_RUN"),
            (6, "VERSION"),
            (7, "FACT"),
        ]
        assert [(node["index"], node["parent"]) for node in nodes] == [
            (index, None if index == 0 else index - 1) for index in range(8)
        ]
        assert [node["version"]["dataset"]["id"] for node in nodes if node["version"]] == [
            "dataset:ns:d2",
            "dataset:ns:d1",
            "dataset:ns:d0",
        ]
        assert [node["pipelineRun"]["id"] for node in nodes if node["pipelineRun"]] == [
            str(runs[1]),
            str(runs[0]),
        ]
        first = nodes[-1]
        assert first["text"] == "version.report by ada"
        assert first["fact"] == {"kind": "version.report", "actor": "ada", "position": first["position"]}
        assert "of job:ns:step2 (COMPLETE)" in nodes[1]["text"]
        assert nodes[1]["fact"]["kind"] == "openlineage.run"

    asked(database_url, tmp_path, story)


def test_a_chain_that_is_cut_says_where_and_why(database_url: str, tmp_path: Path) -> None:
    runs = chained(database_url)

    async def story(ask: Asking) -> None:
        shallow = (await ask.data(CAUSES, {"id": str(runs[2]), "depth": 1}))["pipelineRun"]["causes"]
        assert [node["kind"] for node in shallow["nodes"]] == ["VERSION", "RUN", "PIPELINE_RUN"]
        assert (shallow["complete"], shallow["reason"]) == (False, "DEPTH")
        short = (await ask.data(CAUSES, {"id": str(runs[2]), "most": 4}))["pipelineRun"]["causes"]
        assert len(short["nodes"]) == 4
        assert (short["complete"], short["reason"]) == (False, "NODE_LIMIT")
        whole = (await ask.data(CAUSES, {"id": str(runs[2]), "most": 8, "depth": 3}))["pipelineRun"]["causes"]
        assert (len(whole["nodes"]), whole["complete"]) == (8, True)
        for wrong in ("depth: 0", "depth: 1001", "maxNodes: 0", "maxNodes: 10001"):
            bounded = f'{{ pipelineRun(id: "{runs[2]}") {{ causes({wrong}) {{ complete }} }} }}'
            assert await ask.code(bounded) == "invalid-input"

    asked(database_url, tmp_path, story)


def test_a_cause_of_two_versions_is_explained_once(database_url: str, tmp_path: Path) -> None:
    both = {"all": [{"dataset": {"namespace": "ns", "name": name}} for name in ("left", "right")]}
    heard(database_url, [apply_fact(pipeline_body("split", "raw"), pipeline_body("join", both))])
    heard(
        database_url,
        [command(FactKind.PIPELINE_TRIGGER, {"pipeline": "split", "reason": "test"}, actor="ada")],
    )
    split = latest_run(database_url, "split")
    heard(database_url, within(split, "split", "writes", outputs=["left", "right"]))

    async def story(ask: Asking) -> None:
        run = latest_run(database_url, "join")
        causes = (await ask.data(CAUSES, {"id": str(run)}))["pipelineRun"]["causes"]
        assert causes["complete"]
        nodes = causes["nodes"]
        assert [(node["level"], node["kind"], node["explainedAt"]) for node in nodes] == [
            (0, "VERSION", None),
            (1, "RUN", None),
            (2, "PIPELINE_RUN", None),
            (3, "FACT", None),
            (0, "VERSION", None),
            (1, "RUN", 1),
        ]
        assert [node["repeated"] for node in nodes] == [False] * 5 + [True]
        assert nodes[5]["run"] == nodes[1]["run"]
        assert nodes[3]["text"] == "pipeline.trigger by ada"
        # Who was triggered by hand has that as its only cause.
        by_hand = (await ask.data(CAUSES, {"id": str(split)}))["pipelineRun"]["causes"]["nodes"]
        assert [node["text"] for node in by_hand] == ["pipeline.trigger by ada"]

    asked(database_url, tmp_path, story)


def test_two_steps_of_one_pipeline_run_and_one_version_read_twice_are_explained_once(
    database_url: str, tmp_path: Path
) -> None:
    several = {"any": [{"dataset": {"namespace": "ns", "name": name}} for name in ("left", "right", "raw")]}
    heard(
        database_url,
        [
            apply_fact(
                pipeline_body("split", "raw"),
                pipeline_body("join", several, batching="latest"),
            ),
            command(FactKind.PIPELINE_PAUSE, {"pipeline": "join"}, actor="ada"),
            *completed("load", outputs=["raw"]),
        ],
    )
    split = latest_run(database_url, "split")
    for step, output in (("one", "left"), ("two", "right")):
        heard(database_url, within(split, "split", step, outputs=[output]))
    heard(database_url, [command(FactKind.PIPELINE_RESUME, {"pipeline": "join"}, actor="ada")])

    async def story(ask: Asking) -> None:
        run = latest_run(database_url, "join")
        nodes = (await ask.data(CAUSES, {"id": str(run)}))["pipelineRun"]["causes"]["nodes"]
        assert [(node["level"], node["kind"], node["explainedAt"]) for node in nodes] == [
            (0, "VERSION", None),
            (1, "RUN", None),
            (0, "VERSION", None),
            (1, "RUN", None),
            (2, "PIPELINE_RUN", None),
            (3, "VERSION", 0),
            (0, "VERSION", None),
            (1, "RUN", None),
            (2, "PIPELINE_RUN", 4),
        ]
        assert nodes[3]["run"] != nodes[7]["run"]
        for node in nodes:
            if node["explainedAt"] is not None:
                first = nodes[node["explainedAt"]]
                assert (first["kind"], first["text"]) == (node["kind"], node["text"])

    asked(database_url, tmp_path, story)
