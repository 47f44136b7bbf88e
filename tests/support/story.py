"""A story of pipelines: a database, and a hand that tells the followers one fact after another."""

import uuid
from typing import Any

import psycopg

from catalog.facts import (
    FactKind,
    Outcome,
    attempt_claimed,
    attempt_ended,
    attempt_started,
    command,
    version_report,
)
from catalog.keys import DatasetKey
from tests.support.spine import T0, append, follow, parked


class Story:
    """A database and a hand to tell it things."""

    def __init__(self, connection: psycopg.Connection[Any]) -> None:
        self.connection = connection
        self._reports = 0

    def tell(self, *facts: Any) -> int:
        """Append the facts, follow, and return the last position."""
        appended = append(self.connection, facts)
        follow(self.connection)
        assert parked(self.connection) == []
        return appended[-1].position

    def arrive(self, name: str) -> None:
        """Report a new version of the dataset."""
        self._reports += 1
        self.tell(version_report(DatasetKey("ns", name), actor="test", time=T0, key=str(self._reports)))

    def command(
        self, kind: FactKind, body: dict[str, Any] | None = None, run: uuid.UUID | None = None
    ) -> Any:
        """Give a command; return its verdict."""
        position = self.tell(command(kind, body or {}, actor="alice", run_id=run))
        return self.connection.execute(
            "SELECT accepted, code, message, result FROM command_result WHERE position = %s", (position,)
        ).fetchone()

    def runs(self) -> list[tuple[int, str]]:
        """Return number and state of every run."""
        return self.connection.execute("SELECT number, state FROM pipeline_run ORDER BY number").fetchall()

    def run_id(self, number: int) -> uuid.UUID:
        """Return the id of the run."""
        row = self.connection.execute("SELECT id FROM pipeline_run WHERE number = %s", (number,)).fetchone()
        assert row is not None
        return row[0]

    def consumed(self, number: int) -> int:
        """Return how many versions the run consumed."""
        row = self.connection.execute(
            "SELECT count(*) FROM consumption WHERE run_id = %s", (self.run_id(number),)
        ).fetchone()
        assert row is not None
        return row[0]

    def claim(self, number: int, attempt: int = 1) -> None:
        """Let a host claim the attempt, as the launch job does."""
        run = self.run_id(number)
        self.connection.execute(
            "INSERT INTO attempt_claim (run_id, attempt, host) VALUES (%s, %s, 'host')", (run, attempt)
        )
        self.tell(attempt_claimed(run, attempt, host="host"))

    def start(self, number: int, attempt: int = 1) -> None:
        """Let the attempt start."""
        self.claim(number, attempt)
        self.tell(attempt_started(self.run_id(number), attempt, host="host", pid=1, at=T0))

    def end(
        self, number: int, exit_code: int = 0, *, attempt: int = 1, outcome: Outcome = Outcome.EXITED
    ) -> None:
        """Let the attempt end."""
        self.tell(
            attempt_ended(
                self.run_id(number), attempt, outcome, actor="host:host", at=T0, exit_code=exit_code
            )
        )

    def jobs(self) -> list[tuple[str, int]]:
        """Return task and attempt of every job that waits."""
        rows = self.connection.execute(
            "SELECT task_name, args FROM procrastinate_jobs ORDER BY id"
        ).fetchall()
        return [
            (task, number)
            for task, arguments in rows
            for number in (
                [attempt for _, attempt in arguments["attempts"]]
                if "attempts" in arguments
                else [arguments["attempt"]]
            )
        ]
