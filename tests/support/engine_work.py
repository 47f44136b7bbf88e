"""The work with an engine without a worker process: a test does its jobs when it likes, and lets time pass."""

import asyncio
import datetime as dt
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import psycopg
from sqlalchemy import Engine as Database

from catalog.facts import version_report
from catalog.keys import DatasetKey
from hooks.engines import advancing
from hooks.engines.advancing import EngineContext
from hooks.engines.port import Engine
from hooks.jobs import AttemptKey
from hooks.launchers.http import HttpLauncher
from hooks.outbound import OutboundClient, OutboundPolicy
from tests.support.http_double import Heard, HttpDouble, Manners, Reply, http_double
from tests.support.spine import T0, append, apply_fact, connect, follow, parked, pipeline_body


class EngineStory:
    """A pipeline that an engine runs, the jobs about it, and a clock of the test's own."""

    def __init__(
        self,
        connection: psycopg.Connection[Any],
        database: Database,
        engine: Engine,
        launcher: str,
        spec: dict[str, Any],
    ) -> None:
        self.connection = connection
        self._reports = 0
        self.context = EngineContext(
            database=database,
            engines={launcher: engine},
            host="host",
            openlineage_url="http://headwater.example",
            now=lambda: dt.datetime.now(dt.UTC),
        )
        self._launch = {launcher: spec}

    def register(self, **spec: Any) -> None:
        """Register the pipeline `p` on the dataset `a`."""
        body = pipeline_body("p", "a", launch=self._launch, **spec)
        append(self.connection, [apply_fact(body)])
        self.follow()

    def arrive(self, **details: Any) -> uuid.UUID:
        """Report a new version; return the run that it made due."""
        self._reports += 1
        report = version_report(
            DatasetKey("ns", "a"), actor="test", time=T0, key=str(self._reports), **details
        )
        append(self.connection, [report])
        self.follow()
        return self.run("id")

    def follow(self) -> None:
        """Let the state follower work."""
        follow(self.connection)
        assert parked(self.connection) == []

    def pass_time(self, seconds: float) -> None:
        """Let time pass: all that was or is to be is so much earlier."""
        columns = ("busy_until", "deadline", "failing_since", "gone_since", "accepted_at")
        earlier = ", ".join(f"{column} = {column} - make_interval(secs => %(seconds)s)" for column in columns)
        self.connection.execute(
            f"UPDATE engine_attempt SET {earlier}",  # noqa: S608 - names of the test's own
            {"seconds": seconds},
        )
        self.connection.execute(
            "UPDATE procrastinate_jobs SET scheduled_at = scheduled_at - make_interval(secs => %s)",
            (seconds,),
        )

    def work(self) -> int:
        """Do every job that is due, and those that they make due; return how many."""
        done = 0
        while self.work_one():
            done += 1
        return done

    def work_one(self, *, keep: bool = False) -> bool:
        """Do one job that is due; `keep` leaves it in the queue, as a worker does that dies."""
        row = self.connection.execute(
            "SELECT id, task_name, args FROM procrastinate_jobs WHERE queue_name = 'host:engine'"
            " AND (scheduled_at IS NULL OR scheduled_at <= clock_timestamp()) ORDER BY id LIMIT 1"
        ).fetchone()
        if row is None:
            return False
        job, task, arguments = row
        asyncio.run(self.do(task, arguments))
        if not keep:
            self.connection.execute("DELETE FROM procrastinate_jobs WHERE id = %s", (job,))
        self.follow()
        return True

    async def do(self, task: str, arguments: dict[str, Any]) -> None:
        """Do what the worker's task does."""
        if task == "headwater.engine.launch":
            keys = [AttemptKey(uuid.UUID(run), number) for run, number in arguments["attempts"]]
            await advancing.launch(self.context, keys)
            return
        key = AttemptKey(uuid.UUID(arguments["run_id"]), arguments["attempt"])
        if task == "headwater.engine.advance":
            await advancing.advance(self.context, key, arguments["epoch"])
        else:
            assert task == "headwater.engine.stop"
            advancing.stop(self.context, key, arguments["reason"])

    def run(self, column: str = "state") -> Any:
        """Return a column of the newest run."""
        row = self.connection.execute(
            f"SELECT {column} FROM pipeline_run ORDER BY number DESC LIMIT 1"  # noqa: S608 - a name of the test's own
        ).fetchone()
        assert row is not None
        return row[0]

    def attempt(self, column: str) -> Any:
        """Return a column of the newest attempt's standing."""
        row = self.connection.execute(
            f"SELECT {column} FROM engine_attempt ORDER BY attempt DESC LIMIT 1"  # noqa: S608 - the same
        ).fetchone()
        assert row is not None
        return row[0]

    def states(self) -> list[str]:
        """Return the states that the newest run has been in."""
        rows = self.connection.execute(
            "SELECT to_state FROM pipeline_run_transition WHERE run_id = %s ORDER BY sequence",
            (self.run("id"),),
        ).fetchall()
        return [state for (state,) in rows]

    def waits(self) -> float | None:
        """Return in how many seconds the next step is due; None where none is."""
        row = self.connection.execute(
            "SELECT extract(epoch FROM min(coalesce(j.scheduled_at, clock_timestamp())) - clock_timestamp())::float8"
            " FROM procrastinate_jobs j JOIN engine_attempt e ON e.run_id::text = j.args ->> 'run_id'"
            " AND e.attempt = (j.args ->> 'attempt')::int AND e.epoch = (j.args ->> 'epoch')::bigint"
            " WHERE e.phase <> 'ended'"
        ).fetchone()
        assert row is not None
        return row[0]


class Book:
    """An engine's memory: what it accepted by idempotency key, and the state of each run by its path."""

    def __init__(self) -> None:
        self.runs: dict[str, str] = {}
        self.starts: list[str] = []

    def accept(self, run: str, key: str) -> None:
        if run not in self.runs:
            self.starts.append(key)
            self.runs[run] = "RUNNING"

    def answer(self, heard: Heard, reply: Reply) -> None:
        run = heard.path.split("?")[0].rsplit("/", 1)[1]
        if heard.method == "POST":
            self.accept(run, heard.headers["Idempotency-Key"])
            reply.send(202, {"id": run}, Location=f"/runs/{run}")
        elif run not in self.runs:
            reply.send(404, {"error": "no such run"})
        elif heard.method == "DELETE":
            self.runs[run] = "KILLED"
            reply.send(202)
        else:
            reply.send(200, {"state": self.runs[run], "why": "as it was told"})


@contextmanager
def engine_double(manners: Manners | Book) -> Iterator[HttpDouble]:
    with http_double(manners.answer if isinstance(manners, Book) else manners) as double:
        yield double


def polled(double: HttpDouble, **poll: Any) -> dict[str, Any]:
    """Return the launcher of an engine that is asked by the run's id."""
    return {
        "url": f"{double.url}/runs/${{run.id}}",
        "poll": {
            "url": f"{double.url}/runs/${{run.id}}",
            "state": "$.state",
            "succeeded": ["DONE"],
            "failed": ["FAILED", "KILLED"],
            "reason": "$.why",
            **poll,
        },
    }


Tell = Callable[..., EngineStory]


@contextmanager
def telling(database_url: str, database: Database, secrets_folder: Path) -> Iterator[Tell]:
    """Yield what tells a story of the `http` launcher: its arguments are the launcher's part of the document."""
    clients: list[OutboundClient] = []
    with connect(database_url) as connection:

        def tell(policy: OutboundPolicy | None = None, **http: Any) -> EngineStory:
            client = OutboundClient(policy or OutboundPolicy(allow_loopback=True))
            clients.append(client)
            launcher = HttpLauncher(
                client, secrets_folder=secrets_folder, now=lambda: dt.datetime.now(dt.UTC)
            )
            spec = {"timeouts": {"answer": "1s", "unreachable": "5m"}, **http}
            return EngineStory(connection, database, launcher, "http", spec)

        yield tell
    for client in clients:
        asyncio.run(client.aclose())
