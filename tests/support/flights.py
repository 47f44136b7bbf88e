"""The flights example in a folder of the test's own, and a receiver of OpenLineage events on loopback."""

import shutil
import threading
import uuid
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import orjson

from catalog.documents.loading import load_documents
from catalog.documents.pipeline import Pipeline
from catalog.openlineage.events import RunEvent, parse_event
from catalog.openlineage.receive import Limits, receive_event
from hooks.launchers.port import Attempt, Exited
from tests.support.attempts import eventually, make_attempt, make_launcher

EXAMPLE = Path(__file__).parent.parent.parent / "examples" / "flights"


def copy_example(folder: Path) -> Path:
    """Return a copy without data, as a user makes one; it shares the example's environment."""
    environment = EXAMPLE / ".venv"
    assert (environment / "bin" / "dbt-ol").exists(), (
        f"{environment} is missing: python3 -m venv {environment} && "
        f"{environment}/bin/pip install -r {EXAMPLE}/requirements.txt"
    )
    generated = shutil.ignore_patterns(".venv", "raw", "report", "*.parquet", "*.duckdb*", "target", "logs")
    copy = Path(shutil.copytree(EXAMPLE, folder / "flights", ignore=generated))
    (copy / ".venv").symlink_to(environment)
    return copy


def pipelines() -> dict[str, Pipeline]:
    """Return the example's pipelines by name."""
    documents = load_documents([EXAMPLE / "pipelines"])
    return {document.name: Pipeline.model_validate(document.body) for document in documents}


@dataclass(frozen=True)
class Step:
    """One attempt of a pipeline's command: how it ended, what it wrote, and the events it sent, in that order."""

    run_id: uuid.UUID
    exit_code: int
    output: str
    events: tuple[RunEvent, ...]
    bodies: tuple[Mapping[str, Any], ...]


@dataclass(frozen=True)
class Receiver:
    """Where events are sent, and the bodies that have come."""

    url: str
    bodies: list[bytes]


@contextmanager
def receiver(status: int = 201) -> Iterator[Receiver]:
    """Give a receiver that keeps every event and answers with the status."""
    bodies: list[bytes] = []

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            assert self.path == "/api/v1/lineage"
            bodies.append(self.rfile.read(int(self.headers["Content-Length"])))
            self.send_response(status)
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, *_: object) -> None:
            """Keep the test's output short."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        try:
            yield Receiver(f"http://127.0.0.1:{server.server_port}", bodies)
        finally:
            server.shutdown()
            thread.join()


def run_step(example: Path, pipeline: Pipeline, receiver: Receiver, partition: str | None = None) -> Step:
    """Start the pipeline's command as the launcher does, with one consumed version, and wait for its end."""
    command = pipeline.spec.launch.command
    versions = [{"version": str(uuid.uuid4()), "partition": partition}]
    attempt = _attempt(pipeline, receiver, orjson.dumps({"versions": versions}))
    launcher = make_launcher(example.parent / "runs", example)
    before = len(receiver.bodies)
    launcher.start(attempt)
    eventually(lambda: isinstance(launcher.ask(attempt.run_id, 1), Exited), seconds=120)
    ended = launcher.ask(attempt.run_id, 1)
    assert isinstance(ended, Exited), command.argv
    output = launcher.output(attempt.run_id, 1)
    bodies = receiver.bodies[before:]
    return Step(
        run_id=attempt.run_id,
        exit_code=ended.code,
        output=(output.head + output.tail).decode(),
        events=tuple(_parsed(body) for body in bodies),
        bodies=tuple(orjson.loads(body) for body in bodies),
    )


def _attempt(pipeline: Pipeline, receiver: Receiver, trigger: bytes) -> Attempt:
    command = pipeline.spec.launch.command
    assert pipeline.spec.job is not None
    return make_attempt(
        *command.argv,
        pipeline=pipeline.name,
        parent_job_name=pipeline.name,
        openlineage_url=receiver.url,
        openlineage_namespace=pipeline.spec.job.namespace,
        working_directory=command.working_directory,
        environment={name: str(value) for name, value in command.environment.items()},
        trigger=trigger,
    )


def _parsed(body: bytes) -> RunEvent:
    received = receive_event(body, Limits())
    event = parse_event(received.body, received.digest)
    assert isinstance(event, RunEvent)
    assert event.notes == ()
    return event
