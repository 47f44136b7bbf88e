"""`headwater runs watch`: moves of runs as lines, through breaks of the connection."""

import json
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from catalog.ledger import NewFact
from tests.services.web_process import web_process
from tests.support.command_line import PROGRAM, CommandLine, clean_environment
from tests.support.graphql import completed, heard
from tests.support.relay import Relay, relay
from tests.support.spine import apply_fact, pipeline_body


def register(database_url: str, *names: str) -> None:
    heard(database_url, [apply_fact(*(pipeline_body(name, "orders", concurrency=50) for name in names))])


@contextmanager
def watching(folder: Path, url: str, *arguments: str) -> Iterator["subprocess.Popen[str]"]:
    """Yield the command while it watches."""
    environment = clean_environment(folder, HEADWATER_URL=url)
    command = [PROGRAM, "runs", "watch", *arguments]
    with subprocess.Popen(
        command, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as process:
        try:
            yield process
        finally:
            process.kill()


def test_all_that_happened_and_an_end(database_url: str, tmp_path: Path) -> None:
    register(database_url, "report", "mail")
    heard(database_url, load(0))
    with web_process(database_url, tmp_path) as server:
        headwater = CommandLine(clean_environment(tmp_path, HEADWATER_URL=server.url))
        said = headwater.done("runs", "watch", "--after", "0", "--limit", "2", "--pipeline", "mail")
        assert [line.split()[2:4] for line in said.out.splitlines()] == [
            ["mail/1", "pending"],
            ["mail/1", "queued"],
        ]
        lines = headwater.done("runs", "watch", "--after", "0", "--limit", "4", "--json").out.splitlines()
        cursors = [json.loads(line)["cursor"] for line in lines]
        assert cursors == sorted(set(cursors))
        wrong = headwater("runs", "watch", "--after", "1000000")
        assert wrong.code == 2
        assert "invalid-input" in wrong.err


def test_a_broken_connection_loses_and_repeats_nothing(database_url: str, tmp_path: Path) -> None:
    register(database_url, "report")
    with web_process(database_url, tmp_path) as server, relay(server.port) as between:
        with watching(tmp_path, between.url, "--json", "--limit", "10") as process:
            # Welcomed, it knows where it began, and nothing was told yet.
            between.wait_for_first_message()
            time.sleep(0.1)
            for number in range(4):
                _break(between, lambda number=number: heard(database_url, load(number)))
            heard(database_url, load(4))
            out, err = process.communicate(timeout=30)
        moves = [json.loads(line) for line in out.splitlines()]
        assert [move["pipelineRun"]["number"] for move in moves] == [
            number for number in range(1, 6) for _ in range(2)
        ]
        cursors = [move["cursor"] for move in moves]
        assert cursors == sorted(set(cursors))
        assert "tries again" in err
        assert process.returncode == 0


def load(number: int) -> list[NewFact]:
    return completed(f"load_{number}", outputs=["orders"])


def _break(between: Relay, meanwhile: Callable[[], None]) -> None:
    before = between.connections
    between.cut()
    meanwhile()
    between.wait_for_connections(before + 1)


def test_nobody_there_is_told(tmp_path: Path) -> None:
    headwater = CommandLine(clean_environment(tmp_path, HEADWATER_URL="http://127.0.0.1:9"))
    assert headwater("runs", "watch").code == 4
