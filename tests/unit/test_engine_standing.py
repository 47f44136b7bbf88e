"""How an attempt at an engine moves: every phase, and every kind of answer."""

import datetime as dt
from typing import Any

import pytest

from catalog.facts import Outcome
from hooks.engines.port import (
    Absent,
    Accepted,
    Declined,
    Ended,
    Going,
    Impossible,
    Stopped,
    Traits,
    Unclear,
    Unreached,
)
from hooks.engines.standing import (
    Answer,
    Ask,
    Cancel,
    Finish,
    Moved,
    Phase,
    Send,
    Standing,
    Stop,
    after,
    due_stop,
    next_step,
    taken_up,
)
from hooks.engines.told import printable

NOW = dt.datetime(2026, 1, 1, tzinfo=dt.UTC)
HOUR = dt.timedelta(hours=1)
ORIGIN = "https://engine.example"
CANCELLED = Stop(Outcome.CANCELLED, "not wanted")


def traits(**changes: Any) -> Traits:
    plain: dict[str, Any] = {
        "repeatable": False,
        "findable": False,
        "cancellable": False,
        "cancellable_unseen": False,
        "interval": dt.timedelta(seconds=10),
        "patience": dt.timedelta(minutes=5),
        "longest": dt.timedelta(seconds=10),
    }
    return Traits(**plain | changes)


def standing(phase: Phase, **changes: Any) -> Standing:
    return Standing(phase, NOW + HOUR, **changes)


def move(
    start: Standing, answer: Answer, now: dt.datetime = NOW, chance: float = 0.0, **changes: Any
) -> Moved:
    return after(start, traits(**changes), answer, now, chance)


def test_the_way_of_an_attempt_that_goes_well() -> None:
    assert next_step(standing(Phase.READY), traits()) == Send()
    moved = move(standing(Phase.SENDING), Accepted(ORIGIN, {"answer": {}}, "202"))
    assert moved.standing.phase is Phase.ACCEPTED
    assert moved.standing.accepted_at == NOW
    assert moved.next_at == NOW + dt.timedelta(seconds=10)
    assert moved.finish is None
    assert next_step(moved.standing, traits()) == Ask()
    again = move(moved.standing, Going(ORIGIN, "200"), NOW + HOUR / 2)
    assert again.standing.accepted_at == NOW
    assert again.standing.handle == {"answer": {}}
    ended = move(again.standing, Ended(ORIGIN, True, "state DONE", "200"), NOW + HOUR / 2)
    assert ended.finish == Finish(Outcome.SUCCEEDED, "state DONE")
    assert ended.standing.phase is Phase.ENDED
    assert ended.standing.handle is None


def test_nobody_waits_beyond_the_deadline() -> None:
    late = NOW + HOUR - dt.timedelta(seconds=3)
    accepted = standing(Phase.ACCEPTED, accepted_at=NOW)

    for answer in (Going(ORIGIN, ""), Unclear("?"), Unreached("?"), Declined(late + HOUR, "")):
        assert move(accepted, answer, late).next_at == NOW + HOUR
    assert due_stop(accepted, late) is accepted
    assert due_stop(accepted, NOW + HOUR).stop == Stop(
        Outcome.TIMED_OUT, "the attempt had not ended at 2026-01-01T01:00:00+00:00"
    )
    assert due_stop(standing(Phase.READY, stop=CANCELLED), NOW + HOUR).stop == CANCELLED


def test_an_attempt_that_nobody_heard_of_is_sent_again_for_a_while() -> None:
    start = standing(Phase.SENDING)
    waits = []
    for _ in range(8):
        moved = move(start, Unreached("refused"))
        assert moved.standing.phase is Phase.READY
        waits.append((moved.next_at - NOW).total_seconds())
        start = standing(Phase.SENDING, failures=moved.standing.failures, failing_since=NOW)
    assert waits == [1, 2, 4, 8, 16, 32, 60, 60]
    given_up = move(start, Unreached("refused"), NOW + dt.timedelta(minutes=5))
    assert given_up.finish == Finish(Outcome.NOT_STARTED, "refused")
    assert given_up.standing.accepted_at is None


def test_what_comes_back_together_is_spread() -> None:
    first, last = (
        move(standing(Phase.SENDING), Declined(NOW + HOUR / 2, ""), chance=chance) for chance in (0.0, 1.0)
    )

    assert (first.next_at, last.next_at) == (NOW + HOUR / 2, NOW + HOUR / 2 + HOUR / 20)


def test_a_lost_answer_is_what_the_engine_lets_one_make_of_it() -> None:
    lost = move(standing(Phase.SENDING), Unclear("no answer"))
    assert lost.finish == Finish(Outcome.LOST, "no answer")
    for changes, step in (
        ({"repeatable": True}, Send()),
        ({"findable": True}, Ask()),
        ({"repeatable": True, "findable": True}, Send()),
    ):
        moved = move(standing(Phase.SENDING), Unclear("no answer"), **changes)
        assert moved.finish is None
        assert moved.standing.phase is Phase.UNSURE
        assert moved.standing.doubtful
        assert next_step(moved.standing, traits(**changes)) == step


def test_a_sending_that_nobody_heard_does_not_undo_one_that_somebody_may_have() -> None:
    doubtful = standing(Phase.SENDING, doubtful=True, trouble="no answer")

    for answer in (Unreached("refused"), Declined(None, "429")):
        assert move(doubtful, answer, repeatable=True).standing.phase is Phase.UNSURE
        assert move(standing(Phase.SENDING), answer).standing.phase is Phase.READY
    assert move(doubtful, Impossible("no secret"), repeatable=True).finish == Finish(
        Outcome.LOST, "no secret"
    )
    assert move(standing(Phase.SENDING), Impossible("no secret")).finish == Finish(
        Outcome.NOT_STARTED, "no secret"
    )


def test_a_worker_that_died_while_sending_leaves_doubt() -> None:
    found = taken_up(standing(Phase.SENDING))

    assert (found.phase, found.doubtful) == (Phase.UNSURE, True)
    assert next_step(found, traits()) == Finish(
        Outcome.LOST, "the worker that sent the request ended before it had the answer"
    )
    for phase in (Phase.READY, Phase.ACCEPTED, Phase.STOPPED, Phase.UNSURE):
        assert taken_up(standing(phase)) == standing(phase)


def test_absence_lets_an_attempt_be_sent_again_only_before_it_was_accepted() -> None:
    unsure = standing(Phase.UNSURE, doubtful=True, trouble="no answer")
    ready = move(unsure, Absent(True, "404"), findable=True)
    assert (ready.standing.phase, ready.standing.doubtful, ready.next_at) == (Phase.READY, False, NOW)
    maybe = move(unsure, Absent(False, "404"), findable=True)
    assert maybe.standing.phase is Phase.UNSURE
    accepted = standing(Phase.ACCEPTED, accepted_at=NOW)
    for certain in (True, False):
        moved = move(accepted, Absent(certain, "404"), findable=True)
        assert moved.standing.phase is Phase.ACCEPTED
        assert moved.finish is None
        later = move(moved.standing, Absent(certain, "404"), NOW + dt.timedelta(minutes=5), findable=True)
        assert later.finish == Finish(Outcome.LOST, "the engine does not know the attempt")


def test_being_away_is_not_having_forgotten() -> None:
    away = move(standing(Phase.ACCEPTED, accepted_at=NOW), Unclear("500")).standing
    back = move(away, Absent(False, "404"), NOW + dt.timedelta(minutes=10))
    assert back.finish is None
    lasting = standing(Phase.ACCEPTED, accepted_at=NOW, gone_since=NOW)
    assert move(lasting, Unclear("refused", lasting=True), NOW + dt.timedelta(minutes=5)).finish == Finish(
        Outcome.LOST, "refused"
    )
    assert move(lasting, Going(ORIGIN, "")).standing.gone_since is None


@pytest.mark.parametrize("phase", [Phase.UNSURE, Phase.ACCEPTED])
def test_who_is_to_be_stopped_is_not_sent_again(phase: Phase) -> None:
    for changes in (
        {"repeatable": True},
        {"repeatable": True, "findable": True, "cancellable": True, "cancellable_unseen": True},
    ):
        stopping = standing(phase, stop=CANCELLED, doubtful=True, trouble="no answer")
        assert next_step(stopping, traits(**changes)) != Send()


def test_an_attempt_that_was_never_accepted_is_stopped_without_a_word() -> None:
    assert next_step(standing(Phase.READY, stop=CANCELLED), traits(cancellable=True)) == Finish(
        Outcome.CANCELLED, "not wanted; it was never accepted"
    )
    found_absent = move(standing(Phase.UNSURE, stop=CANCELLED), Absent(True, "404"), findable=True)
    assert isinstance(next_step(found_absent.standing, traits(findable=True)), Finish)


def test_an_attempt_is_stopped_at_the_engine_and_its_last_word_counts() -> None:
    accepted = standing(Phase.ACCEPTED, stop=CANCELLED, handle={"answer": {}}, accepted_at=NOW)
    assert next_step(accepted, traits(cancellable=True)) == Cancel()
    told = move(accepted, Stopped("202"), cancellable=True).standing
    assert told.phase is Phase.STOPPED
    assert next_step(told, traits(cancellable=True)) == Ask()
    assert move(told, Ended(ORIGIN, True, "state DONE", "")).finish == Finish(Outcome.SUCCEEDED, "state DONE")
    assert move(told, Ended(ORIGIN, False, "state KILLED", "")).finish == Finish(
        Outcome.CANCELLED, "not wanted; state KILLED"
    )
    for answer in (
        Going(ORIGIN, ""),
        Absent(True, ""),
        Unclear("?"),
        Unreached("?"),
        Impossible("?"),
        Declined(None, ""),
    ):
        finish = move(told, answer).finish
        assert finish is not None
        assert finish.outcome is Outcome.CANCELLED


def test_an_engine_that_does_not_take_a_cancel_loses_the_attempt() -> None:
    accepted = standing(Phase.ACCEPTED, stop=CANCELLED, accepted_at=NOW)
    for answer in (Unclear("500"), Unreached("refused"), Declined(NOW + HOUR, "429")):
        moved = move(accepted, answer, cancellable=True)
        assert moved.finish is None
        late = move(moved.standing, answer, NOW + dt.timedelta(minutes=5), cancellable=True)
        assert late.finish is not None
        assert late.finish.outcome is Outcome.LOST
        assert "not wanted; the engine could not be told" in late.finish.reason
    impossible = move(accepted, Impossible("no answer to fill in"), cancellable=True)
    assert impossible.finish == Finish(Outcome.LOST, "no answer to fill in")


def test_a_deadline_that_finds_an_engine_silent_loses_the_attempt() -> None:
    overdue = Stop(Outcome.TIMED_OUT, "too late")
    silent = standing(Phase.ACCEPTED, stop=overdue, failing_since=NOW, trouble="500", accepted_at=NOW)
    assert next_step(silent, traits()) == Finish(
        Outcome.LOST, "too late; the engine could not be asked any more; 500"
    )
    assert next_step(standing(Phase.ACCEPTED, stop=overdue, accepted_at=NOW), traits()) == Finish(
        Outcome.TIMED_OUT, "too late; the engine was not told: the document names no `cancel`"
    )


def test_a_refusal_is_no_start() -> None:
    moved = move(standing(Phase.SENDING), Ended(ORIGIN, False, "answered 422", "422"))

    assert moved.finish == Finish(Outcome.FAILED, "answered 422")
    assert moved.standing.accepted_at is None
    assert move(standing(Phase.SENDING), Ended(ORIGIN, True, "answered 200", "")).standing.accepted_at == NOW


def test_text_from_outside_is_made_printable() -> None:
    assert printable("a\x00b\x1b[31m\ud800\u202ec") == "a\ufffdb\ufffd[31m\ufffd\ufffdc"
    assert printable("line\n\tline") == "line\n\tline"
    assert printable("x" * 600) == "x" * 499 + "…"
    assert len(printable("\x00" * 600)) == 500
