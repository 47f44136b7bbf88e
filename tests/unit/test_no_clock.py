"""Time is an argument: what decides has no way to ask for it, and nothing that differs from one run to the next."""

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

PROJECT = Path(__file__).parents[2]
DECIDING = sorted([*(PROJECT / "policies").rglob("*.py"), *(PROJECT / "hooks/deciding").rglob("*.py")])
STATEMENTS = sorted((PROJECT / "hooks/deciding").rglob("*.sql"))

#: Modules with nothing in them that a decision may use.
MODULES = {"time", "random", "secrets", "socket"}
#: Functions of modules that it may use, whatever name the module or class has there.
FUNCTIONS = {
    *("now", "utcnow", "today", "monotonic", "monotonic_ns", "perf_counter", "perf_counter_ns", "time_ns"),
    *("urandom", "getrandom", "uuid1", "uuid4", "uuid6", "uuid7"),
}
SQL_CLOCKS = re.compile(
    r"\b(now\s*\(|current_(date|time|timestamp)\b|local(time|timestamp)\b"
    r"|(clock|statement|transaction)_timestamp\s*\(|timeofday\s*\(|random\s*\(|gen_random_uuid\s*\(|uuidv[47]\s*\()",
    re.IGNORECASE,
)


def unforeseeable(source: str) -> Iterator[str]:
    """Yield what of the source asks for the time or for chance."""
    for node in ast.walk(ast.parse(source)):
        match node:
            case ast.Import(names=names):
                yield from (name.name for name in names if name.name.split(".")[0] in MODULES)
            case ast.ImportFrom(module=str(module), names=names):
                if module.split(".")[0] in MODULES:
                    yield module
                yield from (name.name for name in names if name.name in FUNCTIONS)
            case ast.Attribute(attr=name) if name in FUNCTIONS:
                yield name
            case ast.Constant(value=str(text)) if found := SQL_CLOCKS.search(text):
                yield found[0]
            case _:
                pass


@pytest.mark.parametrize("file", DECIDING, ids=lambda file: str(file.relative_to(PROJECT)))
def test_what_decides_reads_no_clock_and_draws_no_lots(file: Path) -> None:
    assert list(unforeseeable(file.read_text("utf-8"))) == []


@pytest.mark.parametrize("file", STATEMENTS, ids=lambda file: str(file.relative_to(PROJECT)))
def test_statements_of_deciding_read_no_clock(file: Path) -> None:
    assert SQL_CLOCKS.findall(re.sub(r"--.*", "", file.read_text("utf-8"))) == []


def test_there_is_something_to_look_at() -> None:
    assert len(DECIDING) > 10
    assert STATEMENTS


@pytest.mark.parametrize(
    "source",
    [
        "import datetime as dt\ndt.datetime.now(dt.UTC)",
        "from datetime import datetime\ndatetime.utcnow()",
        "import datetime\nread = datetime.date.today",
        "import time",
        "from time import monotonic as clock",
        "import random\nrandom.random()",
        "import uuid\nuuid.uuid4()",
        "import os\nos.urandom(8)",
        "QUERY = 'SELECT now()'",
    ],
)
def test_every_way_to_ask_is_found(source: str) -> None:
    assert list(unforeseeable(source)) != []


def test_an_instant_that_was_given_is_no_clock() -> None:
    source = (
        "import datetime as dt\ndef later(at: dt.datetime) -> dt.datetime:\n    return at + dt.timedelta(1)"
    )
    assert list(unforeseeable(source)) == []
