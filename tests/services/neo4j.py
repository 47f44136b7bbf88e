"""A real Neo4j: the one that HEADWATER_TEST_NEO4J_URL names, or one started from the jars of Maven's repository.

Only the pages of a started one are its own: the jars stay in a folder of the user's cache that all runs share.
"""

import contextlib
import fcntl
import os
import secrets
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import neo4j
import platformdirs

from tests.support.processes import free_port

VERSION = "5.26.30"
CACHE = Path(platformdirs.user_cache_dir("headwater-tests", appauthor=False))
COPY = "org.apache.maven.plugins:maven-dependency-plugin:3.6.1:copy-dependencies"
#: Debian's packages of what is needed, by the program that shows whether they are there.
PACKAGES = {"java": "default-jre-headless", "mvn": "maven"}
READY_SECONDS = 120.0
HEAP = "512m"

_POM = f"""<project xmlns="http://maven.apache.org/POM/4.0.0">
  <modelVersion>4.0.0</modelVersion>
  <groupId>headwater</groupId><artifactId>neo4j-for-tests</artifactId><version>1</version><packaging>pom</packaging>
  <dependencies>
    <dependency><groupId>org.neo4j</groupId><artifactId>neo4j</artifactId><version>{VERSION}</version></dependency>
  </dependencies>
</project>
"""

# The last two let it end in half a second instead of eleven.
_SETTINGS = """server.default_listen_address=127.0.0.1
server.bolt.listen_address=127.0.0.1:{port}
server.bolt.advertised_address=127.0.0.1:{port}
server.http.enabled=false
server.https.enabled=false
dbms.security.auth_enabled=true
server.memory.heap.initial_size=256m
server.memory.heap.max_size={heap}
server.memory.pagecache.size=128m
db.tx_log.rotation.retention_policy=1 files
dbms.usage_report.enabled=false
internal.dbms.bolt.netty_server_shutdown_quiet_period=0
internal.server.bolt.thread_pool_shutdown_wait_time=1s
"""

_OPENS = [f"--add-opens=java.base/{name}=ALL-UNNAMED" for name in ("java.nio", "java.io", "sun.nio.ch")]


def given_url() -> str | None:
    """Return the URL of a Neo4j that is there already, None where the tests start one."""
    return os.environ.get("HEADWATER_TEST_NEO4J_URL") or None


@dataclass(frozen=True)
class Access:
    """Where a Neo4j is, and as whom to use it."""

    url: str
    user: str
    password: str = field(repr=False)

    @property
    def auth(self) -> tuple[str, str]:
        """User and password as the driver takes them."""
        return self.user, self.password


@dataclass
class LocalNeo4j:
    """A Neo4j in a folder of its own, on a port of its own, which can be killed and started again."""

    home: Path
    jars: Path
    port: int
    access: Access
    process: "subprocess.Popen[bytes] | None" = None

    def start(self) -> None:
        """Start it, and return once it answers."""
        with (self.home / "console.log").open("ab") as log:
            self.process = subprocess.Popen(
                [
                    *_java(),
                    "-XX:+UseG1GC",
                    f"-Xmx{HEAP}",
                    *_OPENS,
                    "-Dio.netty.tryReflectionSetAccessible=true",
                    "-cp",
                    f"{self.home / 'conf'}:{self.jars}/*",
                    "org.neo4j.server.CommunityEntryPoint",
                    f"--home-dir={self.home}",
                    f"--config-dir={self.home / 'conf'}",
                ],
                stdout=log,
                stderr=log,
                stdin=subprocess.DEVNULL,
                start_new_session=True,
            )
        self._wait_until_ready()

    def _wait_until_ready(self) -> None:
        assert self.process is not None
        deadline = time.monotonic() + READY_SECONDS
        with neo4j.GraphDatabase.driver(
            self.access.url, auth=self.access.auth, connection_timeout=5
        ) as driver:
            while True:
                said = (self.home / "console.log").read_text("utf-8", "replace")[-3000:]
                assert self.process.poll() is None, said
                # The port is open before anybody answers on it.
                with contextlib.suppress(neo4j.exceptions.DriverError, neo4j.exceptions.Neo4jError):
                    driver.verify_connectivity()
                    return
                assert time.monotonic() < deadline, said
                time.sleep(0.1)

    def kill(self) -> None:
        """End it at once, as a crash of its machine would."""
        self._end(signal.SIGKILL)

    def stop(self) -> None:
        """Let it end in order."""
        self._end(signal.SIGTERM)

    def _end(self, number: int) -> None:
        if self.process is None:
            return
        self.process.send_signal(number)
        try:
            self.process.wait(30)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait(30)
        self.process = None


@contextmanager
def local_neo4j() -> Iterator[LocalNeo4j]:
    """Yield a running Neo4j of the caller's own; it and its folder are gone afterwards."""
    jars = _jars()
    home = Path(tempfile.mkdtemp(prefix="headwater-neo4j-"))
    port = free_port()
    server = LocalNeo4j(home, jars, port, Access(f"bolt://127.0.0.1:{port}", "neo4j", secrets.token_hex(12)))
    try:
        for name in ("conf", "data", "logs", "run", "import"):
            (home / name).mkdir()
        (home / "conf" / "neo4j.conf").write_text(_SETTINGS.format(port=port, heap=HEAP), "ascii")
        subprocess.run(
            [
                *_java(),
                "-Xmx128m",
                "-cp",
                f"{jars}/*",
                "org.neo4j.cli.AdminTool",
                "dbms",
                "set-initial-password",
                server.access.password,
            ],
            env={**os.environ, "NEO4J_HOME": str(home), "NEO4J_CONF": str(home / "conf")},
            check=True,
            capture_output=True,
        )
        server.start()
        yield server
    finally:
        server.stop()
        shutil.rmtree(home, ignore_errors=True)


@contextmanager
def usable_neo4j() -> Iterator[Access]:
    """Yield access to the Neo4j that is given, else to one that runs meanwhile."""
    url = given_url()
    if url is not None:
        user = os.environ.get("HEADWATER_TEST_NEO4J_USER", "neo4j")
        yield Access(url, user, os.environ.get("HEADWATER_TEST_NEO4J_PASSWORD", ""))
        return
    with local_neo4j() as server:
        yield server.access


def _java() -> list[str]:
    return ["nice", "-n", "5", "java"]


def _jars() -> Path:
    """Return the folder with the jars, which is filled once for all runs of this user."""
    folder = CACHE / f"neo4j-{VERSION}"
    CACHE.mkdir(parents=True, exist_ok=True)
    with (CACHE / "neo4j.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        _need("java")
        if folder.is_dir():
            return folder
        _need("mvn")
        with tempfile.TemporaryDirectory(dir=CACHE) as name:
            workshop = Path(name)
            (workshop / "pom.xml").write_text(_POM, "utf-8")
            options = ["-DincludeScope=runtime", f"-DoutputDirectory={workshop / 'jars'}"]
            done = subprocess.run(
                ["mvn", "-B", "-q", COPY, *options], cwd=workshop, capture_output=True, text=True, check=False
            )
            if done.returncode:
                raise RuntimeError(
                    f"Maven could not fetch Neo4j {VERSION}:\n{done.stdout[-3000:]}{done.stderr}"
                )
            (workshop / "jars").rename(folder)
    return folder


def _need(program: str) -> None:
    """Return once the program is there; installs it where this user may, else says how."""
    if shutil.which(program):
        return
    package = PACKAGES[program]
    advice = (
        f"tests against Neo4j need `{program}`: apt-get install {' '.join(PACKAGES.values())} (Java 17 or later),"
        " or HEADWATER_TEST_NEO4J_URL, HEADWATER_TEST_NEO4J_USER and HEADWATER_TEST_NEO4J_PASSWORD of a Neo4j to use"
    )
    if os.geteuid() != 0 or shutil.which("apt-get") is None:
        raise RuntimeError(advice)
    environment = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
    for command in (["update"], ["install", "-y", "--no-install-recommends", package]):
        done = subprocess.run(
            ["apt-get", "-qq", *command], env=environment, capture_output=True, text=True, check=False
        )
        if done.returncode:
            raise RuntimeError(f"{advice}; apt-get says:\n{done.stderr[-2000:]}")
