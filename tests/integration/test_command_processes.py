"""Processes known by pid and start time, with and without the kernel's help."""

import asyncio
import errno
import os
import shutil
import signal
import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from hooks.launchers.command import process
from hooks.launchers.command.process import (
    ProcessIdentity,
    identify,
    identify_by_ps,
    in_session,
    parent_of,
    session_members,
)
from tests.support.attempts import eventually

#: `ps` serves where there is no `/proc`; a slim Linux has none.
WAYS = [identify, identify_by_ps] if shutil.which("ps") else [identify]


@pytest.fixture
def sleeper() -> Iterator["subprocess.Popen[bytes]"]:
    with subprocess.Popen(["sleep", "30"], start_new_session=True) as popen:
        yield popen
        popen.kill()


@pytest.fixture(params=["pidfd", "none"])
def kernel(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """A kernel with process descriptors, and a sandbox without."""

    def refuse(_pid: int) -> int:
        raise OSError(errno.ENOSYS, "Function not implemented")

    if request.param == "none":
        monkeypatch.setattr(process.os, "pidfd_open", refuse)


def known(popen: "subprocess.Popen[bytes]") -> ProcessIdentity:
    identity = identify(popen.pid)
    assert identity is not None
    return identity


@pytest.mark.parametrize("way", WAYS)
def test_a_process_is_itself_until_it_ends(
    way: Callable[[int], ProcessIdentity | None], sleeper: "subprocess.Popen[bytes]"
) -> None:
    identity = way(sleeper.pid)
    assert identity is not None
    assert way(sleeper.pid) == identity
    sleeper.send_signal(signal.SIGKILL)
    # It ends before it is reaped.
    eventually(lambda: way(sleeper.pid) is None)
    sleeper.wait()
    assert way(sleeper.pid) is None


@pytest.mark.parametrize("way", WAYS)
def test_the_shim_writes_what_is_read(way: Callable[[int], ProcessIdentity | None]) -> None:
    # The two lines of `shim.sh` that find out the start time, with and without /proc.
    by_proc = "read -r stat </proc/self/stat; set -- ${stat##*)}; echo ${20}; read -r _"
    by_ps = "echo $(LC_ALL=C TZ=UTC0 ps -o lstart= -p $$); read -r _"
    script = by_proc if way is identify else by_ps
    with subprocess.Popen(
        ["sh", "-c", script], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as shell:
        assert shell.stdout is not None
        assert way(shell.pid) == ProcessIdentity(shell.pid, shell.stdout.readline().strip())
        shell.communicate("\n")


@pytest.mark.parametrize("pid", [0, -1, 2**22 + 1])
def test_nobody_is_nobody(pid: int) -> None:
    assert identify(pid) is None
    assert parent_of(2**22 + 1) is None
    assert not in_session(2**22 + 1, 1)


@pytest.mark.usefixtures("kernel")
def test_a_signal_reaches_that_process_and_no_later_one(sleeper: "subprocess.Popen[bytes]") -> None:
    ProcessIdentity(sleeper.pid, "an earlier start").send(signal.SIGKILL)
    ProcessIdentity(2**22 + 1, "never").send(signal.SIGKILL)
    time.sleep(0.05)
    assert sleeper.poll() is None
    known(sleeper).send(signal.SIGTERM)
    assert sleeper.wait(5) == -signal.SIGTERM


@pytest.mark.usefixtures("kernel")
def test_waiting_ends_with_the_process(sleeper: "subprocess.Popen[bytes]") -> None:
    identity = known(sleeper)

    async def wait() -> float:
        asyncio.get_running_loop().call_later(0.1, sleeper.kill)
        begun = time.monotonic()
        await identity.ended(20)
        return time.monotonic() - begun

    assert 0.05 < asyncio.run(wait()) < 5
    assert not identity.is_alive()


@pytest.mark.usefixtures("kernel")
def test_waiting_ends_with_the_time_and_leaves_no_descriptor(sleeper: "subprocess.Popen[bytes]") -> None:
    identity = known(sleeper)
    before = len(list(Path("/proc/self/fd").iterdir()))

    async def wait() -> None:
        await identity.ended(0.05)
        waiting = asyncio.create_task(identity.ended(20))
        await asyncio.sleep(0.05)
        waiting.cancel()
        with pytest.raises(asyncio.CancelledError):
            await waiting

    asyncio.run(wait())
    assert identity.is_alive()
    assert len(list(Path("/proc/self/fd").iterdir())) == before


@pytest.mark.usefixtures("kernel")
def test_waiting_for_a_process_that_is_gone_or_another_returns_at_once(
    sleeper: "subprocess.Popen[bytes]",
) -> None:
    begun = time.monotonic()
    asyncio.run(ProcessIdentity(sleeper.pid, "an earlier start").ended(20))
    asyncio.run(ProcessIdentity(2**22 + 1, "never").ended(20))
    assert time.monotonic() - begun < 5


def test_a_session_knows_its_members() -> None:
    script = "sleep 30 & sleep 30 & wait"
    with subprocess.Popen(["sh", "-c", script], start_new_session=True) as leader:
        eventually(lambda: len(session_members(leader.pid)) == 3)
        members = session_members(leader.pid)
        assert members[0].pid == leader.pid
        assert {parent_of(member.pid) for member in members[1:]} == {leader.pid}
        assert all(in_session(member.pid, leader.pid) for member in members)
        assert os.getpid() not in {member.pid for member in members}
        for member in reversed(members):
            member.send(signal.SIGKILL)
