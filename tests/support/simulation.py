"""Workers in one process under a seeded scheduler: followers and jobs interleave and crash at any statement.

The engine is a double that counts starts: what is under test is everything up to it. Real commands and real kills are
the business of the acceptance tests.
"""

import datetime as dt
import random
import uuid
from typing import Any

import psycopg
from sqlalchemy import Engine

from catalog.follower import Follower
from hooks import launching
from hooks.jobs import AttemptKey, host_queue
from hooks.launchers.port import Attempt, Exited, NotStarted, Outcome, Output, StartOutcome
from tests.support.spine import T0, state_follower


class SimulatedCrash(BaseException):
    """The process dies here; not an Exception, so that nothing catches it."""


class CrashingConnection(psycopg.Connection[Any]):
    """A connection whose owner may die right before a statement."""

    statements_left: int | None = None

    def execute(self, *args: Any, **kwargs: Any) -> Any:
        if self.statements_left is not None:
            if self.statements_left == 0:
                self.statements_left = None
                raise SimulatedCrash
            self.statements_left -= 1
        return super().execute(*args, **kwargs)


class CountingEngine:
    """An engine on which every attempt ends at once, with an exit code that the run and attempt alone decide."""

    def __init__(self, failing_share: float) -> None:
        self.starts: dict[tuple[uuid.UUID, int], int] = {}
        self.ended: dict[tuple[uuid.UUID, int], Exited] = {}
        self.failing_share = failing_share
        self.crash: str | None = None

    def start(self, attempt: Attempt) -> StartOutcome:
        key = (attempt.run_id, attempt.number)
        if self.crash == "before":
            self.crash = None
            raise SimulatedCrash
        if key not in self.ended:
            self.starts[key] = self.starts.get(key, 0) + 1
            fails = random.Random(f"{attempt.run_id}/{attempt.number}").random() < self.failing_share
            self.ended[key] = Exited(1 if fails else 0, None, T0, T0 + dt.timedelta(seconds=1))
        if self.crash == "after":
            self.crash = None
            raise SimulatedCrash
        return self.ended[key]

    def ask(self, run_id: uuid.UUID, number: int) -> Outcome:
        return self.ended.get((run_id, number), NotStarted())

    async def wait(self, run_id: uuid.UUID, number: int, seconds: float) -> Outcome:
        raise AssertionError(f"attempt {number} of {run_id} had ended: nobody waits {seconds} s for it")

    def stop(self, run_id: uuid.UUID, number: int, *, reason: str, grace_seconds: float = 5.0) -> None:
        raise AssertionError(f"nobody stops attempt {number} of {run_id}: {reason}, {grace_seconds}")

    def output(self, run_id: uuid.UUID, number: int) -> Output:  # noqa: ARG002 - the form of the port
        return Output(b"", b"", 0)

    def finished(self, older_than: dt.datetime) -> list[tuple[uuid.UUID, int]]:
        raise AssertionError(f"nobody asks what ended before {older_than}")

    def remove(self, run_id: uuid.UUID, number: int) -> None:
        raise AssertionError(f"nobody removes attempt {number} of {run_id}")


class SimulatedWorker:
    """One worker: a follower on a connection of its own, and a hand for jobs."""

    def __init__(self, url: str, engine: Engine, launcher: CountingEngine, batch: int, name: str) -> None:
        self._url = url
        self.connection = CrashingConnection.connect(url, autocommit=True)
        self._batch = batch
        self._follower: Follower[Any] = state_follower(batch=batch)
        self.context = launching.LaunchContext(
            engine=engine,
            launcher=launcher,
            host=name,
            boot="boot",
            openlineage_url="http://127.0.0.1",
            now=lambda: T0,
        )

    def follow(self, crash_after: int | None) -> int:
        """Take one step of the follower, and die after so many statements."""
        self.connection.statements_left = crash_after
        try:
            return self._follower.step(self.connection).taken
        except SimulatedCrash:
            self.restart()
            return 1
        finally:
            self.connection.statements_left = None

    def restart(self) -> None:
        """Begin anew with nothing remembered."""
        self.connection.close()
        self.connection = CrashingConnection.connect(self._url, autocommit=True)
        self._follower = state_follower(batch=self._batch)

    def work(self, chooser: random.Random, crash: str | None) -> bool:
        """Do one job; a crash leaves it `doing`, from where the sweep takes it."""
        rows = self.connection.execute(
            "SELECT id, args FROM procrastinate_jobs WHERE status = 'todo'"
            " AND (queue_name = 'launch' OR queue_name = %s) ORDER BY id",
            (host_queue(self.context.host),),
        ).fetchall()
        if not rows:
            return False
        job, arguments = chooser.choice(rows)
        self.connection.execute("UPDATE procrastinate_jobs SET status = 'doing' WHERE id = %s", (job,))
        launcher = self.context.launcher
        assert isinstance(launcher, CountingEngine)
        launcher.crash = crash
        try:
            keys = [AttemptKey(uuid.UUID(run), number) for run, number in arguments["attempts"]]
            launching.launch(self.context, keys)
        except SimulatedCrash:
            self.restart()
            self.connection.execute("UPDATE procrastinate_jobs SET status = 'todo' WHERE id = %s", (job,))
            return True
        finally:
            launcher.crash = None
        self.connection.execute("DELETE FROM procrastinate_jobs WHERE id = %s", (job,))
        return True

    def close(self) -> None:
        """Close the connection."""
        self.connection.close()
