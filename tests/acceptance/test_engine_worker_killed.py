"""A worker that is killed between the engine's acceptance and its answer: the run starts once all the same.

The worker is the real one; the engine is a double on this machine that keeps count of what it started.
"""

import signal
import subprocess
import threading
import time
from pathlib import Path
from typing import Any

import psycopg
import pytest

from catalog.facts import version_report
from catalog.keys import DatasetKey
from tests.support.http_double import Heard, Reply, http_double
from tests.support.processes import part
from tests.support.spine import T0, append, apply_fact, connect, parked, pipeline_body


class SlowEngine:
    """Starts what it is sent at once and answers only when it may; knows a run by its id."""

    def __init__(self, *, honours_keys: bool) -> None:
        self.honours_keys = honours_keys
        self.starts: list[str] = []
        self.accepted = threading.Event()
        self.may_answer = threading.Event()
        self.state = "RUNNING"

    def answer(self, heard: Heard, reply: Reply) -> None:
        if heard.method == "GET":
            known = any(heard.path.endswith(run) for run in self.starts)
            reply.send(200 if known else 404, {"state": self.state})
            return
        run = heard.path.rsplit("/", 1)[1]
        if not self.honours_keys or run not in self.starts:
            self.starts.append(run)
        self.accepted.set()
        self.may_answer.wait(20)
        reply.send(202, {"id": run}, Location=f"/runs/{run}")


def wait_for_state(connection: psycopg.Connection[Any], wanted: set[str], seconds: float = 30) -> str:
    deadline = time.monotonic() + seconds
    while True:
        row = connection.execute("SELECT state FROM pipeline_run").fetchone()
        if row is not None and row[0] in wanted:
            return str(row[0])
        assert time.monotonic() < deadline, f"expected one of {wanted}, found {row}"
        time.sleep(0.05)


@pytest.mark.timeout(120)
@pytest.mark.parametrize(
    ("by", "expected"), [("key", "succeeded"), ("status URL", "succeeded"), ("nothing", "lost")]
)
def test_a_worker_killed_while_the_engine_answers(
    tmp_path: Path, database_url: str, by: str, expected: str
) -> None:
    engine = SlowEngine(honours_keys=by == "key")
    with http_double(engine.answer) as double, connect(database_url) as connection:
        http = {
            "url": f"{double.url}/runs/${{run.id}}",
            "idempotency": {"honoured": by == "key"},
            "poll": {
                "url": f"{double.url}/runs/${{run.id}}" if by == "status URL" else "location",
                "state": "$.state",
                "succeeded": ["DONE"],
                "failed": ["FAILED"],
                "interval": "1s",
            },
            "timeouts": {"answer": "2s"},
        }
        append(connection, [apply_fact(pipeline_body("p", "a", launch={"http": http}))])
        append(connection, [version_report(DatasetKey("ns", "a"), actor="test", time=T0, key="1")])
        here = {"HEADWATER_OUTBOUND_ALLOW_LOOPBACK": "true"}
        with part("worker", data_dir=tmp_path, url=database_url, **here) as worker:
            assert engine.accepted.wait(30)
            kill(worker)
        engine.may_answer.set()
        # Whether the dead worker had still followed its own claim does not matter.
        assert wait_for_state(connection, {"queued", "launching"}) in ("queued", "launching")
        # Nobody is asked to allow commands: any worker sends and asks.
        with part("worker", data_dir=tmp_path, url=database_url, **here):
            if expected == "succeeded":
                assert wait_for_state(connection, {"running"}) == "running"
                engine.state = "DONE"
            assert wait_for_state(connection, {"succeeded", "failed", "lost", "timed_out"}) == expected
        assert parked(connection) == []

    assert len(engine.starts) == 1
    posts = [heard for heard in double.heard if heard.method == "POST"]
    assert len(posts) == (2 if by == "key" else 1)
    assert len({heard.headers["Idempotency-Key"] for heard in posts}) == 1


def kill(worker: "subprocess.Popen[str]") -> None:
    worker.send_signal(signal.SIGKILL)
    worker.wait(10)


@pytest.mark.timeout(120)
def test_a_worker_that_is_told_to_end_leaves_its_questions_to_another(
    tmp_path: Path, database_url: str
) -> None:
    engine = SlowEngine(honours_keys=False)
    engine.may_answer.set()
    with http_double(engine.answer) as double, connect(database_url) as connection:
        http = {
            "url": f"{double.url}/runs/${{run.id}}",
            "poll": {
                "url": f"{double.url}/runs/${{run.id}}",
                "state": "$.state",
                "succeeded": ["DONE"],
                "failed": ["FAILED"],
                "interval": "1s",
            },
        }
        append(connection, [apply_fact(pipeline_body("p", "a", launch={"http": http}))])
        append(connection, [version_report(DatasetKey("ns", "a"), actor="test", time=T0, key="1")])
        here = {"HEADWATER_OUTBOUND_ALLOW_LOOPBACK": "true"}
        first, second = tmp_path / "first", tmp_path / "second"
        first.mkdir()
        second.mkdir()
        with part("worker", data_dir=first, url=database_url, **here) as worker:
            wait_for_state(connection, {"running"})
            double.wait_for(3)
            worker.terminate()
            assert worker.wait(5) == 0
        # Another host, which never claimed anything, asks on.
        with part("worker", data_dir=second, url=database_url, **here):
            engine.state = "DONE"
            assert wait_for_state(connection, {"succeeded", "lost"}) == "succeeded"

    assert len(engine.starts) == 1
