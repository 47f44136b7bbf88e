"""PgBouncer itself between clients and the PostgreSQL of the tests, where its program is installed."""

import os
import shutil
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from sqlalchemy import make_url

from catalog.embedded.account import server_account
from tests.support.processes import free_port

PROGRAM = shutil.which("pgbouncer", path=f"{os.environ['PATH']}:/usr/sbin:/usr/local/sbin")


@contextmanager
def pgbouncer(url: str, folder: Path) -> Iterator[str]:
    """Yield the URL of the same database through PgBouncer, which pools sessions and takes every client's word."""
    assert PROGRAM is not None
    address, port = make_url(url), free_port()
    settings = [
        "[databases]",
        f"* = host={address.query['host']} port={address.query['port']} user={address.username}",
        "[pgbouncer]",
        "pool_mode = session",
        "listen_addr = 127.0.0.1",
        f"listen_port = {port}",
        "unix_socket_dir =",
        "auth_type = any",
    ]
    if os.geteuid() == 0:
        settings.append(f"user = {server_account().name}")
    file = folder / "pgbouncer.ini"
    file.write_text("\n".join(settings) + "\n", "ascii")
    with (folder / "pgbouncer.log").open("wb") as log:
        process = subprocess.Popen([PROGRAM, str(file)], stdout=log, stderr=log)
    try:
        _wait(folder / "pgbouncer.log", process)
        yield f"postgresql://{address.username}@127.0.0.1:{port}/{address.database}"
    finally:
        process.terminate()
        process.wait(20)


def _wait(log: Path, process: subprocess.Popen[bytes]) -> None:
    deadline = time.monotonic() + 20
    while b"process up" not in log.read_bytes():
        assert process.poll() is None, log.read_text("utf-8", "replace")
        assert time.monotonic() < deadline, log.read_text("utf-8", "replace")
        time.sleep(0.02)
