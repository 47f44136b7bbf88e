"""Who this host is, and which start of its kernel this is: the two things an attempt is bound to."""

import os
import platform
import subprocess
import uuid
from functools import cache
from pathlib import Path

import psutil

_FILE = "host-id"
_LINUX_BOOT_ID = Path("/proc/sys/kernel/random/boot_id")
_LINUX_MACHINE_IDS = (Path("/etc/machine-id"), Path("/var/lib/dbus/machine-id"))
_LINUX_PROCESS_NAMESPACE = Path("/proc/self/ns/pid")
#: Inode of a kernel's first process namespace (`PROC_PID_INIT_INO` in `linux/proc_ns.h`): not a container.
_FIRST_PROCESS_NAMESPACE = 0xEFFFFFFC


def host_identity(state_dir: Path) -> str:
    """Return a stable UUID of whoever can read the run folders beside `state_dir` and see their processes.

    It comes from a file that is created once, and from the machine (in a container: the container), because
    two machines that share the folder over a network do not see each other's processes.
    """
    state_dir.mkdir(mode=0o700, parents=True, exist_ok=True)
    path = state_dir / _FILE
    if not path.exists():
        draft = state_dir / f"{_FILE}.{uuid.uuid4()}"
        with draft.open("x", encoding="ascii") as file:
            file.write(f"{uuid.uuid4()}\n")
            file.flush()
            os.fsync(file.fileno())
        try:
            # A link appears whole or not at all, and the first one stays: both of two starting workers read
            # it.
            path.hardlink_to(draft)
        except FileExistsError:
            pass
        finally:
            draft.unlink()
    stored = uuid.UUID(path.read_text("ascii").strip())
    return str(uuid.uuid5(stored, _machine()))


@cache
def boot_identity() -> str:
    """Return what changes with every start of the kernel or container: processes of another one are gone."""
    if _LINUX_BOOT_ID.exists():
        return f"{_LINUX_BOOT_ID.read_text('ascii').strip()}:{_process_namespace()}"
    if platform.system() == "Darwin":
        command = ["/usr/sbin/sysctl", "-n", "kern.bootsessionuuid"]
        return subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip()
    return str(int(psutil.boot_time()))


def _machine() -> str:
    """Name the machine; in a container, whose machine id may be that of its image, the container as well."""
    machine_id = next((path.read_text("ascii").strip() for path in _LINUX_MACHINE_IDS if path.exists()), "")
    namespace = _process_namespace()
    if namespace in (0, _FIRST_PROCESS_NAMESPACE):
        return machine_id
    return f"{machine_id}:{platform.node()}:{namespace}"


def _process_namespace() -> int:
    """Return the inode of this process's process namespace; 0 where there are none."""
    return _LINUX_PROCESS_NAMESPACE.stat().st_ino if _LINUX_PROCESS_NAMESPACE.exists() else 0
