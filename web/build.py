"""What this program was built from: written into the package by the build, asked of git in a source tree."""

import json
import subprocess
from dataclasses import dataclass
from pathlib import Path

#: Written by `setup.py`; a source tree has none.
BUILD_FILE = Path(__file__).with_name("build.json")
_TREE = Path(__file__).parent.parent
GIT_SECONDS = 5


@dataclass(frozen=True, slots=True)
class Build:
    """The commit, with `-dirty` at its end where files differed from it, and the instant of the build (RFC 3339)."""

    commit: str | None
    built: str | None


def build() -> Build:
    """Return what is known; nothing of it is where neither a build nor a repository tells."""
    try:
        found = json.loads(BUILD_FILE.read_bytes())
    except FileNotFoundError:
        return Build(_commit_of_tree(), None)
    return Build(found["commit"], found["built"])


def _commit_of_tree() -> str | None:
    # Another repository may lie around an installed package.
    if not (_TREE / ".git").exists():
        return None
    command = ["git", "-C", str(_TREE), "describe", "--always", "--dirty", "--abbrev=40", "--exclude=*"]
    try:
        done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=GIT_SECONDS)
    except (OSError, subprocess.TimeoutExpired):
        return None
    return done.stdout.strip() or None
