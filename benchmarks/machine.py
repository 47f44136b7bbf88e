"""What a figure was measured on, and how figures are summed up."""

import os
import platform
import statistics
from collections.abc import Sequence
from pathlib import Path
from typing import Any


def machine() -> dict[str, Any]:
    """Return what a reader needs to compare: processors, memory, system, Python."""
    model = "unknown"
    cpuinfo = Path("/proc/cpuinfo")
    if cpuinfo.exists():
        lines = [line for line in cpuinfo.read_text("utf-8").splitlines() if line.startswith("model name")]
        model = lines[0].split(":", 1)[1].strip() if lines else model
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    return {
        "processors": len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count(),
        "model": model,
        "memory_gib": round(memory / 2**30, 1),
        "system": f"{platform.system()} {platform.release()}",
        "python": platform.python_version(),
    }


def percentile(values: Sequence[float], share: float) -> float:
    """Return the value below which the share of all values lies."""
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(share * len(ordered)))]


def summary_ms(seconds: Sequence[float], prefix: str = "") -> dict[str, float]:
    """Return median, 95th percentile and greatest value in milliseconds."""
    return {
        f"{prefix}p50_ms": round(statistics.median(seconds) * 1000, 2),
        f"{prefix}p95_ms": round(percentile(seconds, 0.95) * 1000, 2),
        f"{prefix}max_ms": round(max(seconds) * 1000, 2),
    }
