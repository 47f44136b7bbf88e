"""The demo is the main job on real input: it ends well only if every expected run succeeded exactly once."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

PROJECT = Path(__file__).parent.parent.parent
DEMO = PROJECT / "examples" / "flights" / "demo.py"


@pytest.mark.timeout(420)
def test_a_year_of_flights_goes_through(tmp_path: Path) -> None:
    environment = {name: value for name, value in os.environ.items() if not name.startswith("HEADWATER_")}
    done = subprocess.run(
        [sys.executable, str(DEMO), "--once", "--folder", str(tmp_path / "demo")],
        capture_output=True,
        text=True,
        timeout=400,
        check=False,
        env=environment,
    )
    assert done.returncode == 0, done.stdout[-4000:] + done.stderr[-4000:]
    # What it says it does is what it does.
    assert f"$ headwater up --data-dir {tmp_path / 'demo' / 'headwater'} --allow-commands " in done.stdout
    assert "336,776 flights of 12 months" in done.stdout
    assert "each started once and succeeded" in done.stdout
