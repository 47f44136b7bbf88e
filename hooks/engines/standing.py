"""How an attempt at an engine stands, and what happens to it next: pure functions of time and answers."""

import dataclasses
import datetime as dt
from dataclasses import dataclass
from enum import StrEnum
from typing import assert_never

from catalog.facts import Outcome
from hooks.engines.port import (
    Absent,
    Accepted,
    AskAnswer,
    CancelAnswer,
    Declined,
    Ended,
    Going,
    Handle,
    Impossible,
    SendAnswer,
    Stopped,
    Traits,
    Unclear,
    Unreached,
)

LONGEST_BACKOFF = dt.timedelta(seconds=60)
#: Share of a wait by which it may become longer, so that many attempts do not come back at the same instant.
SPREAD = 0.1


class Phase(StrEnum):
    """How far an attempt at an engine is."""

    #: The engine has not had it: nothing was sent, or what was sent did nothing.
    READY = "ready"
    #: A worker is sending it, or died while it did.
    SENDING = "sending"
    #: It was sent, and nobody knows whether the engine has it.
    UNSURE = "unsure"
    #: The engine has it.
    ACCEPTED = "accepted"
    #: The engine was asked to end it and found nothing to end: its last word is still to be heard.
    STOPPED = "stopped"
    #: Its outcome is in the ledger.
    ENDED = "ended"


@dataclass(frozen=True, slots=True)
class Stop:
    """Why the attempt is to end, and what its outcome is then."""

    outcome: Outcome
    reason: str


@dataclass(frozen=True, slots=True)
class Standing:
    """One attempt between two steps.

    `doubtful` says that the engine may have heard of it although nobody saw its answer; `failing_since` and
    `gone_since` are when it first gave no usable answer, and when it first did not know what it had accepted.
    """

    phase: Phase
    deadline: dt.datetime
    stop: Stop | None = None
    handle: Handle | None = None
    origin: str = ""
    accepted_at: dt.datetime | None = None
    doubtful: bool = False
    failing_since: dt.datetime | None = None
    gone_since: dt.datetime | None = None
    failures: int = 0
    #: Why the last question came to nothing.
    trouble: str = ""
    #: The engine's last answer, for people.
    told: str = ""


@dataclass(frozen=True, slots=True)
class Send:
    """Ask the engine to start it."""


@dataclass(frozen=True, slots=True)
class Ask:
    """Ask the engine how it stands."""


@dataclass(frozen=True, slots=True)
class Cancel:
    """Ask the engine to end it."""


@dataclass(frozen=True, slots=True)
class Finish:
    """It has come to its end."""

    outcome: Outcome
    reason: str


Step = Send | Ask | Cancel | Finish
Answer = SendAnswer | AskAnswer | CancelAnswer


@dataclass(frozen=True, slots=True)
class Moved:
    """What an answer made of an attempt: how it stands now, when the next step is due, and how it ended if it did."""

    standing: Standing
    next_at: dt.datetime
    finish: Finish | None = None


def taken_up(standing: Standing) -> Standing:
    """Return how an attempt stands whose worker died, or fell silent, within a step."""
    if standing.phase is not Phase.SENDING:
        return standing
    trouble = "the worker that sent the request ended before it had the answer"
    return dataclasses.replace(standing, phase=Phase.UNSURE, doubtful=True, trouble=trouble)


def due_stop(standing: Standing, now: dt.datetime) -> Standing:
    """Return the standing with the deadline as its reason to stop once that has passed."""
    if standing.stop is not None or now < standing.deadline:
        return standing
    reason = f"the attempt had not ended at {standing.deadline.isoformat()}"
    return dataclasses.replace(standing, stop=Stop(Outcome.TIMED_OUT, reason))


def next_step(standing: Standing, traits: Traits) -> Step:
    """Return what is to be done now that the next step is due."""
    match standing.phase:
        case Phase.READY:
            return (
                Send()
                if standing.stop is None
                else _stopped(standing, standing.stop, "it was never accepted")
            )
        case Phase.SENDING | Phase.UNSURE:
            return _settle(standing, traits)
        case Phase.ACCEPTED:
            return Ask() if standing.stop is None else _end(standing, standing.stop, traits)
        case Phase.STOPPED:
            return Ask()
        case Phase.ENDED:
            raise ValueError("expected an attempt that has not ended")
        case _:
            assert_never(standing.phase)


def _end(standing: Standing, stop: Stop, traits: Traits) -> Step:
    """Return how an attempt that the engine has comes to the end that was asked for."""
    if traits.cancellable:
        return Cancel()
    if stop.outcome is Outcome.TIMED_OUT and standing.failing_since is not None:
        return _stopped(standing, Stop(Outcome.LOST, stop.reason), "the engine could not be asked any more")
    return _stopped(standing, stop, "the engine was not told: the document names no `cancel`")


def _settle(standing: Standing, traits: Traits) -> Step:
    """Return how to find out whether the engine has an attempt whose answer was lost."""
    if standing.stop is not None:
        if traits.cancellable_unseen:
            return Cancel()
        return Ask() if traits.findable else Finish(Outcome.LOST, standing.trouble)
    if traits.repeatable:
        return Send()
    return Ask() if traits.findable else Finish(Outcome.LOST, standing.trouble)


def _stopped(standing: Standing, stop: Stop, remark: str) -> Finish:
    parts = [stop.reason, remark, standing.trouble]
    return Finish(stop.outcome, "; ".join(part for part in parts if part))


def after(  # noqa: PLR0911 - one return for each kind of answer
    standing: Standing, traits: Traits, answer: Answer, now: dt.datetime, chance: float
) -> Moved:
    """Return what the answer makes of an attempt; `chance` from 0 to 1 spreads what would come back together."""
    match answer:
        case Accepted(origin, handle, told):
            return _accepted(standing, traits, handle, origin, told, now)
        case Going(origin, told):
            if standing.phase is Phase.STOPPED and standing.stop is not None:
                return _finished(standing, _stopped(standing, standing.stop, ""), now)
            return _accepted(standing, traits, standing.handle, origin, told, now)
        case Ended(origin, succeeded, reason, told):
            if standing.phase is Phase.STOPPED and standing.stop is not None and not succeeded:
                # It ended badly because it was told to.
                return _finished(standing, _stopped(standing, standing.stop, reason), now)
            # Whoever refuses an attempt has not started it.
            refused = not succeeded and standing.phase is Phase.SENDING
            known = (
                dataclasses.replace(standing, told=told) if refused else _known(standing, origin, told, now)
            )
            outcome = Outcome.SUCCEEDED if succeeded else Outcome.FAILED
            return _finished(known, Finish(outcome, reason), now)
        case Absent(certain, told):
            return _absent(dataclasses.replace(standing, told=told), traits, now, chance, certain=certain)
        case Stopped(told):
            return _cancelled(dataclasses.replace(standing, told=told), traits, now)
        case Declined() | Unreached() | Unclear() | Impossible():
            return _unanswered(standing, traits, answer, now, chance)
        case _:
            assert_never(answer)


def _unanswered(
    standing: Standing,
    traits: Traits,
    answer: Declined | Unreached | Unclear | Impossible,
    now: dt.datetime,
    chance: float,
) -> Moved:
    match answer:
        case Declined(told=told):
            return _declined(dataclasses.replace(standing, told=told), traits, answer, now, chance)
        case Unreached(reason):
            return _failed(standing, traits, reason, now, chance, heard=False)
        case Unclear(reason, told, lasting):
            heard = dataclasses.replace(standing, told=told or standing.told)
            return _failed(heard, traits, reason, now, chance, heard=True, gone=lasting)
        case Impossible(reason):
            return _impossible(standing, reason, now)
        case _:
            assert_never(answer)


def _known(standing: Standing, origin: str, told: str, now: dt.datetime) -> Standing:
    """Return the standing of an attempt that the engine has spoken of."""
    return dataclasses.replace(
        standing,
        origin=origin,
        accepted_at=standing.accepted_at or now,
        doubtful=False,
        failing_since=None,
        gone_since=None,
        failures=0,
        trouble="",
        told=told,
    )


def _accepted(
    standing: Standing, traits: Traits, handle: Handle | None, origin: str, told: str, now: dt.datetime
) -> Moved:
    known = dataclasses.replace(
        _known(standing, origin, told, now), phase=Phase.ACCEPTED, handle=handle or standing.handle
    )
    # Whoever is to be stopped is stopped at once.
    next_at = now if known.stop is not None else min(now + traits.interval, known.deadline)
    return Moved(known, next_at)


def _absent(standing: Standing, traits: Traits, now: dt.datetime, chance: float, *, certain: bool) -> Moved:
    if standing.phase is Phase.STOPPED and standing.stop is not None:
        return _finished(standing, _stopped(standing, standing.stop, ""), now)
    if certain and standing.phase in (Phase.SENDING, Phase.UNSURE):
        # It never arrived, so it may be sent (again); the time that the engine was silent does not count.
        ready = dataclasses.replace(
            standing, phase=Phase.READY, doubtful=False, failing_since=None, failures=0, trouble=""
        )
        return Moved(ready, now)
    return _failed(
        standing, traits, "the engine does not know the attempt", now, chance, heard=True, gone=True
    )


def _cancelled(standing: Standing, traits: Traits, now: dt.datetime) -> Moved:
    if standing.stop is None:
        raise ValueError("expected a reason to stop before the engine is told to")
    if traits.findable or standing.handle is not None:
        # It may have ended by itself before: what it says last is its outcome.
        return Moved(dataclasses.replace(standing, phase=Phase.STOPPED, failures=0, failing_since=None), now)
    return _finished(standing, _stopped(standing, standing.stop, "the engine was told"), now)


def _declined(standing: Standing, traits: Traits, answer: Declined, now: dt.datetime, chance: float) -> Moved:
    if standing.stop is not None:
        # Who is to be stopped is not put off for ever.
        return _failed(standing, traits, answer.reason, now, chance, heard=standing.doubtful)
    failures = standing.failures + 1
    waiting = dataclasses.replace(
        standing, phase=_unsent(standing), failing_since=None, failures=failures, trouble=answer.reason
    )
    wait = _backoff(failures) if answer.until is None else answer.until - now
    return Moved(waiting, min(now + wait * (1 + SPREAD * chance), waiting.deadline))


def _unsent(standing: Standing) -> Phase:
    """Return the phase after a sending that nobody heard: an earlier one may have been heard all the same."""
    if standing.phase is not Phase.SENDING:
        return standing.phase
    return Phase.UNSURE if standing.doubtful else Phase.READY


def _impossible(standing: Standing, reason: str, now: dt.datetime) -> Moved:
    match _unsent(standing):
        case Phase.READY | Phase.SENDING:
            return _finished(standing, Finish(Outcome.NOT_STARTED, reason), now)
        case Phase.UNSURE | Phase.ACCEPTED:
            return _finished(standing, Finish(Outcome.LOST, reason), now)
        case Phase.STOPPED:
            stop = standing.stop or Stop(Outcome.LOST, "")
            return _finished(standing, _stopped(standing, stop, reason), now)
        case Phase.ENDED:
            raise ValueError("expected an attempt that has not ended")


def _failed(
    standing: Standing,
    traits: Traits,
    reason: str,
    now: dt.datetime,
    chance: float,
    *,
    heard: bool,
    gone: bool = False,
) -> Moved:
    """Return what a question without an answer means; `heard` says whether the engine may have acted on it."""
    doubtful = standing.doubtful or (heard and standing.phase is Phase.SENDING)
    failing = dataclasses.replace(
        standing,
        phase=_unsent(dataclasses.replace(standing, doubtful=doubtful)),
        doubtful=doubtful,
        failing_since=standing.failing_since or now,
        gone_since=(standing.gone_since or now) if gone else None,
        failures=standing.failures + 1,
        trouble=reason,
    )
    finish = _given_up(failing, traits, now)
    if finish is not None:
        return _finished(failing, finish, now)
    wait = max(
        _backoff(failing.failures), traits.interval if failing.phase is Phase.ACCEPTED else dt.timedelta()
    )
    next_at = now + wait * (1 + SPREAD * chance)
    return Moved(failing, next_at if failing.stop is not None else min(next_at, failing.deadline))


def _given_up(failing: Standing, traits: Traits, now: dt.datetime) -> Finish | None:
    """Return the end of an attempt about which there is no use in asking again."""
    impatient = now - (failing.failing_since or now) >= traits.patience
    match failing.phase:
        case Phase.READY if impatient:
            return Finish(Outcome.NOT_STARTED, failing.trouble)
        case Phase.UNSURE:
            step = _settle(failing, traits)
            if impatient or isinstance(step, Finish):
                return Finish(Outcome.LOST, failing.trouble)
        case Phase.ACCEPTED if failing.stop is not None and impatient:
            return _stopped(failing, Stop(Outcome.LOST, failing.stop.reason), "the engine could not be told")
        case Phase.ACCEPTED if now - (failing.gone_since or now) >= traits.patience:
            return Finish(Outcome.LOST, failing.trouble)
        case Phase.STOPPED if failing.stop is not None:
            return _stopped(failing, failing.stop, "the engine was told")
        case _:
            pass
    return None


def _finished(standing: Standing, finish: Finish, now: dt.datetime) -> Moved:
    # By the handle the engine can be asked, with whatever it may hold: nobody needs it any more.
    return Moved(dataclasses.replace(standing, phase=Phase.ENDED, handle=None), now, finish)


def _backoff(failures: int) -> dt.timedelta:
    """Return the wait after so many failures in a row: 1 s, doubled up to a minute."""
    return min(dt.timedelta(seconds=2 ** min(failures - 1, 10)), LONGEST_BACKOFF)
