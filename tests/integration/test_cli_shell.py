"""What a shell and a reader of manuals get: completion of real commands, a manual page, version and build."""

import re
import subprocess
from pathlib import Path

import pytest

from catalog.setting_sources import variable_of
from catalog.settings import Settings
from tests.support.command_line import PROGRAM, CommandLine, clean_environment
from web.cli.commands import COMMANDS


@pytest.fixture
def headwater(tmp_path: Path) -> CommandLine:
    return CommandLine(clean_environment(tmp_path))


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        (["headwater", "why"], {"why", "why-not"}),
        (["headwater", "runs", "can"], {"cancel"}),
        (["headwater", "runs", "list", "--sta"], {"--state"}),
        (["headwater", "runs", "list", "--state", "r"], {"running", "retrying"}),
        (["headwater", "log-level", "de"], {"debug"}),
        (["headwater", "nothing-of-the-kind", "x"], set()),
    ],
)
def test_bash_completes_commands_options_and_their_values(
    headwater: CommandLine, words: list[str], expected: set[str]
) -> None:
    script = headwater.done("--show-completion", "bash").out
    asked = f"""
        {script}
        COMP_WORDS=({" ".join(words)})
        COMP_CWORD={len(words) - 1}
        _headwater_completion {PROGRAM}
        printf '%s\\n' "${{COMPREPLY[@]}}"
    """
    done = subprocess.run(
        ["bash", "-c", asked],
        env=headwater.environment,
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    )
    assert set(done.stdout.split()) == expected, done.stderr


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_completion_is_there_for_each_shell(headwater: CommandLine, shell: str) -> None:
    assert "_HEADWATER_COMPLETE" in headwater.done("--show-completion", shell).out


def test_the_manual_page_tells_every_command_and_setting(headwater: CommandLine) -> None:
    page = headwater.done("man").out
    assert page.startswith('.TH HEADWATER 1 ""')
    for entry in COMMANDS:
        assert f".SS headwater {entry.name}".replace("-", "\\-") in page
    for name in Settings.model_fields:
        assert variable_of(Settings, name) in page
    sections = re.findall(r"^\.SH (.*)$", page, re.MULTILINE)
    assert sections[:4] == ["NAME", "SYNOPSIS", "DESCRIPTION", "OPTIONS"]
    assert sections[-3:] == ["EXIT STATUS", "ENVIRONMENT", "FILES"]
    # A line that begins like a request is one that was meant, and nothing is left of Markdown.
    requests = set(re.findall(r"^[.'](\S*)", page, re.MULTILINE))
    assert requests == {"TH", "SH", "SS", "B", "PP", "TP"}
    assert "`" not in page


def test_the_version_tells_the_build(headwater: CommandLine) -> None:
    lines = headwater.done("--version").out.splitlines()
    assert lines[0].startswith("headwater ")
    assert [line.split()[0] for line in lines] == [
        "headwater",
        "commit",
        "built",
        "Python",
        "PostgreSQL",
        "PostgreSQL",
    ]
