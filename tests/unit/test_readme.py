"""What the documentation shows and names is there."""

import re
from pathlib import Path

import pytest

from catalog.documents.loading import load_text
from tests.support.readme_example import PIPELINE

PROJECT = Path(__file__).parents[2]
README = (PROJECT / "README.md").read_text("utf-8")
LINK = re.compile(r"\[[^\]]*\]\(([^)\s]+)\)")
NAMED = re.compile(r"`([^`\s]+)`")
PAGES = [
    "README.md",
    "CONTRIBUTING.md",
    "deploy/README.md",
    "examples/flights/README.md",
    "examples/http/README.md",
    "examples/airflow/README.md",
    *sorted(str(page.relative_to(PROJECT)) for page in (PROJECT / "docs").rglob("*.md")),
]


def test_the_pipeline_of_the_readme_is_a_valid_document() -> None:
    (text,) = PIPELINE.findall(README)
    (document,) = load_text(text, "README.md")
    assert (document.kind, document.name) == ("Pipeline", "daily_delays")


@pytest.mark.parametrize("page", PAGES)
def test_every_relative_link_leads_somewhere(page: str) -> None:
    file = PROJECT / page
    links = [link.partition("#")[0] for link in LINK.findall(file.read_text("utf-8")) if "://" not in link]
    assert [link for link in links if link and not (file.parent / link).exists()] == []


def test_the_readme_has_links() -> None:
    assert "docs/cli.md" in LINK.findall(README)


def test_every_law_names_tests_that_exist() -> None:
    rows = [
        row for row in (PROJECT / "docs/laws.md").read_text("utf-8").splitlines() if re.match(r"\| \d", row)
    ]
    assert len(rows) == 10
    missing = []
    for row in rows:
        paths = [name for name in NAMED.findall(row) if "/" in name]
        assert paths or "comes with" in row, row
        missing += [path for path in paths if not (PROJECT / path).exists()]
    assert missing == []


def test_every_path_in_the_way_through_the_code_exists() -> None:
    names = NAMED.findall((PROJECT / "CONTRIBUTING.md").read_text("utf-8"))
    paths = [name for name in names if "/" in name and not name.startswith(("..", "--"))]
    assert len(paths) > 10
    assert [path for path in paths if not (PROJECT / path).exists()] == []


def test_the_commands_of_the_readme_are_targets_of_the_makefile() -> None:
    targets = set(re.findall(r"^([a-z-]+):", (PROJECT / "Makefile").read_text("utf-8"), re.MULTILINE))
    (block,) = re.findall(r"## Two commands\n\n```sh\n(.*?)```", README, re.DOTALL)
    commands = re.findall(r"^make ([a-z-]+)", block, re.MULTILINE)
    assert len(commands) == 2
    assert set(re.findall(r"make ([a-z-]+)", README)) <= targets
