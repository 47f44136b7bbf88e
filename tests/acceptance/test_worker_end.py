"""`headwater worker` ends within five seconds whatever its database does, and tells an outage once."""

import json
import signal
import subprocess
import time
from collections import Counter
from pathlib import Path

from benchmarks.partition import DatabaseProxy
from tests.support.processes import free_port, part
from tests.support.spine import connect

END_SECONDS = 5.0


def wait_until_it_lives(data_dir: Path) -> None:
    deadline = time.monotonic() + 20
    while not (data_dir / "worker-alive").exists():
        if time.monotonic() > deadline:
            raise TimeoutError("expected the worker to show that it lives")
        time.sleep(0.05)


def seconds_to_the_end(worker: "subprocess.Popen[str]") -> float:
    started = time.monotonic()
    worker.send_signal(signal.SIGTERM)
    worker.wait(20)
    return time.monotonic() - started


def test_a_database_that_is_not_there_does_not_hold_up_the_end(tmp_path: Path) -> None:
    url = f"postgresql://nobody@127.0.0.1:{free_port()}/nothing"
    with part("worker", data_dir=tmp_path, url=url) as worker:
        wait_until_it_lives(tmp_path)
        time.sleep(2)
        assert seconds_to_the_end(worker) < END_SECONDS
        assert worker.returncode == 0
    (log,) = tmp_path.glob("worker-*.log")
    told = [json.loads(line) for line in log.read_text().splitlines() if line.startswith("{")]
    followers = Counter(line["follower"] for line in told if line["event"] == "follower.database_away")
    assert set(followers.values()) == {1}
    assert len(followers) >= 3


def test_a_database_that_says_nothing_does_not_hold_up_the_end(database_url: str, tmp_path: Path) -> None:
    with (
        DatabaseProxy(database_url) as network,
        part("worker", data_dir=tmp_path, url=network.url) as worker,
        connect(database_url) as connection,
    ):
        deadline = time.monotonic() + 20
        while connection.execute("SELECT FROM procrastinate_workers").fetchone() is None:
            assert time.monotonic() < deadline
            time.sleep(0.05)
        network.cut()
        time.sleep(0.5)
        assert seconds_to_the_end(worker) < END_SECONDS
