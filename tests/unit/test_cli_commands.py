import json
import re
import subprocess
import sys
from pathlib import Path

import pytest
from graphql import build_schema, parse, validate

from web.cli import queries, root, webhook_queries
from web.cli.commands import ADMINISTRATION, COMMANDS, SERVER, CommandEntry
from web.cli.exits import ExitCode
from web.cli.reference import EXIT_CODES, reference

PROJECT = Path(__file__).parents[2]
HEAVY = ["alembic", "fastapi", "procrastinate", "psycopg", "sqlalchemy", "strawberry", "uvicorn"]
CLIENTS = [entry for entry in COMMANDS if entry.panel not in {SERVER, ADMINISTRATION}]

LOADED_BY = """
import json, sys
from web.cli import main
sys.argv = ["headwater", *sys.argv[1:]]
try:
    main()
except SystemExit as end:
    print(json.dumps({"code": end.code, "modules": sorted(sys.modules)}), file=sys.stderr)
"""


def loaded_by(*arguments: str) -> set[str]:
    command = [sys.executable, "-c", LOADED_BY, *arguments]
    done = subprocess.run(command, cwd=PROJECT, capture_output=True, text=True, check=True)
    told = json.loads(done.stderr.splitlines()[-1])
    assert told["code"] in (0, None), done.stdout
    return set(told["modules"])


@pytest.mark.parametrize("entry", COMMANDS, ids=lambda entry: entry.name)
def test_the_table_says_what_the_command_says(entry: CommandEntry) -> None:
    command = entry.load()
    assert command.name == entry.name
    first_sentence = re.match(r".*?[.](?=\s|$)", command.help, re.DOTALL)
    assert first_sentence is not None
    assert first_sentence[0] == entry.summary


def test_help_loads_no_command_and_no_client() -> None:
    modules = loaded_by("--help")
    assert not modules & {*HEAVY, "httpx", "pydantic", "starlette", "structlog"}
    assert not {entry.module for entry in COMMANDS} & modules


def test_clients_load_nothing_of_the_server() -> None:
    loaded = "[entry.load() for entry in COMMANDS if entry.name in sys.argv]"
    told = f"import sys; from web.cli.commands import COMMANDS; {loaded}; print(*sys.modules)"
    command = [sys.executable, "-c", told, *(entry.name for entry in CLIENTS)]
    done = subprocess.run(command, cwd=PROJECT, capture_output=True, text=True, check=True)
    modules = set(done.stdout.split())
    assert {entry.module for entry in CLIENTS} <= modules
    assert not modules & set(HEAVY)


def test_help_is_there_at_once() -> None:
    # What takes long is loading what servers need; a clock would tell of the machine.
    told = (
        "import sys\nfrom web.cli import main\ntry:\n    main()\n"
        "finally:\n    print(*(name for name in sys.modules if '.' not in name), file=sys.stderr)"
    )
    command = [sys.executable, "-c", told, "--help"]
    done = subprocess.run(command, cwd=PROJECT, capture_output=True, check=True, text=True)
    servers = {"alembic", "fastapi", "graphql", "httpx", "procrastinate", "psycopg", "pydantic", "sqlalchemy"}
    servers |= {"starlette", "strawberry", "uvicorn", "websockets"}
    loaded = set(done.stderr.split())
    assert "typer" in loaded
    assert not loaded & servers


def test_every_operation_fits_the_schema() -> None:
    schema = build_schema((PROJECT / "docs/schema.graphql").read_text())
    operations = {
        name: text
        for module in (queries, webhook_queries)
        for name, text in vars(module).items()
        if name.isupper() and not name.startswith("_")
    }
    assert len(operations) > 10
    faults = {
        name: [error.message for error in found]
        for name, text in operations.items()
        if (found := validate(schema, parse(text)))
    }
    assert not faults


def test_the_page_in_the_documentation_is_current() -> None:
    page = PROJECT / "docs/cli.md"
    assert page.read_text() == reference(), "run: python -m web.cli.reference > docs/cli.md"


def test_the_page_tells_every_exit_code_and_every_command() -> None:
    assert set(EXIT_CODES) == set(ExitCode)
    page = reference()
    for entry in COMMANDS:
        assert f"### `headwater {entry.name}`" in page


def test_names_of_commands_are_unique() -> None:
    assert len(root().commands) == len(COMMANDS)
