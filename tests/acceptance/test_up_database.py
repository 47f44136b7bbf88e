"""`headwater migrate`, `headwater up` on a database of the user's own, and `--stop-runs`."""

import os
import signal
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from benchmarks.events import complete_event
from benchmarks.server import HEADWATER, Server, pipeline, start_server, stop_server, temporary_folder
from catalog.migrations import HEAD
from tests.services.postgresql import connect
from tests.support.processes import post, wait_for_lines

INPUT = {"namespace": "benchmark", "name": "input"}


@pytest.fixture
def folder() -> Iterator[Path]:
    with temporary_folder() as found:
        yield found


def revision(url: str) -> object:
    with connect(url) as connection:
        return connection.execute("SELECT version_num FROM alembic_version").fetchone()


def test_migrate_gives_a_database_its_schema_and_repeats_without_harm(empty_database: str) -> None:
    with tempfile.TemporaryDirectory() as data_dir:
        environment = {
            **os.environ,
            "HEADWATER_DATABASE_URL": empty_database,
            "HEADWATER_DATA_DIR": data_dir,
        }
        for _ in range(2):
            done = subprocess.run(
                [str(HEADWATER), "migrate"],
                env=environment,
                capture_output=True,
                text=True,
                timeout=60,
                check=False,
            )
            assert done.returncode == 0, done.stderr
            assert revision(empty_database) == (HEAD,)


def test_up_uses_the_database_that_it_is_given(empty_database: str, folder: Path) -> None:
    server = start_server(folder, HEADWATER_DATABASE_URL=empty_database)
    try:
        assert post(server.port, "/api/v1/lineage", complete_event("input")) == 201
        assert "postgres" not in {process.name() for process in server.processes()}
    finally:
        stop_server(server)
    assert not (folder / "postgresql").exists()
    assert revision(empty_database) == (HEAD,)
    with connect(empty_database) as connection:
        assert connection.execute("SELECT count(*) FROM fact").fetchone() == (1,)


def test_stop_runs_ends_running_commands(empty_database: str, folder: Path) -> None:
    out = folder / "pid.txt"
    script = f'echo $$ > "{out}"; exec sleep 300'
    # A program of its own, because `start_server` starts `up` as most people do.
    with (folder / "log").open("wb") as log:
        process = subprocess.Popen(
            [
                str(HEADWATER),
                "up",
                "--data-dir",
                str(folder),
                "--port",
                "0",
                "--stop-runs",
                "--allow-commands",
                str(folder),
            ],
            env={**os.environ, "HEADWATER_DATABASE_URL": empty_database},
            stdout=subprocess.PIPE,
            stderr=log,
            text=True,
        )
    try:
        assert process.stdout is not None
        url = process.stdout.readline().split()[1]
        server = Server(url, folder, process, 0.0)
        server.apply(pipeline("slow", INPUT, ["sh", "-c", script]))
        assert post(server.port, "/api/v1/lineage", complete_event("input")) == 201
        wait_for_lines(out, 1, 20)
        command = psutil.Process(int(out.read_text("ascii")))
        process.send_signal(signal.SIGTERM)
        process.communicate(timeout=20)
        psutil.wait_procs([command], timeout=2)
        assert not command.is_running()
    finally:
        process.kill()
        process.communicate()
