"""The release before this one, as the repository's history has it: its own code, run beside that of this one.

It is the newest tag `v…` before this commit. While there is none, it is the commit before the newest revision of the
schema came: whoever adds a revision has the code that knew nothing of it run on it from then on.
"""

import re
import subprocess
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from catalog.migrations import FOLDER, HEAD

PROJECT = Path(__file__).parent.parent.parent
PACKAGES = ("catalog", "graph", "hooks", "policies", "web")


@dataclass(frozen=True)
class FormerRelease:
    """Its code in a folder, and the newest revision of the schema that it knows."""

    commit: str
    folder: Path

    @property
    def revision(self) -> str:
        text = (self.folder / "catalog" / "migrations" / "__init__.py").read_text("utf-8")
        found = re.search(r'^HEAD = "(\d{4})"$', text, re.MULTILINE)
        assert found is not None, text
        return found[1]

    @property
    def environment(self) -> dict[str, str]:
        """What makes the installed program run its code: these folders come before the installed ones."""
        return {"PYTHONPATH": str(self.folder)}


@cache
def find_former_release() -> str | None:
    """Return the commit of the release before; None where the history does not have it.

    That is so in a shallow clone, and where the source came without its repository.
    """
    if _git("rev-parse", "--show-prefix") != "":
        return None  # not a repository of this project's own
    if tag := _git("describe", "--tags", "--abbrev=0", "--match=v[0-9]*", "HEAD^"):
        return _git("rev-parse", "--verify", f"{tag}^{{commit}}")
    (newest,) = (FOLDER / "versions").glob(f"{HEAD}_*.py")
    added = _git("log", "-1", "--format=%H", "--diff-filter=A", "--no-renames", "--", str(newest))
    if added is None:
        return None
    # A revision that is not committed yet: the last commit knows nothing of it.
    return _git("rev-parse", "--verify", f"{added}^{{commit}}^" if added else "HEAD")


def unpack_former_release(folder: Path) -> FormerRelease:
    """Return the release before, its packages unpacked in the folder."""
    commit = find_former_release()
    assert commit is not None
    archive = folder / "former.tar"
    subprocess.run(
        ["git", "-C", PROJECT, "archive", f"--output={archive}", commit, *PACKAGES], check=True, timeout=60
    )
    subprocess.run(["tar", "-xf", archive, "-C", folder], check=True, timeout=60)
    archive.unlink()
    return FormerRelease(commit, folder)


def _git(*arguments: str) -> str | None:
    """Return what git says; None where it says that there is no such thing, or is not there itself."""
    try:
        done = subprocess.run(
            ["git", "-C", PROJECT, *arguments], capture_output=True, text=True, check=False, timeout=60
        )
    except OSError:
        return None
    return done.stdout.strip() if done.returncode == 0 else None
