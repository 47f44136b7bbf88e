"""`headwater up` as a user has it: ready, held, ended, killed and recovered."""

import contextlib
import json
import re
import shutil
import signal
import subprocess
import tempfile
import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from benchmarks.events import complete_event
from benchmarks.server import HEADWATER, Server, pipeline, start_server, stop_server
from tests.support.processes import post, wait_for_lines

INPUT = {"namespace": "benchmark", "name": "input"}


@pytest.fixture
def folder() -> Iterator[Path]:
    # A folder with a space and a long name, as people have them.
    base = Path(tempfile.mkdtemp(prefix="headwater up "))
    found = base / ("a long name " * 8).strip()
    found.mkdir()
    yield found
    link = found / "postgresql"
    if link.is_symlink():
        shutil.rmtree(link.resolve(), ignore_errors=True)
    shutil.rmtree(base, ignore_errors=True)


def everything_of(server: Server) -> list[psutil.Process]:
    return server.processes()


def assert_gone(processes: list[psutil.Process], seconds: float) -> None:
    _, alive = psutil.wait_procs(processes, timeout=seconds)
    assert [process for process in alive if process.status() != psutil.STATUS_ZOMBIE] == []


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_ends_every_process_within_five_seconds_and_running_commands_go_on(
    folder: Path, number: signal.Signals
) -> None:
    server = start_server(folder)
    out = folder / "out.txt"
    script = 'echo begun >> "$0"; sleep 6; echo ended >> "$0"'
    # Taken before the command runs: it is none of Headwater's processes.
    processes = everything_of(server)
    server.apply(pipeline("slow", INPUT, ["sh", "-c", script, str(out)]))
    assert post(server.port, "/api/v1/lineage", complete_event("input")) == 201
    wait_for_lines(out, 1, 20)
    started = time.monotonic()
    server.process.send_signal(number)
    server.process.wait(10)
    assert time.monotonic() - started < 5
    assert server.process.stdout is not None
    server.process.stdout.close()
    assert_gone(processes, 1)
    # The command went on; the next start finds how it ended.
    wait_for_lines(out, 2, 15)
    server = start_server(folder)
    try:
        deadline = time.monotonic() + 20
        states = []
        while time.monotonic() < deadline and states != ["SUCCEEDED"]:
            runs = server.graphql("{ pipelineRuns { nodes { state } } }")["pipelineRuns"]["nodes"]
            states = [run["state"] for run in runs]
            time.sleep(0.1)
        assert states == ["SUCCEEDED"]
    finally:
        stop_server(server)


def run_printed(command: str) -> "subprocess.CompletedProcess[str]":
    return subprocess.run(  # noqa: S602 - a shell is where people paste it
        command, shell=True, cwd="/", capture_output=True, text=True, timeout=60, check=False
    )


def test_what_it_prints_works_as_printed(folder: Path) -> None:
    data_dir = folder / "data [red] of mine"
    data_dir.mkdir()
    # Started as a newcomer does: with a path to the program, and no folder for commands.
    with (folder / "log").open("wb") as log:
        process = subprocess.Popen(
            [str(HEADWATER), "up", "--data-dir", str(data_dir), "--port", "0"],
            stdout=subprocess.PIPE,
            stderr=log,
            text=True,
        )
    try:
        assert process.stdout is not None
        printed = [process.stdout.readline().rstrip() for _ in range(4)]
        url = printed[0].removeprefix("ready ")
        purposes, tries = zip(
            *(re.split(r" {2,}", line.strip(), maxsplit=1) for line in printed[1:]), strict=True
        )
        assert purposes == ("see how it stands", "tell of new data", "ask, in a browser")
        *commands, page = tries
        for command in commands:
            done = run_printed(command)
            assert done.returncode == 0, (command, done.stderr)
        browser = urllib.request.Request(page, headers={"Accept": "text/html"})  # noqa: S310 - loopback
        with urllib.request.urlopen(browser, timeout=10) as response:  # noqa: S310 - loopback
            assert response.status == 200
            assert response.headers["Content-Type"].startswith("text/html")
        assert page == f"{url}/graphql"
        assert "--allow-commands" in (folder / "log").read_text("utf-8")
    finally:
        process.terminate()
        process.communicate(timeout=15)
        link = data_dir / "postgresql"
        if link.is_symlink():
            shutil.rmtree(link.resolve(), ignore_errors=True)


def test_a_second_up_says_who_holds_the_folder(folder: Path) -> None:
    server = start_server(folder)
    try:
        second = subprocess.run(
            [str(HEADWATER), "up", "--data-dir", str(folder), "--port", "0"],
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
        assert second.returncode != 0
        assert "data-folder-in-use" in second.stderr
        assert str(server.process.pid) in second.stderr
        assert server.url in second.stderr
    finally:
        stop_server(server)


def test_after_kill_9_of_everything_the_next_start_recovers_alone(folder: Path) -> None:
    server = start_server(folder)
    bystander = subprocess.Popen(["sleep", "60"])
    try:
        event = complete_event("input")
        assert post(server.port, "/api/v1/lineage", event) == 201
        for process in everything_of(server):
            with contextlib.suppress(psutil.NoSuchProcess):
                process.send_signal(signal.SIGKILL)
        server.process.wait()
        assert server.process.stdout is not None
        server.process.stdout.close()
        server = start_server(folder)
        server.wait_until_followed()
        run = server.graphql("query($id: ID!) { run(id: $id) { state } }", id=event["run"]["runId"])
        assert run == {"run": {"state": "COMPLETE"}}
        assert bystander.poll() is None
    finally:
        bystander.kill()
        bystander.wait()
        stop_server(server)


def test_children_end_when_the_supervisor_is_killed(folder: Path) -> None:
    server = start_server(folder)
    processes = [process for process in everything_of(server) if process.pid != server.process.pid]
    server.process.kill()
    server.process.wait()
    assert server.process.stdout is not None
    server.process.stdout.close()
    assert_gone(processes, 10)


def test_writes_from_a_web_page_are_refused_and_reads_are_open(folder: Path) -> None:
    server = start_server(folder)
    try:
        # OpenLineage events and reads are open on loopback.
        assert post(server.port, "/api/v1/lineage", complete_event("input")) == 201
        report = {"dataset": INPUT, "idempotencyKey": "1"}
        assert post(server.port, "/api/v1/versions", report) == 401
        assert post(server.port, "/api/v1/versions", report, token=server.token) == 201
        mutation = {"query": 'mutation { trigger(pipeline: "p") { position } }'}
        answer = urllib.request.Request(  # noqa: S310 - loopback
            f"{server.url}/graphql", json.dumps(mutation).encode(), {"Content-Type": "application/json"}
        )
        with urllib.request.urlopen(answer, timeout=10) as response:  # noqa: S310 - loopback
            errors = json.loads(response.read())["errors"]
        assert errors[0]["extensions"]["code"] == "unauthenticated"
        assert (server.data_dir / "local-token").stat().st_mode & 0o777 == 0o600
    finally:
        stop_server(server)


def test_beyond_loopback_it_starts_with_the_token_that_it_asks_for(folder: Path) -> None:
    command = [str(HEADWATER), "up", "--data-dir", str(folder), "--host", "0.0.0.0", "--port", "0"]  # noqa: S104 - tokens guard it
    refused = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert refused.returncode != 0
    assert "configuration" in refused.stderr
    # The token that it asks for is one of this folder's database.
    (create,) = re.findall(r"`headwater (token create .*?)`", refused.stderr.replace("\n", " "))
    created = run_printed(f"{HEADWATER} {create}")
    assert created.returncode == 0, created.stderr
    with (folder / "log").open("wb") as log:
        process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=log, text=True)
    try:
        assert process.stdout is not None
        printed = [process.stdout.readline().rstrip() for _ in range(4)]
        assert printed[0].startswith("ready ")
        # Nothing of it needs what a browser cannot send.
        for line in printed[1:]:
            done = run_printed(re.split(r" {2,}", line.strip(), maxsplit=1)[1])
            assert done.returncode == 0, (line, done.stderr)
    finally:
        process.terminate()
        process.communicate(timeout=15)
