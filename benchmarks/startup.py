"""Starting on a warm data folder, and what an idle Headwater holds in memory."""

import statistics
import subprocess
import sys
import time
from typing import Any

import psutil

from benchmarks.machine import machine
from benchmarks.server import Server, running_server, start_server, stop_server, temporary_folder

IDLE_SECONDS = 5.0


def _pss_mib(server: Server) -> dict[str, float]:
    """Return the proportional set size by process name and in all, in MiB: shared pages are counted once."""
    found: dict[str, float] = {}
    for process in server.processes():
        try:
            name = process.name()
            size = process.memory_full_info()
        except psutil.NoSuchProcess:
            continue
        found[name] = found.get(name, 0.0) + getattr(size, "pss", size.uss) / 2**20
    return {name: round(size, 1) for name, size in sorted(found.items())}


def measure_startup(rounds: int = 5) -> dict[str, Any]:
    """Return seconds from the command to `ready` on a warm folder, and memory once idle."""
    with temporary_folder() as folder:
        with running_server(folder):
            pass
        ready = []
        stopped = []
        for _ in range(rounds):
            server = start_server(folder)
            ready.append(server.ready_seconds)
            stopped.append(stop_server(server))
        with running_server(folder) as server:
            time.sleep(IDLE_SECONDS)
            memory = _pss_mib(server)
    interpreter = []
    for _ in range(rounds):
        started = time.perf_counter()
        subprocess.run([sys.executable, "-c", "import fastapi, sqlalchemy, strawberry"], check=True)
        interpreter.append(time.perf_counter() - started)
    return {
        "n": rounds,
        "warm_ready_s": round(statistics.median(ready), 3),
        "warm_ready_max_s": round(max(ready), 3),
        "stop_s": round(statistics.median(stopped), 3),
        "idle_pss_mib": round(sum(memory.values()), 1),
        "idle_pss_by_process_mib": memory,
        "reference": {
            "what": "Python that imports FastAPI, SQLAlchemy and strawberry, nothing else",
            "seconds": round(statistics.median(interpreter), 3),
        },
        "machine": machine(),
    }
