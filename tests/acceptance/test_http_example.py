"""`examples/http` as its page says: the engine, `headwater up`, and the commands in a third shell."""

import os
import re
import shlex
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from benchmarks.server import start_server, stop_server
from tests.services.postgresql import temporary_data_folder
from tests.support.command_line import CommandLine

FOLDER = Path(__file__).parents[2] / "examples" / "http"
SECRET = "tell-nobody"


@pytest.fixture
def engine() -> Iterator[tuple[str, "subprocess.Popen[str]"]]:
    environment = {**os.environ, "HEADWATER_SECRET_ENGINE": SECRET}
    command = [sys.executable, str(FOLDER / "engine.py"), "0"]
    with subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        yield process.stdout.readline().split()[1], process
        process.terminate()


def commands() -> list[list[str]]:
    blocks = re.findall(r"```sh\n(.*?)```", (FOLDER / "README.md").read_text("utf-8"), re.DOTALL)
    return [shlex.split(line)[1:] for line in blocks[-1].splitlines()]


@pytest.mark.timeout(180)
def test_the_example_works_as_its_page_says(
    engine: tuple[str, "subprocess.Popen[str]"], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    url, process = engine
    text = (FOLDER / "pipeline.yaml").read_text("utf-8")
    assert text.count("http://127.0.0.1:8700") == 3
    document = tmp_path / "pipeline.yaml"
    document.write_text(text.replace("http://127.0.0.1:8700", url))
    monkeypatch.setenv("HEADWATER_SECRET_ENGINE", SECRET)
    with temporary_data_folder() as folder:
        server = start_server(folder)
        try:
            headwater = CommandLine({**os.environ, "HEADWATER_DATA_DIR": str(folder)})
            apply, emit, *asking = commands()
            assert apply == ["apply", "-f", "pipeline.yaml"]
            headwater.done("apply", "-f", str(document))
            headwater.done(*emit)
            deadline = time.monotonic() + 60
            while (run := headwater.done("runs", "show", "orders_report/1", "--json").json)["state"] not in (
                "SUCCEEDED",
                "FAILED",
                "LOST",
                "TIMED_OUT",
            ):
                assert time.monotonic() < deadline, run
                time.sleep(0.2)
            assert (run["state"], run["reason"]) == (
                "SUCCEEDED",
                "state SUCCESS: run 1 of orders_report",
            )
            told = [headwater.done(*command).out for command in asking]
        finally:
            stop_server(server)
    assert "succeeded" in told[0]
    assert url in told[1]
    assert "answered 200" in told[2]
    assert SECRET not in "".join(told)
    process.terminate()
    assert process.stdout is not None
    assert process.stdout.read().count("started") == 1
