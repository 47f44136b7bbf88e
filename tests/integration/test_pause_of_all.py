"""The pause of all pipelines at once: nothing new is launched, nothing that is due is lost, everybody is told."""

import asyncio
import datetime as dt
import json
import sys
import time
import uuid
from pathlib import Path
from typing import Any

from sqlalchemy import Engine

from catalog.facts import FactKind
from hooks import launching
from hooks.jobs import AttemptKey
from hooks.launchers.command import boot_identity
from hooks.launchers.http import HttpLauncher
from hooks.outbound import OutboundClient, OutboundPolicy
from hooks.pausing import LOOK_AGAIN
from tests.support.attempts import make_launcher
from tests.support.command_line import Installation, installation, pipeline_yaml
from tests.support.engine_work import EngineStory
from tests.support.graphql import Asking, asked, heard, keeping_up
from tests.support.http_double import Heard, Reply, http_double
from tests.support.spine import apply_fact, pipeline_body
from tests.support.story import Story
from tests.support.web import bearer
from web.access import Role

LOOK_SECONDS = LOOK_AGAIN.total_seconds()
PAUSE, RESUME = FactKind.PIPELINES_PAUSE, FactKind.PIPELINES_RESUME


def by_pipeline(story: Story) -> list[tuple[str, int, str]]:
    return story.connection.execute(
        "SELECT pipeline, number, state FROM pipeline_run ORDER BY pipeline, number"
    ).fetchall()


def test_what_becomes_due_meanwhile_starts_afterwards_and_nothing_is_lost(story: Story) -> None:
    story.tell(apply_fact(pipeline_body("each", "a", concurrency=10)))
    story.tell(apply_fact(pipeline_body("latest", "a", batching="latest")))
    story.tell(apply_fact(pipeline_body("own", "a")))
    story.command(FactKind.PIPELINE_PAUSE, {"pipeline": "own"})
    assert story.command(PAUSE, {"reason": "the warehouse moves"})[0] is True
    story.arrive("a")
    story.arrive("a")
    # One that is registered meanwhile waits too, and resuming one alone starts nothing.
    story.tell(apply_fact(pipeline_body("new", "a")))
    story.arrive("a")
    story.command(FactKind.PIPELINE_RESUME, {"pipeline": "each"})
    assert by_pipeline(story) == []
    refused = story.command(FactKind.PIPELINE_TRIGGER, {"pipeline": "each"})
    assert refused[:2] == (False, "invalid-transition")
    assert "all pipelines are paused since" in refused[2]
    assert "by alice: the warehouse moves" in refused[2]

    assert story.command(RESUME)[0] is True
    assert by_pipeline(story) == [
        ("each", 1, "queued"),
        ("each", 2, "queued"),
        ("each", 3, "queued"),
        ("latest", 1, "queued"),
        ("new", 1, "queued"),
    ]
    assert story.consumed(1) == 1
    # The one that is paused by itself stays so, and loses nothing either.
    story.command(FactKind.PIPELINE_RESUME, {"pipeline": "own"})
    assert ("own", 1, "queued") in by_pipeline(story)


def test_what_runs_goes_on_and_its_slot_waits(story: Story) -> None:
    story.tell(apply_fact(pipeline_body("p", "a")))
    story.arrive("a")
    story.arrive("a")
    story.start(1)
    story.command(PAUSE)
    assert story.runs() == [(1, "running"), (2, "pending")]
    story.end(1)
    assert story.runs() == [(1, "succeeded"), (2, "pending")]
    story.command(RESUME)
    assert story.runs() == [(1, "succeeded"), (2, "queued")]


def test_commands_about_runs_are_carried_out_meanwhile(story: Story) -> None:
    story.tell(apply_fact(pipeline_body("p", "a", concurrency=2)))
    for _ in range(3):
        story.arrive("a")
    story.start(1)
    story.end(1, exit_code=1)
    story.command(PAUSE)
    assert story.runs() == [(1, "failed"), (2, "queued"), (3, "queued")]
    assert story.command(FactKind.RUN_CANCEL, run=story.run_id(2))[0] is True
    assert story.command(FactKind.RUN_RETRY, run=story.run_id(1))[0] is True
    # The retry waits for its slot.
    assert story.runs() == [(1, "pending"), (2, "cancelled"), (3, "queued")]
    story.command(RESUME)
    assert story.runs() == [(1, "queued"), (2, "cancelled"), (3, "queued")]


def test_a_second_pause_changes_nothing_and_so_does_a_second_end(story: Story) -> None:
    story.command(PAUSE, {"reason": "first"})
    story.command(PAUSE, {"reason": "second"})
    assert story.connection.execute("SELECT reason FROM pause_of_all").fetchall() == [("first",)]
    story.command(RESUME)
    assert story.command(RESUME)[0] is True
    assert story.connection.execute("SELECT count(*) FROM pause_of_all").fetchone() == (0,)


def test_an_attempt_that_holds_a_slot_is_not_begun(story: Story, engine: Engine, tmp_path: Path) -> None:
    (tmp_path / "work").mkdir()
    out = tmp_path / "out"
    command = {"argv": ["sh", "-c", f"echo ran >> {out}"], "workingDirectory": str(tmp_path / "work")}
    story.tell(apply_fact(pipeline_body("p", "a", launch={"command": command}, concurrency=2)))
    story.arrive("a")
    story.arrive("a")
    context = launching.LaunchContext(
        engine=engine,
        launcher=make_launcher(tmp_path / "runs", tmp_path),
        host=str(uuid.uuid4()),
        boot=boot_identity(),
        openlineage_url="http://127.0.0.1:1",
        now=lambda: dt.datetime.now(dt.UTC),
    )
    first, second = (AttemptKey(story.run_id(number), 1) for number in (1, 2))
    # The first is claimed before the pause, by a worker that dies before it starts it.
    story.connection.execute(
        "INSERT INTO attempt_claim (run_id, attempt, host, boot) VALUES (%s, 1, %s, %s)",
        (first.run_id, context.host, context.boot),
    )
    story.command(PAUSE)
    story.connection.execute("DELETE FROM procrastinate_jobs")
    launching.launch(context, [first, second])
    claimed = "SELECT run_id FROM attempt_claim"
    assert story.connection.execute(claimed).fetchall() == [(first.run_id,)]
    wait_for_lines(out, 1)
    # The other is asked for again in a moment, again and again.
    for _ in range(2):
        ((arguments, seconds),) = story.connection.execute(
            "SELECT args, extract(epoch FROM scheduled_at - clock_timestamp())::float8 FROM procrastinate_jobs"
            " WHERE task_name = 'headwater.launch'"
        ).fetchall()
        assert arguments == {"attempts": [[str(second.run_id), 1]]}
        assert 0 < seconds <= LOOK_SECONDS
        story.connection.execute("DELETE FROM procrastinate_jobs WHERE task_name = 'headwater.launch'")
        launching.launch(context, [second])
    assert story.connection.execute(claimed).fetchall() == [(first.run_id,)]

    story.command(RESUME)
    launching.launch(context, [second])
    wait_for_lines(out, 2)


def test_no_engine_is_asked_to_begin(story: Story, engine: Engine, tmp_path: Path) -> None:
    def answer(heard: Heard, reply: Reply) -> None:
        reply.send(200, {"path": heard.path})

    client = OutboundClient(OutboundPolicy(allow_loopback=True))
    launcher = HttpLauncher(client, secrets_folder=tmp_path, now=lambda: dt.datetime.now(dt.UTC))
    with http_double(answer) as double:
        work = EngineStory(story.connection, engine, launcher, "http", {"url": f"{double.url}/start"})
        work.register()
        work.arrive()
        story.command(PAUSE)
        work.work()
        work.pass_time(LOOK_SECONDS)
        work.work()
        assert double.heard == []
        assert work.run() == "queued"
        story.command(RESUME)
        work.pass_time(LOOK_SECONDS)
        work.work()
        assert [heard.path for heard in double.heard] == ["/start"]
        assert work.run() == "succeeded"
    asyncio.run(client.aclose())


def wait_for_lines(file: Path, count: int) -> None:
    deadline = time.monotonic() + 20
    while not file.exists() or len(file.read_text().splitlines()) < count:
        assert time.monotonic() < deadline, f"{file} has not {count} lines"
        time.sleep(0.05)
    assert len(file.read_text().splitlines()) == count


def findings(there: Installation) -> dict[str, Any]:
    database = there.headwater.with_environment(HEADWATER_DATABASE_URL=there.database_url)
    return {found["check"]: found for found in database("doctor", "--json").json["findings"]}


def test_a_retry_waits_and_everybody_is_told(database_url: str, tmp_path: Path) -> None:
    out = tmp_path / "attempts"
    with installation(database_url, tmp_path) as there:
        headwater = there.headwater
        script = f"open({str(out)!r}, 'a').write('x\\n'); raise SystemExit(1)"
        document = json.loads(pipeline_yaml("p", "raw", sys.executable, "-c", script))
        document["spec"]["retries"] = {"count": 20, "backoff": {"initial": "1s", "maximum": "2s"}}
        (tmp_path / "p.json").write_text(json.dumps(document))
        headwater.done("apply", "-f", str(tmp_path / "p.json"))
        assert "pipelines start  when they are due" in headwater.done("status").out
        headwater.done("emit", "version", "--dataset", "ns", "raw", "--key", "1")
        wait_for_lines(out, 1)
        paused = headwater.done("pause", "--all", "--reason", "look \x1b[31mfirst")
        assert paused.out.startswith("all pipelines paused since ")
        assert "\x1b" not in paused.out
        before = len(out.read_text().splitlines())
        time.sleep(1 + 2 * LOOK_SECONDS)
        begun = len(out.read_text().splitlines())
        assert begun <= before + 1  # an attempt that was claimed before the pause goes on
        time.sleep(LOOK_SECONDS + 2)
        assert len(out.read_text().splitlines()) == begun

        assert "not: all are paused since" in headwater.done("status").out
        why_not = headwater.done("why-not", "p")
        assert "all pipelines are paused since" in why_not.out
        assert "headwater resume --all" in why_not.out
        impact = headwater.done("impact", "dataset:ns:raw")
        assert "would start" in impact.out
        assert "All pipelines are paused since" in impact.err
        assert headwater("trigger", "p").code == 3
        assert findings(there)["pause"]["status"] == "warning"
        ready = headwater.done("status", "--json").json["ready"]
        assert "all pipelines are paused since" in ready["checks"]["pause"]["found"]

        assert headwater.done("resume", "--all").out.startswith("all pipelines start when they are due")
        deadline = time.monotonic() + 30
        while len(out.read_text().splitlines()) == begun:
            assert time.monotonic() < deadline, "the retries do not go on"
            time.sleep(0.1)
        assert findings(there)["pause"]["status"] == "ok"
        assert "paused" not in headwater.done("impact", "dataset:ns:raw").err
        assert headwater("pause").code == 2
        assert headwater("pause", "p", "--all").code == 2
        assert headwater("pause", "p", "--reason", "x").code == 2
        assert headwater("resume").code == 2


QUESTION = '{ status { pause { position at actor reason } } pipeline(name: "p") { state halted } }'
PAUSE_ALL = 'mutation($k: String) { pauseAll(reason: "r", idempotencyKey: $k) { position pause { reason } } }'
RESUME_ALL = "mutation { resumeAll { position pause { reason } } }"


def test_it_is_told_over_graphql_health_metrics_and_the_start_page(database_url: str, tmp_path: Path) -> None:
    async def story(ask: Asking) -> None:
        assert await ask.data(QUESTION) == {
            "status": {"pause": None},
            "pipeline": {"state": "ACTIVE", "halted": None},
        }
        shown = {role: bearer(ask.web.services.tokens.create(role.value, role)) for role in Role}
        for refused in (PAUSE_ALL, RESUME_ALL):
            assert await ask.code(refused, headers=shown[Role.VIEWER]) == "forbidden"
        done = await ask.data(PAUSE_ALL, {"k": "once"}, headers=shown[Role.OPERATOR])
        again = await ask.data(PAUSE_ALL, {"k": "once"}, headers=shown[Role.OPERATOR])
        assert done == again
        assert done["pauseAll"]["pause"] == {"reason": "r"}
        told = await ask.data(QUESTION)
        assert told["status"]["pause"]["actor"] == "token:operator"
        assert told["status"]["pause"]["position"] == done["pauseAll"]["position"]
        assert "all pipelines are paused since" in told["pipeline"]["halted"]
        client = ask.web.client
        checks = (await client.get("/readyz")).json()["checks"]
        assert checks["pause"]["ok"] is True
        assert "by token:operator: r" in checks["pause"]["found"]
        assert "headwater_paused 1.0" in (await client.get("/metrics")).text
        assert "All pipelines are paused since" in (await client.get("/")).text
        assert (await ask.command(RESUME_ALL))["resumeAll"]["pause"] is None
        assert (await ask.data(QUESTION))["status"]["pause"] is None

    heard(database_url, [apply_fact(pipeline_body("p", "a"))])
    with keeping_up(database_url):
        asked(database_url, tmp_path, story)
