"""What a process writes to standard error, seen from outside: its configuration is the whole process's."""

import json
import subprocess
import sys
import textwrap
from pathlib import Path
from typing import Any

import pytest

from catalog.errors import ConfigurationError
from catalog.settings import Settings
from web.logging import configure_logging, without_secrets

PROJECT = Path(__file__).parents[2]
TOKEN = "hwt_" + "Abc-_123" * 6

SCRIPT = """
import logging, structlog
from catalog.settings import Settings
from web.logging import configure_logging
configure_logging(Settings(log_format={form!r}, log_level="info"))
log = structlog.get_logger("ours")
log.info("started", url="postgresql://user:hunter2@db/x", headers={{"Authorization": "Bearer {token}"}}, n=1)
log.debug("never shown")
logging.getLogger("theirs").warning("sent %s with Bearer {token}", "password=hunter2")
logging.getLogger("httpx").info("never shown")
try:
    raise ValueError("cannot reach amqp://guest:hunter2@host/ with {token}")
except ValueError:
    log.exception("failed")
"""


def output(form: str) -> str:
    script = textwrap.dedent(SCRIPT).format(form=form, token=TOKEN)
    run = subprocess.run(
        [sys.executable, "-c", script], cwd=PROJECT, capture_output=True, text=True, check=True
    )
    assert run.stdout == ""
    return run.stderr


def test_off_a_terminal_every_line_is_json_without_secrets() -> None:
    lines = output("auto").splitlines()
    entries: list[dict[str, Any]] = [json.loads(line) for line in lines]
    assert [(entry["logger"], entry["level"], entry["event"].split()[0]) for entry in entries] == [
        ("ours", "info", "started"),
        ("theirs", "warning", "sent"),
        ("ours", "error", "failed"),
    ]
    assert entries[0]["n"] == 1
    assert entries[0]["timestamp"].endswith("Z")
    assert "ValueError: cannot reach amqp://guest:[redacted]@host/" in entries[2]["exception"]
    assert "hunter2" not in str(lines)
    assert TOKEN not in str(lines)


def test_on_the_console_lines_are_for_people_and_without_secrets() -> None:
    text = output("console")
    assert "started" in text
    assert "never shown" not in text
    assert "hunter2" not in text
    assert TOKEN not in text
    assert "Traceback" in text


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("Bearer abcdefghijklmnop", "Bearer [redacted]"),
        ("authorization: bearer abcdefghijklmnop==, x", "authorization: bearer [redacted], x"),
        (f"see {TOKEN}.", "see [redacted]."),
        ("postgresql://u:p@h/d?sslmode=x", "postgresql://u:[redacted]@h/d?sslmode=x"),
        ("host=h password=p", "host=h password=[redacted]"),
        ("a bearer of news", "a bearer of news"),
        ({"token": "x", "api_key": "", "name": "ada"}, {"token": "[redacted]", "api_key": "", "name": "ada"}),
        (
            {"deep": [{"password": 5}, ("a", b"Bearer abcdefghijkl")]},
            {"deep": [{"password": "[redacted]"}, ["a", "Bearer [redacted]"]]},
        ),
        (None, None),
        (5, 5),
    ],
)
def test_secrets_are_found_wherever_they_stand(value: Any, expected: Any) -> None:
    assert without_secrets(value) == expected


@pytest.mark.parametrize("settings", [{"log_format": "xml"}, {"log_level": "loud"}])
def test_a_form_or_level_that_does_not_exist_is_refused(settings: dict[str, str]) -> None:
    with pytest.raises(ConfigurationError, match="expected log_"):
        configure_logging(Settings(**settings))
