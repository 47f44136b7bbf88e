"""`python -m web.probe live|ready|worker`: what containers and supervisors ask, with exit code 0 for yes.

It asks from within the container, so that it is let in: the local token of the data folder opens `/readyz`. It loads
nothing but the standard library, because it is asked every few seconds.
"""

import os
import sys
import time
import urllib.error
import urllib.request
from pathlib import Path

#: Seconds that an answer may take.
ANSWER_SECONDS = 4.0
#: Age at which a worker's sign of life counts no more; it gives one every 5 seconds.
LIFE_SECONDS = 30.0
#: Only these are opened: an environment may name a proxy, which is not for this.
_OPENER = urllib.request.build_opener(urllib.request.ProxyHandler({}))


def main(arguments: list[str]) -> int:
    """Return the exit code: 0 yes, 1 no, 2 for a question that nobody knows."""
    match arguments:
        case ["live"]:
            return _asked("/healthz", token=None)
        case ["ready"]:
            return _ready()
        case ["worker"]:
            return _worker()
        case _:
            sys.stderr.write("expected live, ready or worker\n")
            return 2


def _data_dir() -> Path:
    return Path(os.environ["HEADWATER_DATA_DIR"])


def _ready() -> int:
    try:
        token = (_data_dir() / "local-token").read_text("ascii").strip()
    except OSError as error:
        sys.stdout.write(f"{error}\n")
        return 1
    return _asked("/readyz", token=token)


def _asked(path: str, *, token: str | None) -> int:
    port = os.environ.get("HEADWATER_PORT") or "8642"
    headers = {} if token is None else {"Authorization": f"Bearer {token}"}
    request = urllib.request.Request(f"http://127.0.0.1:{port}{path}", headers=headers)
    try:
        with _OPENER.open(request, timeout=ANSWER_SECONDS) as answer:
            sys.stdout.write(answer.read(10_000).decode("utf-8", "replace") + "\n")
            return 0
    except urllib.error.HTTPError as error:
        with error:
            sys.stdout.write(error.read(10_000).decode("utf-8", "replace") + "\n")
        return 1
    except OSError as error:
        sys.stdout.write(f"{error}\n")
        return 1


def _worker() -> int:
    try:
        age = time.time() - (_data_dir() / "worker-alive").stat().st_mtime
    except OSError as error:
        sys.stdout.write(f"{error}\n")
        return 1
    sys.stdout.write(f"alive {age:.0f} s ago\n")
    return 0 if age <= LIFE_SECONDS else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
