"""Messages from what happened, to a real receiver on loopback that takes them, fails, is slow, gone or busy."""

import contextlib
import datetime as dt
import json
import re
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy import Engine
from standardwebhooks import Webhook, WebhookVerificationError

from catalog.facts import FactKind, command, version_report
from catalog.keys import DatasetKey
from tests.support.http_double import Heard, Reply, http_double
from tests.support.spine import T0, connect, fact_of_event, pipeline_body, run_event
from tests.support.webhooks import (
    OLD_SECRET,
    SECRET,
    Post,
    header,
    identities,
    post_office,
    types,
    webhook_body,
)


@pytest.fixture
def post(database_url: str, engine: Engine, tmp_path: Path) -> Iterator[Post]:
    with (
        contextlib.closing(connect(database_url)) as connection,
        post_office(connection, engine, tmp_path) as found,
    ):
        yield found


def taken(_: Heard, reply: Reply) -> None:
    reply.send(204)


def arrive(post: Post, *names: str) -> None:
    post.tell(
        *(
            version_report(DatasetKey("ns", name), actor="test", time=T0, key=f"{name}/{time.monotonic_ns()}")
            for name in names
        )
    )


def test_a_version_is_told_and_the_signature_verifies(post: Post) -> None:
    with http_double(taken) as receiver:
        post.apply(webhook_body("hook", f"{receiver.url}/in?a=b"))
        post.tell(fact_of_event(run_event("4" * 8 + "-4444-4444-8444-" + "4" * 12, outputs=["out"])))
        post.work()
        (heard,) = receiver.heard
    assert heard.path == "/in?a=b"
    assert header(heard, "content-type") == "application/json"
    message = Webhook(SECRET).verify(heard.body, heard.headers)
    assert message == json.loads(heard.body)
    assert message["type"] == "version.published"
    assert message["data"]["dataset"] == {"id": "dataset:ns:out", "namespace": "ns", "name": "out"}
    assert message["data"]["version"]["run"]["job"] == {"namespace": "ns", "name": "job"}
    with pytest.raises(WebhookVerificationError):
        Webhook(SECRET).verify(heard.body + b" ", heard.headers)
    assert post.messages("hook") == [("version.published", "delivered", 1)]
    found = post.webhook("hook")
    assert (found["pending"], found["delivered"], found["dead"], found["ticket"]) == (0, 1, 0, None)


def test_while_a_secret_is_changed_both_sign(post: Post) -> None:
    with http_double(taken) as receiver:
        post.apply(webhook_body("hook", receiver.url, previousSecrets=["file:old"]))
        arrive(post, "a")
        post.work()
        (heard,) = receiver.heard
    for secret in (SECRET, OLD_SECRET):
        Webhook(secret).verify(heard.body, heard.headers)
    assert len(header(heard, "webhook-signature").split(" ")) == 2


def test_what_happened_before_the_webhook_is_not_told(post: Post) -> None:
    arrive(post, "before")
    with http_double(taken) as receiver:
        post.apply(webhook_body("hook", receiver.url))
        arrive(post, "after")
        post.work()
        assert [json.loads(heard.body)["data"]["dataset"]["name"] for heard in receiver.heard] == ["after"]


def test_runs_are_told_move_by_move_and_filters_hold(post: Post) -> None:
    with http_double(taken) as receiver:
        post.apply(
            webhook_body("all", f"{receiver.url}/all"),
            webhook_body("one", f"{receiver.url}/one", ["pipeline_run.queued"], pipelines=["fl*"]),
            webhook_body("none", f"{receiver.url}/none", ["pipeline_run.*"], pipelines=["x*"]),
            webhook_body("name", f"{receiver.url}/name", ["version.*"], datasets=[{"name": "a"}]),
            pipeline_body("flights", "a"),
        )
        arrive(post, "a", "b")
        post.work()
        told: dict[str, list[str]] = {}
        for heard in receiver.heard:
            told.setdefault(heard.path, []).append(json.loads(heard.body)["type"])
    assert told.pop("/all") == [
        "version.published",
        "pipeline_run.pending",
        "pipeline_run.queued",
        "version.published",
    ]
    assert told == {"/one": ["pipeline_run.queued"], "/name": ["version.published"]}
    run = json.loads(next(heard for heard in receiver.heard if heard.path == "/one").body)["data"]["run"]
    assert (run["number"], run["state"], run["previousState"]) == (1, "queued", "pending")


def test_a_failure_is_repeated_with_the_same_id_and_blocks_only_its_own_subscriber(post: Post) -> None:
    answers = iter([500, 503, 200, 200])

    def manners(heard: Heard, reply: Reply) -> None:
        reply.send(204 if heard.path == "/good" else next(answers))

    with http_double(manners) as receiver:
        post.apply(webhook_body("bad", f"{receiver.url}/bad"), webhook_body("good", f"{receiver.url}/good"))
        arrive(post, "a")
        arrive(post, "b")
        post.work()
        assert sorted(heard.path for heard in receiver.heard) == ["/bad", "/good", "/good"]
        assert post.webhook("bad")["last_error"] == "answered 500 Internal Server Error"
        for _ in range(3):
            post.now.forward(hours=4)
            post.work()
        bad = [heard for heard in receiver.heard if heard.path == "/bad"]
    first, second = identities(bad[:1]), identities(bad[3:])
    assert identities(bad) == first * 3 + second
    assert len({header(heard, "webhook-timestamp") for heard in bad}) == 3, "each attempt has its own time"
    assert len({heard.body for heard in bad[:3]}) == 1
    assert post.messages("bad") == [
        ("version.published", "delivered", 3),
        ("version.published", "delivered", 1),
    ]


def test_after_the_last_attempt_it_is_a_dead_letter_and_the_stream_goes_on(post: Post) -> None:
    status = 500
    with http_double(lambda _, reply: reply.send(status)) as receiver:
        retries = {"count": 1, "backoff": {"initial": "1s", "maximum": "1s"}}
        post.apply(webhook_body("hook", receiver.url, retries=retries))
        arrive(post, "a")
        arrive(post, "b")
        post.work()
        post.now.forward(seconds=2)
        post.work()
        assert post.messages("hook") == [
            ("version.published", "dead", 2),
            ("version.published", "pending", 1),
        ]
        assert (post.webhook("hook")["pending"], post.webhook("hook")["dead"]) == (1, 1)
        status = 200
        post.now.forward(seconds=2)
        post.work()
        assert post.command(FactKind.WEBHOOK_RETRY_DEAD, "hook")[0]
        post.work()
    assert post.messages("hook") == [
        ("version.published", "delivered", 1),
        ("version.published", "delivered", 2),
    ]
    found = post.webhook("hook")
    assert (found["pending"], found["dead"], found["delivered"], found["failed"]) == (0, 0, 2, 3)
    assert len(set(identities(receiver.heard))) == 2


def test_gone_pauses_and_resuming_goes_on_where_it_stopped(post: Post) -> None:
    status = 410
    with http_double(lambda _, reply: reply.send(status)) as receiver:
        post.apply(webhook_body("hook", receiver.url))
        arrive(post, "a")
        post.work()
        found = post.webhook("hook")
        assert (found["state"], found["reason"]) == ("paused", "the receiver answered 410 Gone")
        # Written down as a fact, too, and followed without another effect.
        arrive(post, "b")
        assert post.connection.execute("SELECT actor FROM fact WHERE kind = 'webhook.pause'").fetchall() == [
            ("headwater",)
        ]
        assert post.webhook("hook")["actor"] == "headwater"
        post.now.forward(days=1)
        assert post.work() == 0
        status = 200
        assert post.command(FactKind.WEBHOOK_RESUME, "hook")[0]
        post.work()
        names = [json.loads(heard.body)["data"]["dataset"]["name"] for heard in receiver.heard]
    assert names == ["a", "a", "b"]
    assert post.webhook("hook")["pending"] == 0


@pytest.mark.parametrize("status", [429, 503])
def test_retry_after_is_obeyed(post: Post, status: int) -> None:
    answers = iter([status, 200])
    with http_double(lambda _, reply: reply.send(next(answers), Retry_After="120")) as receiver:
        post.apply(webhook_body("hook", receiver.url, retries={"backoff": {"initial": "1s"}}))
        arrive(post, "a")
        post.work()
        post.now.forward(seconds=100)
        assert post.work() == 0
        post.now.forward(seconds=25)
        assert post.work() > 0
        assert len(receiver.heard) == 2


def test_a_slow_receiver_is_a_failure_after_its_timeout(post: Post) -> None:
    given_up = threading.Event()

    def slow(_: Heard, reply: Reply) -> None:
        given_up.wait(30)
        reply.send(200)

    with http_double(slow) as receiver:
        post.apply(webhook_body("hook", receiver.url, timeout="200ms"))
        arrive(post, "a")
        began = time.monotonic()
        post.work()
        assert time.monotonic() - began < 10
        given_up.set()
        assert "took longer than 0.2 s" in post.webhook("hook")["last_error"]


def test_nobody_is_told_whom_the_document_does_not_name(post: Post) -> None:
    with http_double(taken) as other:

        def elsewhere(_: Heard, reply: Reply) -> None:
            reply.send(307, Location=f"{other.url}/mine")

        with http_double(elsewhere) as receiver:
            post.apply(webhook_body("hook", receiver.url))
            arrive(post, "a")
            post.work()
            assert post.webhook("hook")["last_error"] == f"{receiver.url} redirects to {other.url}"
            assert (len(receiver.heard), other.heard) == (1, [])


def test_redirects_are_followed_where_they_repeat_the_request_and_else_a_failure(post: Post) -> None:
    def manners(heard: Heard, reply: Reply) -> None:
        match heard.path:
            case "/moved":
                reply.send(308, Location="/here")
            case "/found":
                reply.send(302, Location="/here")
            case _:
                reply.send(200)

    with http_double(manners) as receiver:
        post.apply(
            webhook_body("moved", f"{receiver.url}/moved"), webhook_body("found", f"{receiver.url}/found")
        )
        arrive(post, "a")
        post.work()
        assert sorted(heard.path for heard in receiver.heard) == ["/found", "/here", "/moved"]
        (here,) = [heard for heard in receiver.heard if heard.path == "/here"]
    Webhook(SECRET).verify(here.body, here.headers)
    assert post.messages("moved")[0][1] == "delivered"
    assert post.webhook("found")["last_error"] == "answered 302 Found"


def test_a_secret_that_cannot_be_read_counts_for_no_attempt_and_is_not_shown(
    post: Post, tmp_path: Path
) -> None:
    (tmp_path / "hook").write_text("whsec_c2hvcnQ=")
    with http_double(taken) as receiver:
        post.apply(webhook_body("hook", receiver.url, retries={"count": 0}))
        arrive(post, "a")
        post.work()
        assert post.messages("hook") == [("version.published", "pending", 0)]
        assert (
            post.webhook("hook")["last_error"]
            == "expected whsec_ and base64 of 24 to 64 bytes in the secret file:hook"
        )
        (tmp_path / "hook").write_text(SECRET)
        post.now.forward(seconds=31)
        post.work()
        assert types(receiver.heard) == ["version.published"]


def test_replay_sends_the_same_messages_again_from_a_position(post: Post) -> None:
    with http_double(taken) as receiver:
        post.apply(webhook_body("hook", receiver.url))
        arrive(post, "a")
        second = post.tell(version_report(DatasetKey("ns", "b"), actor="test", time=T0, key="1"))
        arrive(post, "c")
        post.work()
        before = identities(receiver.heard)
        assert post.command(FactKind.WEBHOOK_REPLAY, "hook", position=second)[0]
        post.work()
        assert identities(receiver.heard)[3:] == before[1:]
        # And from before it was registered: everything that the catalog still knows.
        assert post.command(FactKind.WEBHOOK_REPLAY, "hook", position=1)[0]
        arrive(post, "d")
        post.work()
        assert identities(receiver.heard)[5:8] == before
        assert len(receiver.heard) == 9
        assert post.command(FactKind.WEBHOOK_REPLAY, "hook", position=0)[:2] == (False, "invalid-input")
        assert post.command(FactKind.WEBHOOK_REPLAY, "other", position=1)[:2] == (False, "not-found")


def test_a_test_goes_before_all_that_waits_and_says_what_came_of_it(post: Post) -> None:
    with http_double(lambda _, reply: reply.send(500)) as receiver:
        post.apply(webhook_body("hook", receiver.url, paused=True))
        arrive(post, "a")
        assert post.command(FactKind.WEBHOOK_TEST, "hook")[0]
        post.work()
        assert types(receiver.heard) == ["webhook.test"]
        assert post.messages("hook") == [("webhook.test", "failed", 1)]
        receiver.manners = taken
        assert post.command(FactKind.WEBHOOK_TEST, "hook")[0]
        post.work()
        assert post.messages("hook")[1] == ("webhook.test", "delivered", 1)
        Webhook(SECRET).verify(receiver.heard[1].body, receiver.heard[1].headers)


def test_an_edited_document_holds_at_once_and_a_deleted_one_is_told_no_more(post: Post) -> None:
    with http_double(lambda heard, reply: reply.send(500 if heard.path == "/old" else 200)) as receiver:
        post.apply(webhook_body("hook", f"{receiver.url}/old"))
        arrive(post, "a")
        post.work()
        post.apply(webhook_body("hook", f"{receiver.url}/new"))
        post.work()
        assert [heard.path for heard in receiver.heard] == ["/old", "/new"]
        post.tell(command(FactKind.DOCUMENT_DELETE, {"kind": "Webhook", "name": "hook"}, actor="alice"))
        arrive(post, "b")
        assert post.work() == 0
        assert post.connection.execute("SELECT count(*) FROM webhook_message").fetchone() == (0,)
        assert post.command(FactKind.WEBHOOK_RESUME, "hook")[:2] == (False, "not-found")


def test_what_was_delivered_is_kept_up_to_a_bound(post: Post, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("hooks.webhooks.delivering.KEPT_DELIVERED", 3)
    monkeypatch.setattr("hooks.webhooks.delivering.PRUNED_TOGETHER", 2)
    with http_double(taken) as receiver:
        post.apply(webhook_body("hook", receiver.url))
        arrive(post, *(f"d{number}" for number in range(10)))
        post.work()
        assert len(receiver.heard) == 10
    assert len(post.messages("hook")) == 3


def test_more_than_may_wait_is_made_later_and_nothing_is_left_out(
    post: Post, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("hooks.webhooks.queue.MOST_PENDING", 3)
    monkeypatch.setattr("hooks.webhooks.delivering.CATCH_UP", 2)
    with http_double(taken) as receiver:
        post.apply(webhook_body("hook", receiver.url))
        for number in range(12):
            arrive(post, f"d{number}")
        assert post.webhook("hook")["pending"] == 3
        post.work()
        names = [json.loads(heard.body)["data"]["dataset"]["name"] for heard in receiver.heard]
        assert names == [f"d{number}" for number in range(12)]
        arrive(post, "again")
        assert post.webhook("hook")["pending"] == 1, "it follows again as things happen"


def test_a_webhook_whose_job_is_gone_gets_another(post: Post) -> None:
    from hooks.webhooks.queue import revive

    with http_double(taken) as receiver:
        post.apply(webhook_body("hook", receiver.url))
        arrive(post, "a")
        assert revive(post.connection) == []
        post.connection.execute("DELETE FROM procrastinate_jobs")
        with post.connection.transaction():
            assert revive(post.connection) == ["hook"]
        post.work()
        assert len(receiver.heard) == 1


def test_times_of_messages_are_those_of_the_facts(post: Post) -> None:
    with http_double(taken) as receiver:
        post.apply(webhook_body("hook", receiver.url))
        position = post.tell(version_report(DatasetKey("ns", "b"), actor="test", time=T0, key="1"))
        post.work()
        message = json.loads(receiver.heard[0].body)
    ((received,),) = post.connection.execute(
        "SELECT received_at FROM fact WHERE position = %s", (position,)
    ).fetchall()
    assert dt.datetime.fromisoformat(message["timestamp"]) == received
    assert message["data"]["position"] == position


def test_readiness_metrics_and_diagnosis_say_who_is_in_trouble(post: Post) -> None:
    from web.health import database_checks, read_readiness
    from web.metrics import StandingCollector, read_standing
    from web.webhook_vitals import read_webhooks

    statuses = {"/gone": 410, "/dead": 500, "/slow": 500, "/well": 200, "/late": 200}
    with http_double(lambda heard, reply: reply.send(statuses[heard.path])) as receiver:
        post.apply(
            webhook_body("dead", f"{receiver.url}/dead", retries={"count": 0}),
            webhook_body("gone", f"{receiver.url}/gone"),
            webhook_body("late", f"{receiver.url}/late"),
            webhook_body("paused", f"{receiver.url}/well", paused=True),
            webhook_body("slow", f"{receiver.url}/slow"),
            webhook_body("well", f"{receiver.url}/well"),
        )
        arrive(post, "a")
        post.work()
    post.connection.execute(
        "UPDATE webhook_message SET at = at - interval '10 minutes' WHERE webhook = 'slow'"
    )
    # One that is behind without a message that was made for it.
    post.connection.execute("UPDATE fact SET received_at = received_at - interval '20 minutes'")
    post.connection.execute("UPDATE webhook SET filled_to = 1 WHERE name = 'late'")
    troubles = [found.trouble for found in read_webhooks(post.connection)]
    # The last digit of the seconds is this machine's.
    assert [found and re.sub(r"\d s behind", "_ s behind", found) for found in troubles] == [
        "dead has 1 dead letters",
        "gone is paused: the receiver answered 410 Gone",
        "late is 120_ s behind",
        None,
        "slow is 60_ s behind (answered 500 Internal Server Error)",
        None,
    ]
    checks = {check.name: check for check in database_checks(read_readiness(post.connection))}
    assert [part.split()[0] for part in checks["webhooks"].found.split("; ")] == [
        "dead",
        "gone",
        "late",
        "slow",
    ]
    assert (checks["webhooks"].ok, checks["webhooks"].essential) == (False, False)
    collector = StandingCollector()
    collector.standing = read_standing(post.connection)
    samples = {
        (sample.name, sample.labels["webhook"]): sample.value
        for family in collector.collect()
        for sample in family.samples
        if "webhook" in sample.labels
    }
    assert samples["headwater_webhook_dead_letters", "dead"] == 1
    assert samples["headwater_webhook_delivered_total", "well"] == 1
    assert samples["headwater_webhook_failed_attempts_total", "slow"] == 1
    assert samples["headwater_webhook_pending", "gone"] == 1
    assert 600 <= samples["headwater_webhook_lag_seconds", "slow"] < 660
    assert samples["headwater_webhook_lag_seconds", "well"] == 0


def test_metrics_have_a_bounded_number_of_labels() -> None:
    from web.webhook_vitals import MOST_LABELS, WebhookVitals, webhook_metrics

    many = [WebhookVitals(f"w{n:04}", "active", "", "a", 1, 2, 3, 4, None, float(n)) for n in range(250)]
    for family in webhook_metrics(many):
        labels = [sample.labels["webhook"] for sample in family.samples]
        assert len(labels) == MOST_LABELS + 1
        assert labels[-1] == "(others)"
    assert [sample.value for family in webhook_metrics(many) for sample in family.samples[-1:]] == [
        450,
        600,
        150,
        300,
        249,
    ]
