"""Where the cluster and its sockets are: chosen so that paths are short, private and nobody else's."""

import hashlib
import os
import secrets
import shutil
import stat
import tempfile
from dataclasses import dataclass
from pathlib import Path

from catalog.embedded.account import STATE_FOLDER, ServerAccount
from catalog.embedded.binaries import make_state_folder
from catalog.errors import ConfigurationError

#: Clusters of a Headwater that runs as root; the folder belongs to the dedicated user.
ROOT_CLUSTERS = STATE_FOLDER / "postgresql"
SOCKET_PORT = 5432
#: Longest path of a socket in bytes: macOS has room for 103, Linux for 107.
SOCKET_PATH_BYTES = 100


@dataclass(frozen=True, slots=True)
class ClusterPlace:
    """The folder of a cluster, and what is needed to make it there at one stroke."""

    cluster: Path
    #: Begins the name of every unfinished cluster of this data folder.
    stem: str
    #: Symbolic link in the data folder that is to lead to the cluster; none where that is settled.
    link: Path | None

    @property
    def exists(self) -> bool:
        """Whether the cluster was made."""
        return (self.cluster / "PG_VERSION").is_file()

    def unfinished(self) -> Path:
        """Return a new name beside the cluster, under which it can be made and then renamed."""
        return self.cluster.with_name(f"{self.stem}.new-{secrets.token_hex(4)}")

    def remove_unfinished(self) -> None:
        """Remove what kills left of clusters in the making; only the holder of the data folder may do so."""
        for unfinished in self.cluster.parent.glob(f"{self.stem}.new-*"):
            # An initdb that outlived its Headwater may still write there; what it leaves goes next time.
            shutil.rmtree(unfinished, ignore_errors=True)

    def settle(self) -> None:
        """Let the data folder lead to the cluster, which exists."""
        if self.link is not None:
            _plan(self.link).rename(self.link)
            sync_folder(self.link.parent)


def digest(path: Path) -> str:
    """Return 16 hexadecimal digits that stand for the real path."""
    return hashlib.sha256(os.fsencode(path.resolve())).hexdigest()[:16]


def cluster_place(data_dir: Path, account: ServerAccount) -> ClusterPlace:
    """Return where the cluster of the data folder is or will be.

    Raises `ConfigurationError` where another user's cluster is there, or where a link leads nowhere: then the
    data is elsewhere (a disk not mounted, a machine left behind), and an empty catalog would hide that.
    """
    entry = data_dir / "postgresql"
    status = _status(entry, account)
    if entry.is_symlink() and status is None:
        raise ConfigurationError(
            f"{entry} leads to {entry.readlink()}, which does not exist: bring it back, "
            "or remove the link to start with an empty catalog"
        )
    if status is not None:
        _check_owner(entry, status, account)
    cluster = entry.resolve()
    if not account.dedicated:
        return ClusterPlace(cluster, cluster.name, None)
    stem = digest(data_dir)
    if status is not None:
        return ClusterPlace(cluster, stem, None)
    _make_root_clusters(account)
    return ClusterPlace(_planned_cluster(entry, stem), stem, entry)


def _plan(link: Path) -> Path:
    return link.with_name(f"{link.name}.new")


def _planned_cluster(link: Path, stem: str) -> Path:
    """Return where the first start makes the cluster; noted down, so that one after a kill goes on there."""
    plan = _plan(link)
    if plan.is_symlink() and plan.lstat().st_uid == 0 and plan.readlink().parent == ROOT_CLUSTERS:
        return plan.readlink()
    plan.unlink(missing_ok=True)
    # The random part keeps a new folder from meeting the cluster of a removed one of the same path.
    cluster = ROOT_CLUSTERS / f"{stem}-{secrets.token_hex(4)}"
    plan.symlink_to(cluster)
    return cluster


def kept_clusters(data_dir: Path) -> list[Path]:
    """Return the clusters in the data folder that an upgrade replaced, or was about to."""
    return sorted(found for found in data_dir.glob("postgresql-*") if (found / "PG_VERSION").is_file())


def refuse_beside_kept(data_dir: Path) -> None:
    """Return if an empty cluster may be made; raise `ConfigurationError` where it would hide what an upgrade kept."""
    kept = kept_clusters(data_dir)
    if kept:
        raise ConfigurationError(
            f"expected a database in {data_dir / 'postgresql'}, found none but {kept[-1]}: an upgrade was interrupted,"
            " so run `headwater upgrade-database` again; or move that away to start with an empty catalog"
        )


def sync_folder(folder: Path) -> None:
    """Have the names in the folder on disk."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _status(entry: Path, account: ServerAccount) -> os.stat_result | None:
    try:
        return entry.stat()
    except FileNotFoundError:
        return None
    except PermissionError as exc:
        raise _of_another_user(entry, account) from exc


def _of_another_user(entry: Path, account: ServerAccount) -> ConfigurationError:
    return ConfigurationError(
        f"expected the database in {entry} to be one that this user made and {account.name} owns, "
        "found another user's: run Headwater as that user, or choose another --data-dir"
    )


def _check_owner(entry: Path, status: os.stat_result, account: ServerAccount) -> None:
    planted = account.dedicated and (not entry.is_symlink() or entry.lstat().st_uid != 0)
    if status.st_uid != account.uid or planted:
        raise _of_another_user(entry, account)
    if not (entry / "PG_VERSION").is_file() and any(entry.iterdir()):
        raise ConfigurationError(f"{entry} is not empty and holds no PostgreSQL cluster; move it away")


def _make_root_clusters(account: ServerAccount) -> None:
    make_state_folder()
    ROOT_CLUSTERS.mkdir(mode=0o700, exist_ok=True)
    status = ROOT_CLUSTERS.lstat()
    if not stat.S_ISDIR(status.st_mode) or status.st_uid not in {0, account.uid}:
        raise ConfigurationError(f"expected {ROOT_CLUSTERS} to be a folder of {account.name}")
    if status.st_uid == 0:
        os.chown(ROOT_CLUSTERS, account.uid, account.gid, follow_symlinks=False)


def socket_folder(cluster: Path, account: ServerAccount) -> Path:
    """Return the path of the folder for the sockets of the cluster, short enough for every platform.

    The user folder of a login session (`XDG_RUNTIME_DIR`) comes after the temporary folder, because it is
    removed when the session ends, and Headwater may go on.
    """
    name = f"headwater-{os.geteuid()}-{digest(cluster)}"
    shared = ["/run", "/var/run", "/tmp"]  # noqa: S108 - the folder in it is private and checked
    own = [tempfile.gettempdir(), "/tmp", os.environ.get("XDG_RUNTIME_DIR", "")]  # noqa: S108 - the same
    for base in map(Path, shared if account.dedicated else own):
        folder = base / name
        socket = os.fsencode(folder / f".s.PGSQL.{SOCKET_PORT}")
        # A comma separates hosts for libpq and folders for the server.
        if len(socket) <= SOCKET_PATH_BYTES and b"," not in socket and _trustworthy(base):
            return folder
    raise ConfigurationError(
        "found no folder for sockets: expected /tmp, TMPDIR or XDG_RUNTIME_DIR (as root /run) to be "
        "writable, and either sticky or closed to others"
    )


def _trustworthy(base: Path) -> bool:
    """Say whether nobody else can replace what we make in the folder."""
    try:
        status = base.stat()
    except OSError:
        return False
    open_to_all = status.st_mode & 0o022 and not status.st_mode & stat.S_ISVTX
    return (
        base.is_absolute()
        and stat.S_ISDIR(status.st_mode)
        and status.st_uid in {0, os.geteuid()}
        and not open_to_all
        and os.access(base, os.W_OK | os.X_OK)
    )


def make_socket_folder(folder: Path, account: ServerAccount) -> None:
    """Make the folder (0700, the server account's); refuse one that somebody else planted."""
    try:
        folder.mkdir(mode=0o700)
    except FileExistsError:
        status = folder.lstat()
        mine = status.st_uid in ({0, account.uid} if account.dedicated else {account.uid})
        if not stat.S_ISDIR(status.st_mode) or not mine or status.st_mode & 0o077:
            raise ConfigurationError(
                f"expected {folder} to be a folder of {account.name} with mode 0700, found "
                f"{stat.filemode(status.st_mode)} of user id {status.st_uid}: somebody else's; remove it"
            ) from None
    if account.dedicated:
        os.chown(folder, account.uid, account.gid, follow_symlinks=False)
