"""The embedded PostgreSQL as a process: started, waited for through crash recovery, stopped."""

import os
import signal
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path

import psycopg
from sqlalchemy import URL

from catalog.embedded.account import ServerAccount, server_account
from catalog.embedded.binaries import Binaries, binaries_for
from catalog.embedded.cluster import ADMINISTRATOR, CATALOG, configure_cluster, create_cluster
from catalog.embedded.folder_lock import DataFolderLock
from catalog.embedded.guard import Guard
from catalog.embedded.leftovers import end_leftovers, recorded_pid
from catalog.embedded.log_file import ServerLog
from catalog.embedded.places import (
    SOCKET_PORT,
    cluster_place,
    make_socket_folder,
    refuse_beside_kept,
    socket_folder,
)
from catalog.errors import ServerFailed

POLL_SECONDS = 0.005
#: Between attempts once the start has taken a second: each one costs the server a process.
SLOW_POLL_SECONDS = 0.1
#: Seconds that a server which calls itself ready may refuse us: waiting does not mend what is wrong then.
REFUSAL_SECONDS = 10.0


class EmbeddedPostgreSQL:
    """PostgreSQL on the data folder, as a child of this process, for the life of this process.

    It ends with `stop`, and also when this process is killed: a guard watches a pipe. With a server `program` of its
    own, a cluster of that program's version runs as it was found and configured.
    """

    def __init__(
        self,
        data_dir: Path,
        *,
        progress: Callable[[str], None],
        lock: DataFolderLock | None = None,
        program: Path | None = None,
    ) -> None:
        self.data_dir = data_dir.absolute()
        self.lock = lock if lock is not None else DataFolderLock(self.data_dir)
        self.log = ServerLog(self.data_dir / "postgresql.log")
        self._owns_lock = lock is None
        self._program = program
        self._cluster_lock: DataFolderLock | None = None
        self._progress = progress
        self._process: subprocess.Popen[bytes] | None = None
        self._guard: Guard | None = None
        self._cluster: Path | None = None
        self._sockets: Path | None = None
        self._made_sockets = False
        self._recovers = False

    # -- what is so

    @property
    def url(self) -> str:
        """The SQLAlchemy URL of the catalog's database and role; known from the first start on."""
        return self._url(CATALOG, CATALOG)

    @property
    def administrator_url(self) -> str:
        """The SQLAlchemy URL of the superuser, for maintenance and tests."""
        return self._url(ADMINISTRATOR, "postgres")

    @property
    def pid(self) -> int | None:
        """The process id of the postmaster while it lives."""
        return self._process.pid if self._process is not None and self._process.poll() is None else None

    def _url(self, role: str, database: str) -> str:
        query = {"host": str(self._known(self._sockets)), "port": str(SOCKET_PORT)}
        url = URL.create("postgresql+psycopg", username=role, database=database, query=query)
        return url.render_as_string(hide_password=False)

    @staticmethod
    def _known(path: Path | None) -> Path:
        if path is None:
            raise ServerFailed("the embedded PostgreSQL was not started yet")
        return path

    # -- start

    def start(self) -> str:
        """Return the URL of a server that answers; role and database `headwater` exist.

        Waits for crash recovery as long as it takes, with progress. Raises `DataFolderInUse`,
        `ConfigurationError` or `ServerFailed`, and nothing of it runs then.
        """
        try:
            for seconds in self.starting():
                time.sleep(seconds)
        except BaseException:
            self.stop()
            raise
        return self.url

    def starting(self) -> Iterator[float]:
        """Start in steps: yield the seconds to wait before the next one.

        After an error no server runs, but the folder stays held, so that another attempt can follow. To
        abandon it, call `stop`.
        """
        self._end_server(0.0)
        account = server_account()
        if self._program is None:
            binaries = binaries_for(account)
            cluster, program = self._prepare(binaries, account), binaries.postgres
        else:
            cluster, program = self._hold(account), self._program
        yield from end_leftovers(cluster, account, self._progress)
        self._launch(program, account, cluster)
        try:
            yield from self._answering()
        except Exception:
            self._end_server(1.0)
            raise

    def _prepare(self, binaries: Binaries, account: ServerAccount) -> Path:
        """Hold the locks on a cluster that is configured."""
        cluster = self._hold(account, binaries)
        configure_cluster(cluster, binaries, account)
        return cluster

    def _hold(self, account: ServerAccount, binaries: Binaries | None = None) -> Path:
        """Hold the locks on the cluster, which is made where there is none and there are binaries."""
        if not self.lock.held:
            self.lock.acquire(self._progress)
        if self._cluster is None:
            place = cluster_place(self.data_dir, account)
            place.remove_unfinished()
            if not place.exists:
                if binaries is None:
                    raise ServerFailed(f"expected a database in {place.cluster}, found none")
                refuse_beside_kept(self.data_dir)
                self._progress("creates the database")
                create_cluster(place, binaries, account)
            place.settle()
            self._lock_cluster(place.cluster)
            self._cluster = place.cluster
        return self._cluster

    def _lock_cluster(self, cluster: Path) -> None:
        """Hold a cluster that lies outside the data folder: a copied folder links to the same one."""
        if cluster.parent != self.data_dir.resolve():
            lock = DataFolderLock(self.data_dir, cluster.with_name(f"{cluster.name}.lock"))
            lock.acquire(self._progress)
            self._cluster_lock = lock

    def _launch(self, program: Path, account: ServerAccount, cluster: Path) -> None:
        """Start postmaster and guard. No process of the cluster lives before."""
        sockets = self._sockets = socket_folder(cluster, account)
        make_socket_folder(sockets, account)
        self._made_sockets = True
        for name in (f".s.PGSQL.{SOCKET_PORT}", f".s.PGSQL.{SOCKET_PORT}.lock"):
            (sockets / name).unlink(missing_ok=True)
        folders = str(sockets).replace('"', '""')
        command = [str(program), "-D", str(cluster), "-c", f'unix_socket_directories="{folders}"']
        stale = recorded_pid(cluster)
        self._recovers = stale is not None
        # The server takes a recorded process id for stale if it is its grandparent's. To call the recorded
        # one so keeps a stranger who has it now from stopping the start; the check of shared memory stays.
        environment = {"PG_GRANDPARENT_PID": str(stale)} if stale is not None else {}
        output = self.log.open()
        try:
            self._process = account.popen(command, output=output, environment=environment)
        finally:
            os.close(output)
        self._guard = Guard(self._process.pid, cluster, account)

    def _answering(self) -> Iterator[float]:
        began = time.monotonic()
        told = 1
        refused_since: float | None = None
        while True:
            try:
                self._make_catalog()
            except psycopg.OperationalError as exc:
                refusal = exc
            else:
                return
            self._check_alive()
            waited = time.monotonic() - began
            refused_since = (refused_since or waited) if self._calls_itself_ready() else None
            if refused_since is not None and waited - refused_since > REFUSAL_SECONDS:
                raise ServerFailed(f"PostgreSQL is ready but refuses connections: {refusal}") from refusal
            if waited >= told:
                doing = "recovers from a crash" if self._recovers else "starts"
                last_line = self.log.tail(400).rpartition("\n")[2]
                self._progress(f"PostgreSQL {doing} ({told} s): {last_line}")
                told += 1
            yield POLL_SECONDS if waited < 1 else SLOW_POLL_SECONDS

    def _check_alive(self) -> None:
        process = self._process
        if process is None or process.poll() is not None:
            code = "none" if process is None else process.returncode
            raise ServerFailed(
                f"PostgreSQL ended while it started (exit code {code}); "
                f"{self.log.file} ends with:\n{self.log.tail()}"
            )

    def _calls_itself_ready(self) -> bool:
        with suppress(FileNotFoundError):
            lines = (self._known(self._cluster) / "postmaster.pid").read_text().splitlines()
            return len(lines) > 7 and lines[7].strip() == "ready"
        return False

    def _make_catalog(self) -> None:
        """Make role and database if they are missing; raise `psycopg.OperationalError` if nobody answers."""
        host = str(self._known(self._sockets))
        with psycopg.connect(
            host=host,
            port=SOCKET_PORT,
            user=ADMINISTRATOR,
            dbname="postgres",
            connect_timeout=2,
            autocommit=True,
        ) as connection:
            found = connection.execute(
                "SELECT (SELECT count(*) FROM pg_roles WHERE rolname = %s),"
                " (SELECT count(*) FROM pg_database WHERE datname = %s)",
                (CATALOG, CATALOG),
            ).fetchone()
            roles, databases = found or (0, 0)
            if not roles:
                connection.execute(f"CREATE ROLE {CATALOG} LOGIN IN ROLE pg_monitor")
            if not databases:
                connection.execute(f"CREATE DATABASE {CATALOG} OWNER {CATALOG}")

    # -- while it runs

    def maintain(self) -> None:
        """Keep the log within its bound, and a guard at its post."""
        self.log.rotate()
        if self._guard is not None:
            self._guard.renew()

    def forget(self) -> None:
        """In a forked child: this object is the parent's from now on.

        The lock stays with the child until it ends, so that the next Headwater waits for it.
        """
        if self._guard is not None:
            self._guard.forget()
        if self._process is not None:
            self._process.returncode = 0  # it is no child of this process
        self._process = self._guard = None

    # -- stop

    def stop(self, timeout: float = 5.0) -> None:
        """End the server within the seconds given, its clients' connections too; the folder is free then.

        After three quarters of the time it stops at once, which costs no data but a crash recovery.
        """
        self._end_server(timeout)
        if self._sockets is not None and self._made_sockets:
            with suppress(OSError):  # not empty after a kill: the next start takes it over
                self._sockets.rmdir()
            self._made_sockets = False
        if self._cluster_lock is not None:
            self._cluster_lock.release()
            self._cluster_lock = None
        self._cluster = None
        if self._owns_lock:
            self.lock.release()

    def _end_server(self, timeout: float) -> None:
        if self._process is not None:
            deadline = time.monotonic() + timeout
            for number, share in ((signal.SIGINT, 0.25), (signal.SIGQUIT, 0.05), (signal.SIGKILL, 0.0)):
                if self._process.poll() is None:
                    self._process.send_signal(number)
                    remaining = deadline - timeout * share - time.monotonic()
                    with suppress(subprocess.TimeoutExpired):
                        self._process.wait(max(remaining, 0.1))
            self._process.wait()
            self._process = None
        if self._guard is not None:
            self._guard.dismiss()
            self._guard = None
