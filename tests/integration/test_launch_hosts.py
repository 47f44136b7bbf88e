"""Hosts on which a worker takes launches, as `status` tells of them."""

import contextlib
from pathlib import Path

from sqlalchemy import Engine

from hooks.hosts import HostWatch
from tests.support.graphql import Asking, asked
from tests.support.spine import connect


def beat(engine: Engine, host: str, *, takes_launches: bool) -> None:
    HostWatch(
        engine, host=host, name=f"name of {host}", takes_launches=takes_launches, lost_seconds=60
    ).beat()


def test_a_host_takes_launches_while_a_worker_there_says_so(
    database_url: str, engine: Engine, tmp_path: Path
) -> None:
    async def story(ask: Asking) -> None:
        async def launch_hosts() -> list[str]:
            found: list[str] = (await ask.data("{ status { launchHosts } }"))["status"]["launchHosts"]
            return found

        assert await launch_hosts() == []
        beat(engine, "a", takes_launches=False)
        assert await launch_hosts() == []

        beat(engine, "b", takes_launches=True)
        # Another worker of the same host that takes none does not hide the one that does.
        beat(engine, "b", takes_launches=False)
        assert await launch_hosts() == ["name of b"]

        with contextlib.closing(connect(database_url)) as connection:
            connection.execute("UPDATE host SET launches_at = now() - interval '31 seconds'")
        beat(engine, "b", takes_launches=False)
        assert await launch_hosts() == []

    asked(database_url, tmp_path, story)
