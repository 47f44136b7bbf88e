"""What the build adds to the package: web/build.json, with the commit and the instant of the build.

Everything else is declared in pyproject.toml. The instant is SOURCE_DATE_EPOCH where it is set, so that the same source
and the same SOURCE_DATE_EPOCH make the same wheel. SOURCE_COMMIT names the commit where the source comes without its
repository, as in an image's build.
"""

import datetime as dt
import json
import os
import subprocess
from pathlib import Path

from setuptools import setup
from setuptools.command.build_py import build_py
from setuptools.command.sdist import sdist

TREE = Path(__file__).parent
BUILD_FILE = Path("web") / "build.json"


def commit() -> str | None:
    """Return SOURCE_COMMIT where it is set, else the commit of the source tree, None where it is no repository."""
    if told := os.environ.get("SOURCE_COMMIT"):
        return told
    if not (TREE / ".git").exists():
        return None
    command = ["git", "-C", str(TREE), "describe", "--always", "--dirty", "--abbrev=40", "--exclude=*"]
    try:
        done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=30)
    except OSError:
        return None
    return done.stdout.strip() or None


def write_build(root: Path) -> None:
    """Write the file below the folder, unless the source came with one: a source distribution knows its commit."""
    epoch = os.environ.get("SOURCE_DATE_EPOCH")
    now = dt.datetime.now(dt.UTC) if epoch is None else dt.datetime.fromtimestamp(int(epoch), dt.UTC)
    given = TREE / BUILD_FILE
    known = json.loads(given.read_bytes())["commit"] if given.exists() else commit()
    target = root / BUILD_FILE
    target.parent.mkdir(parents=True, exist_ok=True)
    target.unlink(missing_ok=True)  # it may be a link to that of the source
    target.write_text(json.dumps({"commit": known, "built": now.isoformat(timespec="seconds")}) + "\n")


class BuildWithData(build_py):
    """Builds the packages with the file in them; an editable install has none and asks git instead."""

    def run(self) -> None:
        """Build."""
        super().run()
        if not self.editable_mode:
            write_build(Path(self.build_lib))


class SourceWithData(sdist):
    """Makes the source distribution with the file in it."""

    def make_release_tree(self, base_dir: str, files: list[str]) -> None:
        """Lay the tree out."""
        super().make_release_tree(base_dir, files)
        write_build(Path(base_dir))


setup(cmdclass={"build_py": BuildWithData, "sdist": SourceWithData})
