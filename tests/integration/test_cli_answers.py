"""What the command line prints: for people, for programs, on terminals, and of names that somebody else chose."""

import json
import re
import secrets
import time
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.services.postgresql import drop_database, fresh_database
from tests.support.command_line import (
    CommandLine,
    Installation,
    clean_environment,
    installation,
    pipeline_yaml,
)
from tests.support.spine import connect, run_event

#: The only orders to a terminal that are ours: colours.
COLOUR = re.compile(r"\x1b\[[0-9;]*m")
HOSTILE = "evil\x1b]0;title\x07\x1b[2J\x9b31m\n[red]x[/red]\u202e"
#: How it is shown; in the output of a run the line break is one.
SHOWN = "evil\\x1b]0;title\\x07\\x1b[2J\\x9b31m\\n[red]x[/red]\\u202e"


@pytest.fixture(scope="module")
def installed(
    cluster_url: str, template_database: str, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Installation]:
    """A server and a worker for the tests of this file, which use names of their own."""
    url = fresh_database(cluster_url, template_database)
    with installation(url, tmp_path_factory.mktemp("installation")) as found:
        yield found
    drop_database(url)


@pytest.fixture
def headwater(installed: Installation) -> CommandLine:
    return installed.headwater


@pytest.fixture
def name() -> str:
    """A name that no other test uses."""
    return f"n_{secrets.token_hex(4)}"


def events(*found: dict[str, Any]) -> str:
    return "".join(f"{json.dumps(event)}\n" for event in found)


def event(name: str, number: int, *, inputs: list[str], outputs: list[str]) -> dict[str, Any]:
    return run_event(
        uuid.uuid5(uuid.NAMESPACE_OID, f"{name}/{number}"),
        job=f"{name}_{number}",
        inputs=inputs,
        outputs=outputs,
    )


def reached(headwater: CommandLine, node: str) -> list[str]:
    """Return the lines of the tree once the graph knows the node."""
    for _ in range(100):
        said = headwater("lineage", node)
        if said.code == 0:
            return said.out.splitlines()
    raise AssertionError(said)


def test_events_are_stored_once_and_a_wrong_one_fails_alone(
    headwater: CommandLine, name: str, tmp_path: Path
) -> None:
    good = [event(name, number, inputs=["a"], outputs=["b"]) for number in range(3)]
    wrong = event(name, 9, inputs=[], outputs=[]) | {"eventTime": "yesterday"}
    file = tmp_path / "events.ndjson"
    file.write_text(events(good[0], wrong, *good[1:]))
    said = headwater("emit", "event", str(file))
    assert said.code == 2
    assert re.fullmatch(r"stored 3 of 4 events, position \d+\n", said.out)
    assert said.err.startswith("warning: line 2: invalid-event: ")

    # The same again, as an array on stdin, with the answer for programs.
    again = headwater("emit", "event", "-", "--json", stdin=json.dumps(good))
    assert again.code == 0
    assert again.json["successful"] == 3
    assert f"position {again.json['position']}\n" in said.out
    failed = headwater("emit", "event", str(file), "--json")
    assert failed.code == 2
    assert [(found["index"], found["line"]) for found in failed.json["failed"]] == [(1, 2)]

    alone = headwater("emit", "event", "-", stdin=json.dumps(wrong))
    assert (alone.code, alone.out) == (2, "")
    assert alone.err.startswith("headwater: invalid-event: ")


def test_impact_says_what_may_change_and_whether_that_is_everything(
    headwater: CommandLine, name: str
) -> None:
    chain = [event(name, at, inputs=[f"{name}_d{at}"], outputs=[f"{name}_d{at + 1}"]) for at in range(2)]
    headwater.done("emit", "event", "-", stdin=events(*chain))
    start = f"dataset:ns:{name}_d0"
    assert len(reached(headwater, start)) > 1
    said = headwater.done("impact", start)
    header, *lines = said.out.splitlines()
    assert header.split() == ["DISTANCE", "NODE", "AFFECTED", "VIA"]
    assert [line.split()[:2] for line in lines] == [
        ["1", f"job:ns:{name}_0"],
        ["2", f"dataset:ns:{name}_d1"],
        ["3", f"job:ns:{name}_1"],
        ["4", f"dataset:ns:{name}_d2"],
    ]
    assert "all of it may be" in lines[1]
    assert said.err.startswith("complete: 2 datasets (0 by columns), 0 fields, 2 jobs, position ")
    found = headwater.done("impact", start, "--json", "--depth", "1")
    assert [node["path"] for node in found.json["nodes"]] == [[start, f"job:ns:{name}_0"]]
    assert found.err.startswith("warning: incomplete (DEPTH): ")
    assert headwater("impact", f"dataset:ns:{name}_nowhere").code == 3
    assert "Nothing is affected." in headwater.done("impact", f"dataset:ns:{name}_d2").err


def test_lineage_says_whether_it_is_complete_and_where_it_stopped(headwater: CommandLine, name: str) -> None:
    chain = [event(name, at, inputs=[f"{name}_d{at}"], outputs=[f"{name}_d{at + 1}"]) for at in range(4)]
    headwater.done("emit", "event", "-", stdin=events(*chain))
    start = f"dataset:ns:{name}_d0"
    assert len(reached(headwater, start)) == 12
    whole = headwater.done("lineage", start, "--json")
    assert whole.json["completeness"] == {"complete": True, "reason": None, "frontier": []}
    assert len(whole.json["nodes"]) == 9

    deep = headwater.done("lineage", start, "--depth", "2", "--direction", "downstream")
    assert deep.out.splitlines() == [
        start,
        f"└── job:ns:{name}_0",
        f"    └── dataset:ns:{name}_d1 …",
    ]
    assert deep.err.splitlines()[0].startswith("warning: incomplete (DEPTH): ")
    assert deep.err.splitlines()[1] == f"  stopped at dataset:ns:{name}_d1"
    few = headwater.done("lineage", start, "--max-nodes", "2", "--json")
    assert few.json["completeness"]["reason"] == "NODE_LIMIT"
    assert "incomplete (NODE_LIMIT)" in few.err

    assert headwater("lineage", f"dataset:ns:{name}_nowhere").code == 3
    assert headwater("lineage", "nonsense").code == 2


def test_every_command_that_prints_data_prints_json_alone(
    headwater: CommandLine, name: str, tmp_path: Path
) -> None:
    (tmp_path / "p.json").write_text(pipeline_yaml(name, name, "true"))
    version = headwater.done("emit", "version", "--dataset", "ns", name, "--json").json
    applied = headwater.done("apply", "-f", str(tmp_path), "--json").json
    assert applied["position"] > version["position"]
    done = headwater.done("trigger", name, "--wait", "--json")
    assert done.json["pipelineRun"]["pipelineName"] == name
    run = f"{name}/1"
    for command in (
        ("pipelines",),
        ("runs", "list"),
        ("runs", "show", run),
        ("runs", "logs", run),
        ("why", run),
        ("why-not", name),
        ("status",),
        ("pause", name),
        ("resume", name),
        ("delete", "Pipeline", name),
    ):
        said = headwater.done(*command, "--json")
        assert isinstance(said.json, dict), command
        assert said.err == "", command


def test_names_of_others_cannot_steer_a_terminal(headwater: CommandLine, name: str) -> None:
    dataset = f"{name}_{HOSTILE}"
    headwater.done("emit", "event", "-", stdin=events(event(name, 1, inputs=[name], outputs=[dataset])))
    reached(headwater, f"dataset:ns:{name}")
    document = json.loads(pipeline_yaml(name, name, "sh", "-c", f"printf '%s' '{HOSTILE}'"))
    document["spec"]["when"] = {"dataset": {"namespace": "ns", "name": dataset}}
    headwater.done("apply", "-f", "-", stdin=json.dumps(document))
    headwater.done("emit", "version", "--dataset", "ns", dataset)
    headwater.done("trigger", name, "--wait", "--reason", HOSTILE)
    for command in (
        ("lineage", f"dataset:ns:{name}"),
        ("why-not", name),
        ("why", f"{name}/1"),
        ("runs", "show", f"{name}/2"),
        ("runs", "list", "--pipeline", name),
        ("runs", "logs", f"{name}/1"),
        ("lineage", f"dataset:ns:{dataset}x"),
    ):
        # So wide that no name is folded.
        text = COLOUR.sub("", headwater.on_terminal(*command, columns=250).out)
        assert not re.search(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u202e]", text), command
        assert command[1] == "list" or SHOWN in text.replace("\n", "\\n"), (command, text)
    # For programs the name is what it is, and still harmless on a screen.
    answer = headwater.done("lineage", f"dataset:ns:{name}", "--json")
    assert f"dataset:ns:{dataset}" in [node["id"] for node in answer.json["nodes"]]
    assert not re.search(r"[\x1b\x9b\u202e]", answer.out)


def test_colour_is_for_terminals_and_no_color_ends_it(headwater: CommandLine, name: str) -> None:
    headwater.done("apply", "-f", "-", stdin=pipeline_yaml(name, "raw", "true"))
    assert "\x1b" not in headwater.done("pipelines").out
    assert "\x1b[32m" in headwater.on_terminal("pipelines").out
    plain = headwater.on_terminal("pipelines", NO_COLOR="1").out
    assert not re.search(r"\x1b\[[0-9;]*3[0-7]m", plain)
    assert name in plain


@pytest.mark.parametrize("columns", [80, 40])
def test_a_narrow_terminal_folds_and_loses_nothing(headwater: CommandLine, columns: int, name: str) -> None:
    long = f"{name}_{'long_' * 30}end"
    headwater.done("apply", "-f", "-", stdin=pipeline_yaml(name, long, "true"))
    headwater.done("emit", "version", "--dataset", "ns", long)
    headwater.done("trigger", name, "--wait")
    for command in (("pipelines",), ("runs", "list"), ("runs", "show", f"{name}/1"), ("status",)):
        said = headwater.on_terminal(*command, columns=columns)
        assert said.code == 0
        lines = COLOUR.sub("", said.out).splitlines()
        assert max(map(len, lines)) <= columns, command
    shown = COLOUR.sub("", headwater.on_terminal("runs", "show", f"{name}/1", columns=columns).out)
    assert "".join(re.findall(r"long_|end", re.sub(r"\s", "", shown))).count("long_") >= 25
    # In a pipe a row is a line, however long.
    (row,) = [line for line in headwater.done("runs", "show", f"{name}/1").out.splitlines() if long in line]
    assert row.endswith("Z")


def test_errors_are_one_line_on_stderr_and_their_kind_is_the_exit_code(
    installed: Installation, headwater: CommandLine, name: str
) -> None:
    nobody = headwater.with_environment(HEADWATER_URL="http://127.0.0.1:1")("status")
    assert (nobody.code, nobody.out) == (4, "")
    assert nobody.err.splitlines()[-1].startswith(
        "headwater: unreachable: nothing answers at http://127.0.0.1:1"
    )

    # Without the local token reading is open on this machine, and writing is not.
    stranger = installed.stranger()
    assert stranger("pipelines").code == 0
    refused = stranger("pause", name)
    assert (refused.code, refused.out) == (3, "")
    assert refused.err.startswith("headwater: unauthenticated: ")
    wrong = installed.stranger(HEADWATER_TOKEN="hwt_wrong")("pipelines")
    assert (wrong.code, wrong.err.split(": ")[1]) == (3, "unauthenticated")

    usage = headwater("runs", "list", "--state", "nonsense")
    assert (usage.code, usage.out) == (2, "")
    setting = headwater.with_environment(HEADWATER_PORT="http://user:secret@x")("status")
    assert setting.code == 2
    assert setting.err.startswith("headwater: configuration: HEADWATER_PORT: ")
    assert "secret" not in setting.err


def test_tracebacks_are_for_those_who_ask(headwater: CommandLine) -> None:
    said = headwater("lineage", "nonsense")
    assert said.err.count("\n") == 1
    asked = headwater("--debug", "lineage", "nonsense")
    assert "Traceback" in asked.err
    assert asked.err.splitlines()[-1].startswith("catalog.errors.InvalidNodeId: ")


def test_a_viewer_may_look_and_not_touch(installed: Installation, name: str) -> None:
    database = CommandLine(clean_environment(installed.folder, HEADWATER_DATABASE_URL=installed.database_url))
    secret = database.done("token", "create", name, "--role", "viewer").out.strip()
    viewer = installed.stranger(HEADWATER_TOKEN=secret)
    assert viewer("pipelines", "--json").code == 0
    refused = viewer("apply", "-f", "-", stdin=pipeline_yaml(name, "raw", "true"))
    assert refused.code == 3
    assert refused.err.startswith("headwater: forbidden: ")


def test_what_is_known_of_a_dataset_and_of_a_job_is_shown(headwater: CommandLine, name: str) -> None:
    dataset, job = f"shop.{name}", f"{name}_1"
    found = event(name, 1, inputs=[f"{name}_raw"], outputs=[dataset])
    found["outputs"][0]["facets"] = {
        "schema": {
            "fields": [
                {"name": "id", "type": "int"},
                {"name": "at", "fields": [{"name": "city", "type": "text", "description": HOSTILE}]},
            ]
        },
        "tags": {"tags": [{"key": "pii", "field": "at.city"}, {"key": "tier", "value": "gold"}]},
        "ownership": {"owners": [{"name": f"team:{name}", "type": "STEWARD"}]},
    }
    found["job"]["facets"] = {"sql": {"query": "insert into x\nselect 1"}}
    headwater.done("emit", "event", "-", stdin=events(found))
    assert reached(headwater, f"dataset:ns:{dataset}")

    said = headwater.done("dataset", "show", f"dataset:ns:{dataset}")
    # By node id, by namespace and name, and by a name that only one has.
    assert {headwater.done("dataset", "show", text).out for text in (f"ns:{dataset}", dataset)} == {said.out}
    lines = [line.split() for line in said.out.splitlines()]
    for expected in (
        ["owners", f"team:{name}", "(STEWARD)"],
        ["tags", "tier:gold"],
        ["written", "by", f"job:ns:{job}"],
        ["read", "by", "-"],
        ["COLUMN", "TYPE", "TAGS", "DESCRIPTION"],
        ["id", "int", "-", "-"],
    ):
        assert expected in lines, said.out
    assert re.search(r"^at.city +text +pii +evil", said.out, re.MULTILINE)
    answer = headwater.done("dataset", "show", dataset, "--json").json
    assert answer["currentVersion"]["run"]["job"]["id"] == f"job:ns:{job}"
    assert [facet["name"] for facet in answer["facets"]] == ["ownership", "schema", "tags"]

    said = headwater.done("job", "show", job)
    for text in (
        f"reads           dataset:ns:{name}_raw",
        f"writes          dataset:ns:{dataset}",
        "select 1",
    ):
        assert text in said.out
    assert headwater.done("job", "show", f"ns:{job}", "--json").json["runs"]["totalCount"] == 1

    unknown = headwater("dataset", "show", f"{name}_ra")
    assert (unknown.code, unknown.out) == (3, "")
    assert f"did you mean dataset:ns:{name}_raw?" in unknown.err
    assert headwater("job", "show", "ns:no such job").code == 3


def test_search_says_where_it_found_what(headwater: CommandLine, name: str) -> None:
    found = event(name, 1, inputs=[], outputs=[f"{name}_t"])
    found["outputs"][0]["facets"] = {
        "schema": {"fields": [{"name": f"col_{name}x", "type": "int"}]},
        "tags": {"tags": [{"key": f"tag-{name}"}]},
    }
    headwater.done("emit", "event", "-", stdin=events(found))
    reached(headwater, f"dataset:ns:{name}_t")
    said = headwater.done("search", f"{name}x")
    first = said.out.splitlines()[1].replace(";", " ").split()
    assert first[:4] == ["prefix", f"dataset:ns:{name}_t", "column:", f"col_{name}x"]
    hits = headwater.done("search", name, "--json", "--kind", "dataset", "--tag", f"TAG-{name}").json["nodes"]
    assert [(hit["id"], hit["foundIn"][0]["field"]) for hit in hits] == [(f"dataset:ns:{name}_t", "NAME")]
    assert "Nothing fits." in headwater.done("search", name, "--in", "owner").err
    anything = headwater.done("search", "*", "--column", f"col_{name}x", "--json").json
    assert [hit["id"] for hit in anything["nodes"]] == [f"dataset:ns:{name}_t"]


def test_what_came_past_the_index_of_the_search_is_brought_in_by_the_worker(
    headwater: CommandLine, installed: Installation, name: str
) -> None:
    # As a worker of a release without the index does it.
    with connect(installed.database_url) as connection:
        connection.execute("INSERT INTO dataset VALUES (%s, 'ns', %s, now(), 1)", (uuid.uuid4(), name))
        for _ in range(200):
            if connection.execute("SELECT FROM search_change").fetchone() is None:
                break
            time.sleep(0.1)
    found = headwater.done("search", name, "--json").json
    assert ([hit["name"] for hit in found["nodes"]], found["complete"]) == ([name], True)
    # And all of it is made anew while everything runs.
    directly = headwater.with_environment(HEADWATER_DATABASE_URL=installed.database_url)
    entries = directly.done("reindex", "--json").json["entries"]
    assert entries > 0
    assert (
        directly.done("reindex").out == f"made anew: {entries:,} {'entry' if entries == 1 else 'entries'}\n"
    )
    assert headwater.done("search", name, "--json").json["complete"]
