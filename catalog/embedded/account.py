"""The operating system account that PostgreSQL runs as: our own, or a dedicated one when we are root."""

import os
import pwd
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from catalog.errors import ConfigurationError

DEDICATED_NAME = "headwater"
#: Folder of clusters and copied binaries when Headwater runs as root; it belongs to root.
STATE_FOLDER = Path("/var/lib/headwater")

INSTEAD = "run Headwater as an ordinary user, or set HEADWATER_DATABASE_URL to use another PostgreSQL"


@dataclass(frozen=True, slots=True)
class ServerAccount:
    """The user and group that own the cluster and its processes."""

    name: str
    uid: int
    gid: int
    #: True when we are root and the server is not.
    dedicated: bool

    def popen(
        self,
        command: Sequence[str],
        *,
        stdin: int | IO[bytes] = subprocess.DEVNULL,
        output: int | IO[bytes] = subprocess.DEVNULL,
        environment: dict[str, str] | None = None,
    ) -> subprocess.Popen[bytes]:
        """Start the command as this account, in a session of its own, with a clean environment.

        The session keeps Ctrl-C and the end of the terminal away; the environment keeps `PG…` variables away.
        """
        clean = {"PATH": os.defpath, "LC_ALL": "C", "TZ": "UTC"}
        if "LD_LIBRARY_PATH" in os.environ:
            clean["LD_LIBRARY_PATH"] = os.environ["LD_LIBRARY_PATH"]
        try:
            return subprocess.Popen(
                list(command),
                stdin=stdin,
                stdout=output,
                stderr=subprocess.STDOUT,
                cwd="/",
                env=clean | (environment or {}),
                start_new_session=True,
                umask=0o077,
                user=self.uid if self.dedicated else None,
                group=self.gid if self.dedicated else None,
                extra_groups=[] if self.dedicated else None,
            )
        except OSError as exc:
            message = f"cannot run {command[0]} as user {self.name}: {exc.strerror}; {INSTEAD}"
            raise ConfigurationError(message) from exc


def user_name(uid: int) -> str:
    """Return the name of the user; raise `ConfigurationError` where it has none, as a client needs one."""
    try:
        return pwd.getpwuid(uid).pw_name
    except KeyError:
        message = (
            f"the user id {uid} has no name on this machine, and the embedded PostgreSQL needs one; {INSTEAD}"
        )
        raise ConfigurationError(message) from None


def server_account() -> ServerAccount:
    """Return the account to run PostgreSQL as; as root the user `headwater` exists afterwards."""
    uid = os.geteuid()
    if uid != 0:
        return ServerAccount(user_name(uid), uid, os.getegid(), dedicated=False)
    try:
        entry = pwd.getpwnam(DEDICATED_NAME)
    except KeyError:
        entry = _create_dedicated_user()
    if entry.pw_uid == 0:
        message = f"the user {DEDICATED_NAME} has user id 0, and PostgreSQL does not run as root; {INSTEAD}"
        raise ConfigurationError(message)
    return ServerAccount(entry.pw_name, entry.pw_uid, entry.pw_gid, dedicated=True)


def _create_dedicated_user() -> pwd.struct_passwd:
    command = ["useradd", "--system", "--user-group", "--no-create-home", "--shell", "/usr/sbin/nologin"]
    command += ["--home-dir", str(STATE_FOLDER), DEDICATED_NAME]
    search_path = os.pathsep.join([os.environ.get("PATH", os.defpath), "/usr/sbin", "/sbin"])
    try:
        done = subprocess.run(
            command, capture_output=True, text=True, check=False, env={"PATH": search_path, "LC_ALL": "C"}
        )
        found = done.stderr.strip() or f"exit code {done.returncode}"
    except OSError as exc:
        found = f"useradd: {exc.strerror}"
    try:
        # Another Headwater may have been quicker: only the result counts.
        return pwd.getpwnam(DEDICATED_NAME)
    except KeyError:
        raise ConfigurationError(
            f"PostgreSQL does not run as root, and the system user {DEDICATED_NAME} could not be made "
            f"({found}); {INSTEAD}"
        ) from None
