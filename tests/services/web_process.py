"""The web server in a process of its own, which a test may end.

As a script: DATABASE_URL DATA_DIR HOST. It prints the URL once it answers; its log goes to standard error.
"""

import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from catalog.settings import Settings
from web.logging import configure_logging
from web.serve import bind, serve

ROOT = Path(__file__).parents[2]


def main(database_url: str, data_dir: str, host: str) -> int:
    settings = Settings(data_dir=Path(data_dir), host=host, port=0, log_format="json")
    configure_logging(settings)
    listener = bind(settings)
    port = listener.getsockname()[1]
    serve(settings, database_url, lambda: print(f"http://127.0.0.1:{port}", flush=True), listener=listener)
    return 0


@dataclass(frozen=True)
class WebProcess:
    """That process, seen from the test."""

    process: "subprocess.Popen[str]"
    url: str

    @property
    def port(self) -> int:
        return int(self.url.rsplit(":", 1)[1])

    def end(self, number: int) -> tuple[int, str]:
        """Send the signal; return exit code and log once the process has ended."""
        self.process.send_signal(number)
        _, log = self.process.communicate(timeout=20)
        return self.process.returncode, log


@contextmanager
def web_process(database_url: str, data_dir: Path, host: str = "127.0.0.1") -> Iterator[WebProcess]:
    """Start the server and wait until it answers; it is killed at the end, unless it has ended."""
    command = [
        sys.executable,
        "-W",
        "error",
        "-m",
        "tests.services.web_process",
        database_url,
        str(data_dir),
        host,
    ]
    environment = {name: value for name, value in os.environ.items() if not name.startswith("HEADWATER_")}
    with subprocess.Popen(
        command, cwd=ROOT, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as process:
        try:
            assert process.stdout is not None
            yield WebProcess(process, process.stdout.readline().strip())
        finally:
            process.kill()


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
