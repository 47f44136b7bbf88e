"""Order and at-least-once: whatever crashes, fails or is replayed, each receiver comes to know everything in order.

Followers and jobs interleave under a seeded scheduler and die at any statement; the network is a double that takes,
refuses, loses answers, and lets a frozen job wake up late. Real receivers and real kills are elsewhere.
"""

import asyncio
import contextlib
import json
import random
from pathlib import Path
from typing import Any

import psycopg
import pytest
from sqlalchemy import Engine, make_url

from catalog.facts import FactKind, command, version_report
from catalog.keys import DatasetKey
from hooks.outbound import Answered, Exchange, NotSent, OutboundRequest, Unanswered, Zone
from hooks.webhooks import delivering, queue
from hooks.webhooks.delivering import DeliveryContext
from tests.support.simulation import CrashingConnection, SimulatedCrash
from tests.support.spine import T0, append, apply_fact, connect, follow, parked, pipeline_body
from tests.support.webhooks import SECRET, Clock, webhook_body, webhook_follower

NAMES = ("every", "runs", "some")
FILTERS: dict[str, dict[str, Any]] = {
    "every": {},
    "runs": {"events": ["pipeline_run.*"]},
    "some": {"events": ["version.published"], "datasets": [{"name": "a*"}]},
}


class Network:
    """Takes messages as the seed decides; remembers which were taken, in the order of that."""

    def __init__(self, chooser: random.Random) -> None:
        self.chooser = chooser
        self.taken: dict[str, list[tuple[str, bytes]]] = {name: [] for name in NAMES}
        self.calm = False
        self.crash: str | None = None
        #: Does the job that is under way once more, as whoever took it over does.
        self.again: Any = None

    async def send(self, request: OutboundRequest, _: Any) -> Exchange:
        if self.crash == "before":
            raise SimulatedCrash
        if self.again is not None:
            again, self.again = self.again, None
            await again()
        webhook = request.url.rsplit("/", 1)[1]
        outcome = self._outcome()
        if isinstance(outcome, Unanswered) or (isinstance(outcome, Answered) and outcome.status == 200):
            self.taken[webhook].append((request.headers["webhook-id"], request.body or b""))
        if self.crash == "after":
            raise SimulatedCrash
        return outcome

    def _outcome(self) -> Exchange:
        draw = 0.0 if self.calm else self.chooser.random()
        if draw < 0.6:
            return self._answered(200)
        if draw < 0.7:
            return self._answered(500)
        if draw < 0.75:
            return self._answered(429, {"retry-after": "30"})
        if draw < 0.8:
            return self._answered(410)
        return NotSent("no way there", permanent=False) if draw < 0.9 else Unanswered("the answer was lost")

    def _answered(self, status: int, headers: dict[str, str] | None = None) -> Answered:
        return Answered(status, headers or {}, b"", "http://e/", Zone.PUBLIC)


class World:
    """A database, a follower and a worker that die and begin anew."""

    def __init__(
        self, url: str, engine: Engine, secrets: Path, chooser: random.Random, runner: asyncio.Runner
    ) -> None:
        self._plain = make_url(url).set(drivername="postgresql").render_as_string(hide_password=False)
        self._chooser = chooser
        self._runner = runner
        self.connection = connect(url)
        self.network = Network(chooser)
        self.now = Clock()
        client: Any = self.network
        self.context = DeliveryContext(engine, client, secrets, self.now)
        self._begin_anew()

    def _begin_anew(self) -> None:
        self._following = CrashingConnection.connect(self._plain, autocommit=True)
        self._follower = webhook_follower(self._chooser.randint(1, 7))

    def close(self) -> None:
        self._following.close()
        self.connection.close()

    def follow(self, crash_after: int | None) -> int:
        self._following.statements_left = crash_after
        try:
            return self._follower.step(self._following).taken
        except SimulatedCrash:
            self._following.close()
            self._begin_anew()
            return 1
        finally:
            self._following.statements_left = None

    def due(self) -> list[tuple[int, dict[str, Any]]]:
        rows = self.connection.execute(
            "SELECT id, args, scheduled_at FROM procrastinate_jobs WHERE queue_name = 'webhooks' ORDER BY id"
        )
        return [(job, arguments) for job, arguments, at in rows if at is None or at <= self.now()]

    def work(self, crash: str | None, *, taken_over: bool) -> bool:
        """Do one job that is due; a crash leaves it in the queue, from where the sweep takes it."""
        jobs = self.due()
        if not jobs:
            return False
        job, arguments = self._chooser.choice(jobs)
        self.network.crash = crash
        if taken_over:
            self.network.again = lambda: delivering.deliver(self.context, **arguments)
        try:
            self._runner.run(delivering.deliver(self.context, **arguments))
        except SimulatedCrash:
            return True
        finally:
            self.network.crash = self.network.again = None
        self.connection.execute("DELETE FROM procrastinate_jobs WHERE id = %s", (job,))
        return True

    def command(self, kind: FactKind, name: str, **body: Any) -> None:
        append(self.connection, [command(kind, {"webhook": name, **body}, actor="alice")])

    def row(self, name: str) -> tuple[Any, ...]:
        row = self.connection.execute(
            "SELECT state, pending, dead, filled_to FROM webhook WHERE name = %s", (name,)
        ).fetchone()
        assert row is not None
        return row

    def last_event(self) -> int:
        ((found,),) = self.connection.execute(
            "SELECT greatest((SELECT max(position) FROM version_event),"
            " (SELECT max(position) FROM pipeline_run_transition))"
        ).fetchall()
        return int(found)


def expected(connection: psycopg.Connection[Any], registered: int) -> dict[str, list[tuple[Any, ...]]]:
    """Return by webhook what its receiver must come to know, in order, as the logs alone say."""
    versions = connection.execute(
        "SELECT e.position, 0, e.sequence, 'version.' || e.kind, e.version_id::text, d.name FROM version_event e"
        " JOIN dataset_version v ON v.id = e.version_id JOIN dataset d ON d.id = v.dataset_id"
        " WHERE e.position > %s",
        (registered,),
    ).fetchall()
    runs = connection.execute(
        "SELECT position, 1, sequence, 'pipeline_run.' || to_state, run_id::text, '' FROM pipeline_run_transition"
        " WHERE position > %s",
        (registered,),
    ).fetchall()
    stream = sorted([*versions, *runs])
    return {
        "every": [told[3:5] + told[:1] for told in stream],
        "runs": [told[3:5] + told[:1] for told in stream if told[1] == 1],
        "some": [told[3:5] + told[:1] for told in stream if told[1] == 0 and told[5].startswith("a")],
    }


def known(body: bytes) -> tuple[Any, ...]:
    message = json.loads(body)
    data = message["data"]
    return message["type"], (data.get("version") or data["run"])["id"], data["position"]


def settle(world: World) -> None:
    """Let everything come to its end: nobody dies, receivers take everything, what is paused or dead goes on."""
    world.network.calm = True
    follow(world.connection)
    while world.follow(None):
        pass
    for name in NAMES:
        world.command(FactKind.WEBHOOK_RESUME, name)
        world.command(FactKind.WEBHOOK_RETRY_DEAD, name)
    follow(world.connection)
    while world.follow(None):
        pass
    world.now.forward(days=2)
    for _ in range(3000):
        if not world.work(None, taken_over=False):
            break
    assert world.due() == []


@pytest.mark.parametrize("gives_up", [False, True])
@pytest.mark.parametrize("seed", range(4))
def test_every_receiver_comes_to_know_everything_in_order(
    seed: int,
    gives_up: bool,
    database_url: str,
    engine: Engine,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    chooser = random.Random(f"{seed}/{gives_up}")
    monkeypatch.setattr(queue, "MOST_PENDING", chooser.randint(2, 12))
    monkeypatch.setattr(delivering, "CATCH_UP", chooser.randint(1, 4))
    monkeypatch.setattr(delivering, "JOB_SECONDS", chooser.choice([0.0, 0.8]))
    (tmp_path / "hook").write_text(SECRET)
    with (
        asyncio.Runner() as runner,
        contextlib.closing(World(database_url, engine, tmp_path, chooser, runner)) as world,
    ):
        retries = {"count": 1 if gives_up else 100, "backoff": {"initial": "10s", "maximum": "1m"}}
        documents = [
            webhook_body(name, f"http://e/{name}", retries=retries, **FILTERS[name]) for name in NAMES
        ]
        pipelines = [pipeline_body("one", "a1"), pipeline_body("two", "b1", batching="latest")]
        registered = append(world.connection, [apply_fact(*documents, *pipelines)])[-1].position
        for number in range(250):
            draw = chooser.random()
            crash_after = chooser.randint(0, 12) if chooser.random() < 0.3 else None
            if draw < 0.2:
                name = chooser.choice(["a1", "a2", "b1", "b2"])
                key = DatasetKey("ns", name)
                append(world.connection, [version_report(key, actor="test", time=T0, key=str(number))])
            elif draw < 0.3:
                follow(world.connection)
            elif draw < 0.5:
                world.follow(crash_after)
            elif draw < 0.85:
                crash = chooser.choice([None, None, None, "before", "after"])
                world.work(crash, taken_over=chooser.random() < 0.1)
            elif draw < 0.93:
                world.now.forward(seconds=chooser.randint(1, 90))
            else:
                webhook = chooser.choice(NAMES)
                kind = chooser.choice(
                    [
                        FactKind.WEBHOOK_PAUSE,
                        FactKind.WEBHOOK_RESUME,
                        FactKind.WEBHOOK_RESUME,
                        FactKind.WEBHOOK_REPLAY,
                    ]
                )
                body = (
                    {"position": chooser.randint(registered + 1, registered + 40)}
                    if kind is FactKind.WEBHOOK_REPLAY
                    else {}
                )
                world.command(kind, webhook, **body)
        settle(world)
        assert parked(world.connection) == []
        for name, wanted in expected(world.connection, registered).items():
            taken = world.network.taken[name]
            bodies: dict[str, bytes] = {}
            for identity, body in taken:
                assert bodies.setdefault(identity, body) == body, "a message is the same each time"
            first = list(map(known, bodies.values()))
            assert len(wanted) > 5, "the story has something to tell"
            assert sorted(first) == sorted(wanted), "nothing is left out, and nothing is made up"
            if not gives_up:
                assert first == wanted, "in the order of the ledger"
            state, pending, dead, filled_to = world.row(name)
            assert (state, pending, dead) == ("active", 0, 0)
            assert filled_to >= world.last_event()
