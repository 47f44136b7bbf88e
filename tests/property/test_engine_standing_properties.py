"""Whatever engine, network and workers do, an attempt starts at most once and comes to an end."""

import dataclasses
import datetime as dt
import random

from hypothesis import given, settings
from hypothesis import strategies as st

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
    Phase,
    Send,
    Standing,
    Step,
    Stop,
    after,
    due_stop,
    next_step,
    taken_up,
)

T0 = dt.datetime(2026, 1, 1, tzinfo=dt.UTC)
ORIGIN = "https://engine.example"


class Engine:
    """Keeps what the document says of it, and nothing else: it loses answers, is away, declines, forgets."""

    def __init__(self, traits: Traits, chooser: random.Random, *, declares_absence: bool) -> None:
        self.traits = traits
        self._chooser = chooser
        self._declares_absence = declares_absence
        self.starts = 0
        self.killed = False
        self.ends_after = chooser.randint(1, 6)

    def hear(self, step: Step) -> Answer:
        fate = self._chooser.choice(["heard", "heard", "lost", "away", "declined", "broken"])
        if fate == "away":
            return Unreached("away")
        if fate == "declined":
            return Declined(None, "429")
        answer = self._act(step)
        if fate == "lost":
            return Unclear("no answer")
        return Unclear("no JSON") if fate == "broken" else answer

    def _act(self, step: Step) -> Answer:
        match step:
            case Send():
                if self.starts == 0 or not self.traits.repeatable:
                    self.starts += 1
                return Accepted(ORIGIN, {}, "202")
            case Ask():
                if self.starts == 0:
                    return Absent(self._declares_absence, "404")
                self.ends_after -= 1
                if self.killed:
                    return Ended(ORIGIN, False, "KILLED", "")
                return Going(ORIGIN, "") if self.ends_after > 0 else Ended(ORIGIN, True, "DONE", "")
            case Cancel():
                self.killed = True
                return Stopped("202")
            case Finish():
                raise AssertionError("an end is not asked for")


@settings(max_examples=400)
@given(
    seed=st.integers(0, 2**32),
    repeatable=st.booleans(),
    findable=st.booleans(),
    absent=st.booleans(),
    cancellable=st.booleans(),
    crash_share=st.sampled_from([0.0, 0.3]),
    cancel_at=st.none() | st.integers(0, 20),
)
def test_an_attempt_starts_at_most_once_and_ends(
    seed: int,
    repeatable: bool,
    findable: bool,
    absent: bool,
    cancellable: bool,
    crash_share: float,
    cancel_at: int | None,
) -> None:
    chooser = random.Random(seed)
    traits = Traits(
        repeatable=repeatable,
        findable=findable,
        cancellable=cancellable,
        cancellable_unseen=cancellable and findable,
        interval=dt.timedelta(seconds=10),
        patience=dt.timedelta(minutes=5),
        longest=dt.timedelta(seconds=10),
    )
    engine = Engine(traits, chooser, declares_absence=absent)
    standing = Standing(Phase.READY, T0 + dt.timedelta(hours=1))
    now = T0
    finish: Finish | None = None
    for number in range(2000):
        if number == cancel_at:
            standing = dataclasses.replace(standing, stop=Stop(Outcome.CANCELLED, "not wanted"))
        standing = due_stop(taken_up(standing), now)
        step = next_step(standing, traits)
        if isinstance(step, Finish):
            finish = step
            break
        if isinstance(step, Send):
            assert standing.stop is None
            standing = dataclasses.replace(standing, phase=Phase.SENDING)
        answer = engine.hear(step) if chooser.random() > 0.05 else Impossible("no secret here")
        if chooser.random() < crash_share:
            # The worker dies with the answer in its hand; another takes over when its time is up.
            now += dt.timedelta(seconds=15)
            continue
        moved = after(standing, traits, answer, now, chooser.random())
        assert moved.next_at >= now
        standing, now, finish = moved.standing, max(moved.next_at, now), moved.finish
        if finish is not None:
            break
    assert finish is not None
    assert engine.starts <= 1
    # What is said of the end is true.
    match finish.outcome:
        case Outcome.SUCCEEDED | Outcome.FAILED:
            assert engine.starts == 1
        case Outcome.NOT_STARTED:
            assert engine.starts == 0
        case _:
            pass
    # Nobody waits much longer than the deadline and what patience adds to it.
    assert now <= T0 + dt.timedelta(hours=1, minutes=15)
