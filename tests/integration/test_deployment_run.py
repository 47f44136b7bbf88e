"""What docker-compose.yml starts, here without containers: its secrets, commands, settings and health checks."""

import os
import re
import shutil
import stat
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest
import yaml

from tests.support.command_line import PROGRAM, CommandLine, clean_environment, pipeline_yaml, running_process
from tests.support.processes import free_port

ROOT = Path(__file__).parents[2]
SERVICES: dict[str, Any] = yaml.safe_load((ROOT / "docker-compose.yml").read_text())["services"]


@pytest.fixture
def secrets(tmp_path: Path) -> Path:
    """The folder that `make secrets` makes."""
    shutil.copy(ROOT / "deploy" / "make-secrets", tmp_path / "make-secrets")
    subprocess.run([tmp_path / "make-secrets"], check=True, capture_output=True)
    return tmp_path / "secrets"


def test_secrets_are_random_kept_and_for_their_owner(secrets: Path) -> None:
    made = {path.name: path.read_text() for path in secrets.iterdir()}
    assert set(made) == {"postgresql-password", "database-url", "admin-token", "run-token", "neo4j-auth"}
    assert stat.S_IMODE(secrets.stat().st_mode) == 0o700
    assert re.fullmatch(r"[A-Za-z0-9]{40}", made["postgresql-password"])
    assert made["postgresql-password"] in made["database-url"]
    for name in ("admin-token", "run-token"):
        assert re.fullmatch(r"hwt_[A-Za-z0-9]{43}\n", made[name])
    assert len({*made.values()}) == len(made)
    # What is there stays.
    (secrets / "run-token").unlink()
    told = subprocess.run(
        [secrets.parent / "make-secrets"], check=True, capture_output=True, text=True
    ).stdout
    again = {path.name: path.read_text() for path in secrets.iterdir()}
    assert told.count("is there") == 4
    assert {name for name in made if made[name] != again[name]} == {"run-token"}


def environment_of(service: str, secrets: Path, **more: str) -> dict[str, str]:
    """The variables that compose gives the service, where nobody set those that it would pass on."""
    found = {}
    for name, value in SERVICES[service]["environment"].items():
        plain = re.sub(r"\$\{\w+:-([^}]*)\}", r"\1", value)
        found[name] = plain.replace("/run/secrets", str(secrets))
    image = {"HEADWATER_HOST": "0.0.0.0", "HEADWATER_LOG_FORMAT": "json"}  # noqa: S104 - as the image says
    return clean_environment(secrets.parent, **(image | found | more))


def probe(question: str, environment: dict[str, str]) -> tuple[int, str]:
    done = subprocess.run(
        [sys.executable, "-W", "error", "-m", "web.probe", question],
        cwd=ROOT,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
        timeout=30,
    )
    return done.returncode, done.stdout + done.stderr


@contextmanager
def composed(secrets: Path) -> Iterator[tuple[str, dict[str, str], dict[str, str]]]:
    """Start web and worker as compose does; yield the URL and their variables."""
    port = str(free_port())
    folder = secrets.parent
    for name in ("web", "worker"):
        (folder / name).mkdir()
    web = environment_of("web", secrets, HEADWATER_PORT=port, HEADWATER_DATA_DIR=str(folder / "web"))
    url = f"http://127.0.0.1:{port}"
    worker = environment_of(
        "worker",
        secrets,
        HEADWATER_DATA_DIR=str(folder / "worker"),
        HEADWATER_PUBLIC_URL=url,
        HEADWATER_ALLOW_COMMANDS=f'["{folder}"]',
    )
    with (
        running_process(SERVICES["web"]["command"], web, folder / "serve.log"),
        running_process(SERVICES["worker"]["command"], worker, folder / "worker.log"),
    ):
        yield url, web, worker


def test_what_compose_starts_works(secrets: Path, database_url: str, tmp_path: Path) -> None:
    (secrets / "database-url").unlink()
    (secrets / "database-url").write_text(database_url + "\n")
    migrate = environment_of("migrate", secrets)
    script = SERVICES["migrate"]["command"][0].replace("/run/secrets", str(secrets))
    script = re.sub(r"^headwater ", f"{PROGRAM} ", script, flags=re.MULTILINE)
    for _ in range(2):  # the second time it changes nothing
        done = subprocess.run(
            [*SERVICES["migrate"]["entrypoint"], script],
            env=migrate,
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, done
        assert "hwt_" not in done.stdout + done.stderr

    for question in ("live", "ready", "worker"):
        early = environment_of(
            "web", secrets, HEADWATER_DATA_DIR=str(tmp_path / "nothing"), HEADWATER_PORT="1"
        )
        code, told = probe(question, early)
        assert (code, "Traceback" in told) == (1, False), told
    with composed(secrets) as (url, web, worker):
        assert probe("live", web)[0] == 0
        code, told = probe("ready", web)
        assert (code, '"ready"' in told) == (0, True), told
        eventually(lambda: probe("worker", worker)[0] == 0)
        # From outside nothing is open without a token; a worker asks by the name of the service.
        assert httpx.get(f"{url}/readyz", headers={"Host": "web:8642"}).status_code == 401
        assert httpx.get(f"{url}/readyz", headers={"Host": "elsewhere"}).status_code == 421

        token = environment_of("migrate", secrets, HEADWATER_TOKEN_FILE=str(secrets / "admin-token"))
        del token["HEADWATER_DATABASE_URL_FILE"]
        headwater = CommandLine(
            token | {"HEADWATER_URL": url, "HEADWATER_DATA_DIR": str(tmp_path / "nobody")}
        )
        script = "import os, sys; sys.exit(not os.environ['OPENLINEAGE_API_KEY'].startswith('hwt_'))"
        (tmp_path / "p.yaml").write_text(pipeline_yaml("p", "raw", sys.executable, "-c", script))
        headwater.done("apply", "-f", str(tmp_path / "p.yaml"))
        # The run has the token that it reports with.
        headwater.done("trigger", "p", "--wait")

    assert probe("live", web)[0] == 1
    assert probe("ready", web)[0] == 1
    os.utime(tmp_path / "worker" / "worker-alive", (time.time() - 60, time.time() - 60))
    assert probe("worker", worker)[0] == 1
    assert probe("anything", web)[0] == 2


def eventually(holds: Any) -> None:
    deadline = time.monotonic() + 30
    while not holds():
        assert time.monotonic() < deadline
        time.sleep(0.2)


def test_a_worker_that_waits_for_its_database_is_alive(tmp_path: Path) -> None:
    environment = clean_environment(tmp_path, HEADWATER_DATABASE_URL="postgresql://127.0.0.1:1/x")
    with running_process(["worker"], environment, tmp_path / "worker.log"):
        eventually(lambda: probe("worker", environment)[0] == 0)
