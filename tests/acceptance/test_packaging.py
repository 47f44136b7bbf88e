"""The distribution: built from this tree, installed where nothing else is, and run from there."""

import json
import os
import re
import shutil
import signal
import subprocess
import sys
import tarfile
import tempfile
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import httpx
import pytest

ROOT = Path(__file__).parents[2]
PACKAGES = ("catalog", "graph", "hooks", "policies", "web")
#: 2026-01-02T03:04:05Z
EPOCH = "1767323045"
SECONDS = 600


@dataclass(frozen=True)
class Built:
    tree: Path
    wheel: Path
    source: Path
    commit: str


def run(*command: str | Path, cwd: Path | None = None, **environment: str) -> str:
    # What runs this test is no part of the environment that it makes.
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("PYTHON", "HEADWATER"))}
    done = subprocess.run(
        command,
        cwd=cwd,
        env=kept | environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=SECONDS,
        check=False,
    )
    assert done.returncode == 0, f"{command}\n{done.stdout}"
    return done.stdout


def packaged_files(root: Path) -> set[str]:
    """Return what of the packages git knows or would take, as the tree stands."""
    listed = run("git", "ls-files", "--cached", "--others", "--exclude-standard", "--", *PACKAGES, cwd=root)
    return {name for name in listed.splitlines() if (root / name).is_file()}


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Built:
    """The source distribution, and the wheel made of it, of a copy of this tree with its history."""
    tree = tmp_path_factory.mktemp("source") / "headwater"
    run("git", "clone", "--quiet", "--depth=1", f"file://{ROOT}", tree)
    for name in run("git", "ls-files", cwd=tree).splitlines():
        (tree / name).unlink()
    listed = run("git", "ls-files", "--cached", "--others", "--exclude-standard", cwd=ROOT)
    for name in listed.splitlines():
        if (ROOT / name).is_file():
            (tree / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(ROOT / name, tree / name)
    commit = run("git", "describe", "--always", "--dirty", "--abbrev=40", "--exclude=*", cwd=tree).strip()
    constraints = {
        "PIP_CONSTRAINT": str(ROOT / "constraints.txt"),
        "PIP_BUILD_CONSTRAINT": str(ROOT / "constraints.txt"),
    }
    run(
        sys.executable,
        "-m",
        "build",
        "--outdir",
        "dist",
        ".",
        cwd=tree,
        SOURCE_DATE_EPOCH=EPOCH,
        **constraints,
    )
    (wheel,) = (tree / "dist").glob("*.whl")
    (source,) = (tree / "dist").glob("*.tar.gz")
    return Built(tree, wheel, source, commit)


def test_the_wheel_holds_the_five_packages_whole_and_nothing_else(built: Built) -> None:
    with zipfile.ZipFile(built.wheel) as wheel:
        names = {name for name in wheel.namelist() if ".dist-info/" not in name}
        entry_points = next(name for name in wheel.namelist() if name.endswith("entry_points.txt"))
        assert "headwater = web.cli:main" in wheel.read(entry_points).decode()
        assert any(name.endswith("/LICENSE") for name in wheel.namelist())
    assert names == packaged_files(built.tree) | {"web/build.json"}
    for needed in ("catalog/ledger.sql", "catalog/embedded/guard.sh", "web/start_page.html"):
        assert needed in names


def test_the_source_distribution_builds_and_knows_its_commit(built: Built) -> None:
    with tarfile.open(built.source) as source:
        names = {name.partition("/")[2] for name in source.getnames()}
        member = source.extractfile(f"{source.getnames()[0].partition('/')[0]}/web/build.json")
        assert member is not None
        data = json.load(member)
    assert packaged_files(built.tree) <= names
    assert {"pyproject.toml", "setup.py", "constraints.txt", "README.md", "LICENSE", "CHANGELOG.md"} <= names
    assert not any(name.startswith(("tests", "benchmarks", "examples")) for name in names)
    # The wheel was made of it, without the repository.
    with zipfile.ZipFile(built.wheel) as wheel:
        assert json.loads(wheel.read("web/build.json")) == data
    assert data == {"commit": built.commit, "built": "2026-01-02T03:04:05+00:00"}


@pytest.fixture(scope="module")
def installed(built: Built, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The programs of an environment in which the wheel was installed, and nothing before it."""
    place = tmp_path_factory.mktemp("installed") / "environment"
    run(sys.executable, "-m", "venv", place)
    pip = [place / "bin" / "python", "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
    run(*pip, "--constraint", ROOT / "constraints.txt", built.wheel)
    run(place / "bin" / "python", "-m", "pip", "check")
    return place / "bin"


def test_the_installed_program_says_what_it_is(installed: Path, built: Built) -> None:
    lines = run(installed / "headwater", "--version").splitlines()
    told = dict(line.rsplit(" ", 1) for line in lines[:3])
    assert re.fullmatch(r"[0-9.]+", told["headwater"])
    assert told["commit"] == built.commit
    assert told["built"] == "2026-01-02T03:04:05+00:00"
    assert f"Python {sys.version_info.major}.{sys.version_info.minor}." in lines[3]
    assert re.fullmatch(r"PostgreSQL client [0-9]+\.[0-9]+ \(psycopg .*\)", lines[4])


@pytest.fixture
def data_dir() -> Iterator[Path]:
    folder = Path(tempfile.mkdtemp(prefix="headwater-installed-"))
    yield folder
    link = folder / "postgresql"
    if link.is_symlink():
        shutil.rmtree(link.resolve(), ignore_errors=True)
    shutil.rmtree(folder)


def test_the_installed_program_reaches_ready(installed: Path, data_dir: Path) -> None:
    # Nothing of this tree is on its path.
    environment = {"PATH": os.environ["PATH"], "HOME": str(data_dir), "LANG": "C.UTF-8"}
    command = [installed / "headwater", "up", "--port", "0", "--data-dir", data_dir]
    with subprocess.Popen(
        command, cwd=data_dir, env=environment, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
    ) as process:
        assert process.stdout is not None
        try:
            ready = process.stdout.readline().split()
            assert ready[0] == "ready"
            # Among the files that must have come along: the start page with its style.
            for path, found in (("/", "Headwater"), ("/readyz", '"ready"'), ("/graphql", "</html>")):
                answer = httpx.get(ready[1] + path, headers={"Accept": "text/html"}, timeout=30)
                assert found in answer.text, path
        finally:
            process.send_signal(signal.SIGTERM)
            process.stdout.read()
    assert process.returncode == 0
