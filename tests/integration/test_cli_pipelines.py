"""Pipelines from the command line: registered, started, watched, asked about, stopped."""

import re
import secrets
import time
import uuid
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.services.postgresql import drop_database, fresh_database
from tests.support.command_line import PROGRAM, CommandLine, Installation, Said, installation, pipeline_yaml

SECONDS = 30


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
    return f"p_{secrets.token_hex(4)}"


def apply(headwater: CommandLine, *documents: str) -> Said:
    return headwater.done("apply", "-f", "-", stdin="\n---\n".join(documents))


def wait_for_state(headwater: CommandLine, run: str, *states: str) -> str:
    deadline = time.monotonic() + SECONDS
    while time.monotonic() < deadline:
        state = str(headwater.done("runs", "show", run, "--json").json["state"])
        if state in states:
            return state
        time.sleep(0.05)
    raise AssertionError(f"{run} came to none of {states}")


def wait_for_runs(headwater: CommandLine, pipeline: str, count: int) -> None:
    deadline = time.monotonic() + SECONDS
    while time.monotonic() < deadline:
        found = headwater.done("runs", "list", "--pipeline", pipeline, "--json").json["runs"]
        if len(found) >= count and all(run["endedAt"] for run in found):
            return
        time.sleep(0.05)
    raise AssertionError(f"{pipeline} has not ended {count} runs")


def test_documents_are_registered_changed_left_and_deleted(
    headwater: CommandLine, name: str, tmp_path: Path
) -> None:
    file = tmp_path / "pipelines" / "a.yaml"
    file.parent.mkdir()
    file.write_text(pipeline_yaml(name, "raw", "true"))

    # A dry run says what would be, and nothing is.
    said = headwater.done("apply", "-f", str(file.parent), "--dry-run")
    assert said.out == f"created Pipeline {name} (version 1)\n"
    assert "nothing was stored" in said.err
    assert headwater("why-not", name).code == 3

    assert headwater.done("apply", "-f", str(file.parent)).out == f"created Pipeline {name} (version 1)\n"
    assert headwater.done("apply", "-f", str(file)).out == f"unchanged Pipeline {name} (version 1)\n"

    # What changes is told field by field, on a dry run and for real.
    file.write_text(pipeline_yaml(name, "raw", "false", concurrency=2))
    differences = "  + spec.concurrency: 2\n  ~ spec.launch.command.argv.0: true -> false\n"
    changed = f"updated Pipeline {name} (version 2)\n{differences}"
    assert headwater.done("apply", "-f", str(file), "--dry-run").out == changed
    assert headwater.done("apply", "-f", str(file)).out == changed
    (document,) = headwater.done("apply", "-f", str(file), "--json").json["documents"]
    assert (document["change"], document["version"], document["differences"]) == ("UNCHANGED", 2, [])

    assert headwater.done("delete", "Pipeline", name).out == f"deleted Pipeline {name}\n"
    again = headwater("delete", "Pipeline", name)
    assert again.code == 3
    assert again.err.startswith("headwater: not-found: ")


def test_documents_come_from_several_files_or_stdin(
    headwater: CommandLine, name: str, tmp_path: Path
) -> None:
    for number in (1, 2):
        (tmp_path / f"{number}.json").write_text(pipeline_yaml(f"{name}_{number}", "raw", "true"))
    said = headwater.done("apply", "-f", str(tmp_path / "1.json"), "-f", str(tmp_path / "2.json"))
    assert said.out.count("created") == 2
    both = headwater("apply", "-f", "-", "-f", str(tmp_path), stdin="{}")
    assert (both.code, both.out) == (2, "")


def test_a_wrong_document_is_told_with_file_line_and_column_and_nothing_is_registered(
    headwater: CommandLine, name: str, tmp_path: Path
) -> None:
    (tmp_path / "a.yaml").write_text(pipeline_yaml(name, "raw", "true"))
    (tmp_path / "b.yaml").write_text(
        "apiVersion: headwater/v1\nkind: Pipeline\nmetadata: {name: b, owner: t}\nspec:\n  wen: 1\n"
    )
    said = headwater("apply", "-f", str(tmp_path))
    assert said.code == 2
    assert said.out == ""
    assert re.match(
        rf"headwater: invalid-document: {re.escape(str(tmp_path))}/b\.yaml:5:3: /spec/wen: ", said.err
    )
    assert "did you mean 'when'?" in said.err
    assert headwater("why-not", name).code == 3


def test_a_loop_is_refused_as_a_whole(headwater: CommandLine, name: str) -> None:
    loop = pipeline_yaml(name, name, "true", produces=[{"namespace": "ns", "name": name}])
    said = headwater("apply", "-f", "-", stdin=loop)
    assert said.code == 3
    assert said.err.startswith("headwater: causal-loop: ")


def test_a_new_version_starts_the_pipeline_and_why_says_so(headwater: CommandLine, name: str) -> None:
    apply(headwater, pipeline_yaml(name, name, "sh", "-c", "echo hello from $HEADWATER_ATTEMPT"))

    # Nothing has come yet, and why-not says what would.
    waiting = headwater.done("why-not", name)
    assert f"✗ dataset:ns:{name}  nothing queued" in waiting.out
    assert f"would be due with a new version of dataset:ns:{name}" in waiting.out

    reported = headwater.done("emit", "version", "--dataset", "ns", name, "--rows", "3", "--json").json
    assert reported["duplicate"] is False
    wait_for_runs(headwater, name, 1)

    listed = headwater.done("runs", "list", "--pipeline", name)
    assert re.search(
        rf"^{name}/1 +succeeded +\d{{4}}-.*Z +[\d.]+ m?s +exit code 0$", listed.out, re.MULTILINE
    )
    assert headwater.done("runs", "logs", f"{name}/1").out == "hello from 1\n"

    why = headwater.done("why", f"{name}/1")
    first, _, version, fact = why.out.splitlines()
    assert re.match(rf"{name}/1 succeeded  due .*Z, started after .*, took ", first)
    assert f"version of dataset:ns:{name} (published), 3 rows, position {reported['position']}" in version
    assert "version.report by local" in fact
    assert why.err == "complete: 2 causes, 1 first cause\n"

    shown = headwater.done("runs", "show", f"{name}/1").out
    assert "exit code  0" in shown
    assert f"dataset:ns:{name}" in shown
    assert re.search(r"succeeded +1 +host:", shown)


def test_the_same_report_again_starts_nothing(headwater: CommandLine, name: str) -> None:
    apply(headwater, pipeline_yaml(name, name, "true"))
    command = ("emit", "version", "--dataset", "ns", name, "--time", "2026-01-01T00:00:00Z", "--rows", "5")
    assert headwater.done(*command).out.startswith("reported, position ")
    assert headwater.done(*command).out.startswith("known already, at position ")
    # Another state of the data, another report; and what says nothing of the state is new each time.
    assert headwater.done(*command[:-1], "6").out.startswith("reported, position ")
    for _ in range(2):
        assert headwater.done("emit", "version", "--dataset", "ns", name).out.startswith(
            "reported, position "
        )
    wait_for_runs(headwater, name, 4)
    assert len(headwater.done("runs", "list", "--pipeline", name, "--json").json["runs"]) == 4


def test_a_chain_of_pipelines_is_told_down_to_the_first_cause(headwater: CommandLine, name: str) -> None:
    first, second = f"{name}_first", f"{name}_second"
    event = (
        '{"eventType":"COMPLETE","eventTime":"2026-01-01T00:00:00Z","producer":"https://example.com",'
        f'"run":{{"runId":"$HEADWATER_RUN_ID"}},"job":{{"namespace":"headwater","name":"{first}"}},'
        f'"inputs":[{{"namespace":"ns","name":"{name}"}}],"outputs":[{{"namespace":"ns","name":"{name}_out"}}]}}'
    )
    send = f"cat <<END | '{PROGRAM}' emit event - --url $OPENLINEAGE_URL\n{event}\nEND"
    apply(
        headwater, pipeline_yaml(first, name, "sh", "-c", send), pipeline_yaml(second, f"{name}_out", "true")
    )
    headwater.done("emit", "version", "--dataset", "ns", name)
    wait_for_runs(headwater, second, 1)
    lines = headwater.done("why", f"{second}/1").out.splitlines()
    told = "\n".join(lines)
    assert f"{second}/1 succeeded" in lines[0]
    assert re.search(rf"version of dataset:ns:{name}_out.*\n.*run .* of job:headwater:{first}", told)
    assert re.search(rf"run 1 of pipeline {first} .*, started .* after it was due, took ", told)
    assert "version.report by local" in lines[-1]

    # And the lineage that it reported is drawn.
    tree = headwater.done("lineage", f"dataset:ns:{name}", "--direction", "downstream")
    assert tree.out.splitlines() == [
        f"dataset:ns:{name}",
        f"└── job:headwater:{first}",
        f"    └── dataset:ns:{name}_out",
    ]
    assert tree.err.startswith("complete: 3 nodes, position ")


def test_a_trigger_waits_and_tells_how_it_ended(headwater: CommandLine, name: str) -> None:
    apply(headwater, pipeline_yaml(name, "raw", "true"), pipeline_yaml(f"{name}_bad", "raw", "false"))
    good = headwater.done("trigger", name, "--wait", "--reason", "to see")
    assert good.out == f"{name}/1 succeeded\n"
    assert headwater.done("trigger", name, "--wait", "--json").json["pipelineRun"]["state"] == "SUCCEEDED"
    bad = headwater("trigger", f"{name}_bad", "--wait")
    assert (bad.code, bad.out) == (1, f"{name}_bad/1 failed\n")
    assert "exit code 1" in bad.err
    assert headwater("trigger", f"{name}_none").code == 3
    assert "pipeline.trigger by local" in headwater.done("why", f"{name}/1").out


def test_a_run_is_followed_cancelled_and_tried_again(
    headwater: CommandLine, name: str, tmp_path: Path
) -> None:
    script = f"echo first; while [ ! -e {tmp_path}/go ]; do sleep 0.05; done; echo second; exit 3"
    apply(headwater, pipeline_yaml(name, "raw", "sh", "-c", script))
    headwater.done("trigger", name)
    wait_for_state(headwater, f"{name}/1", "RUNNING")

    # It goes on, so retry is refused, and cancel ends it.
    assert headwater("runs", "retry", f"{name}/1").code == 3
    asked = headwater.done("runs", "cancel", f"{name}/1", "--reason", "enough")
    assert asked.out.startswith(f"{name}/1 ")
    assert wait_for_state(headwater, f"{name}/1", "CANCELLED") == "CANCELLED"
    assert headwater.done("runs", "logs", f"{name}/1").out == "first\n"

    # Another attempt of the same run, followed until it ends.
    headwater.done("runs", "retry", f"{name}/1")
    wait_for_state(headwater, f"{name}/1", "RUNNING")
    (tmp_path / "go").touch()
    followed = headwater.done("runs", "logs", f"{name}/1", "--follow")
    assert followed.out == "first\nsecond\n"
    assert followed.err.splitlines()[-1] == f"{name}/1 failed"
    assert headwater.done("runs", "logs", f"{name}/1", "--attempt", "1").out == "first\n"
    shown = headwater.done("runs", "show", f"{name}/1", "--json").json
    assert [attempt["number"] for attempt in shown["attempts"]] == [1, 2]
    assert shown["exitCode"] == 3


def test_a_paused_pipeline_says_why_it_does_not_start(headwater: CommandLine, name: str) -> None:
    apply(headwater, pipeline_yaml(name, name, "true"))
    assert headwater.done("pause", name).out == f"{name} paused\n"
    headwater.done("emit", "version", "--dataset", "ns", name)
    deadline = time.monotonic() + SECONDS
    while "1 version queued" not in (told := headwater.done("why-not", name).out):
        assert time.monotonic() < deadline, told
    # The pause comes first: what holds below it starts nothing.
    _, first, condition, *rest = told.splitlines()
    assert first == (
        f"paused: versions queue up, and nothing fires until it is resumed: headwater resume {name}"
    )
    assert condition.startswith(f"✓ dataset:ns:{name}")
    assert rest == []
    refused = headwater("trigger", name)
    assert (refused.code, refused.err.split(": ")[1]) == (3, "invalid-transition")
    assert headwater.done("runs", "list", "--pipeline", name).out == ""
    headwater.done("resume", name)
    wait_for_runs(headwater, name, 1)
    found = headwater.done("pipelines", "--json").json["pipelines"]
    (mine,) = [pipeline for pipeline in found if pipeline["name"] == name]
    assert (mine["state"], mine["latestRun"]["state"]) == ("ACTIVE", "SUCCEEDED")


def test_a_deleted_pipeline_says_so_first_and_since_when(headwater: CommandLine, name: str) -> None:
    apply(headwater, pipeline_yaml(name, name, "sleep", "60"))
    headwater.done("trigger", name)
    headwater.done("trigger", name)
    wait_for_state(headwater, f"{name}/1", "RUNNING")
    headwater.done("delete", "Pipeline", name)
    heading, first, *rest = headwater.done("why-not", name).out.splitlines()
    assert heading == f"{name} deleted"
    when = r"\d{4}-\d\d-\d\d at \d\d:\d\d:\d\dZ"
    assert re.fullmatch(
        rf"deleted on {when} by \S+: nothing fires until it is applied again: headwater apply -f FILE", first
    )
    # The run that had begun goes on; the one that waited for its slot does so no more.
    (going,) = rest
    assert going.startswith(f"goes on to its end: {name}/1 running since")
    headwater.done("runs", "cancel", f"{name}/1")
    wait_for_state(headwater, f"{name}/1", "CANCELLED")


def test_a_slot_that_is_taken_is_named(headwater: CommandLine, name: str) -> None:
    apply(headwater, pipeline_yaml(name, "raw", "sleep", "60"))
    headwater.done("trigger", name)
    headwater.done("trigger", name)
    wait_for_state(headwater, f"{name}/1", "RUNNING")
    told = headwater.done("why-not", name).out
    assert f"1 of 1 slot taken: {name}/1 running since" in told
    assert f"waiting for a slot: {name}/2 pending" in told
    for number in (2, 1):
        headwater.done("runs", "cancel", f"{name}/{number}")
    wait_for_state(headwater, f"{name}/1", "CANCELLED")


def test_a_run_is_found_by_every_name_it_has(headwater: CommandLine, name: str) -> None:
    apply(headwater, pipeline_yaml(name, "raw", "true"))
    for _ in range(2):
        headwater.done("trigger", name)
    wait_for_runs(headwater, name, 2)
    first = headwater.done("runs", "show", f"{name}/1", "--json").json
    for reference in (first["id"].upper(), f"run:{first['id']}", first["id"][:13]):
        assert headwater.done("runs", "show", reference, "--json").json["number"] == 1, reference
    newest = headwater.done("runs", "list", "--limit", "1", "--json").json
    assert headwater.done("runs", "show", "last", "--json").json["id"] == newest["runs"][0]["id"]
    assert newest["more"] is True
    for nobody in (f"{name}/9", f"{name}_none/1", str(uuid.uuid4()), str(uuid.uuid4())[:23]):
        said = headwater("runs", "show", nobody)
        assert (said.code, said.err.split(": ")[1]) == (3, "not-found")
