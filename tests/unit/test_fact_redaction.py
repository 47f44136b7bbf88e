"""Reasons that people and engines give are redacted before they become a fact."""

import datetime as dt
import uuid

import orjson

from catalog.facts import FactKind, Outcome, attempt_ended, command

AT = dt.datetime(2026, 1, 31, tzinfo=dt.UTC)
TOLD = "cannot reach postgresql://loader:hunter2@db/shop"
LEFT = "cannot reach postgresql://loader:[redacted]@db/shop"


def test_the_reason_of_a_command_is_redacted() -> None:
    fact = command(FactKind.PIPELINES_PAUSE, {"reason": TOLD}, actor="local")

    assert orjson.loads(fact.body)["reason"] == LEFT
    assert (
        orjson.loads(command(FactKind.PIPELINES_PAUSE, {"reason": None}, actor="local").body)["reason"]
        is None
    )


def test_the_reason_of_an_outcome_is_redacted() -> None:
    fact = attempt_ended(uuid.uuid4(), 1, Outcome.FAILED, actor="host:h", at=AT, reason=TOLD)

    assert orjson.loads(fact.body)["reason"] == LEFT
