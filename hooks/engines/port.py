"""What an outside engine is asked to do with an attempt, and everything that it can say."""

import datetime as dt
import uuid
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Protocol

from catalog.keys import name_based_uuid
from hooks.due_runs import DueRun

#: What an engine's adapter keeps of the answer, to ask and cancel by: plain values of JSON.
Handle = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class EngineAttempt:
    """One try at one pipeline run, as an engine's adapter needs it."""

    run: DueRun
    number: int
    openlineage_url: str

    @property
    def id(self) -> uuid.UUID:
        """The attempt's own UUID: the same each time it is sent, and no other attempt's."""
        return name_based_uuid("attempt", str(self.run.run_id), str(self.number))


@dataclass(frozen=True, slots=True)
class Traits:
    """What the engine can be asked for about an attempt.

    `repeatable`: it starts nothing anew for an attempt that it has had. `findable`: it can be asked about an attempt
    whose acceptance nobody has seen. `cancellable` and `cancellable_unseen`: the same for its end.
    """

    repeatable: bool
    findable: bool
    cancellable: bool
    cancellable_unseen: bool
    interval: dt.timedelta
    #: How long an engine that cannot be reached, or does not know the attempt any more, is asked again.
    patience: dt.timedelta
    #: Longest time that one exchange with it takes.
    longest: dt.timedelta


@dataclass(frozen=True, slots=True)
class Accepted:
    """The engine has the attempt and will say by its handle how it stands."""

    origin: str
    handle: Handle
    told: str


@dataclass(frozen=True, slots=True)
class Going:
    """The engine has the attempt, and it has not ended."""

    origin: str
    told: str


@dataclass(frozen=True, slots=True)
class Ended:
    """The attempt has ended."""

    origin: str
    succeeded: bool
    reason: str
    told: str


@dataclass(frozen=True, slots=True)
class Declined:
    """The engine did nothing and asks to come back later; None where it does not say when."""

    until: dt.datetime | None
    told: str
    reason: str = "the engine asked to come back later"


@dataclass(frozen=True, slots=True)
class Unreached:
    """Nobody can have heard the question; asked again later it may be heard."""

    reason: str


@dataclass(frozen=True, slots=True)
class Impossible:
    """The question cannot be put, now or later; nobody has heard it."""

    reason: str


@dataclass(frozen=True, slots=True)
class Unclear:
    """The question may have been heard; there is no answer, or none that can be understood.

    `lasting` says that asking again is not likely to help.
    """

    reason: str
    told: str = ""
    lasting: bool = False


@dataclass(frozen=True, slots=True)
class Absent:
    """The engine does not have the attempt. `certain` says that it never had it, else it may have forgotten it."""

    certain: bool
    told: str


@dataclass(frozen=True, slots=True)
class Stopped:
    """The engine was told to end the attempt and took it; or it has nothing that could be ended."""

    told: str


SendAnswer = Accepted | Ended | Declined | Unreached | Impossible | Unclear
AskAnswer = Going | Ended | Absent | Declined | Unreached | Impossible | Unclear
CancelAnswer = Stopped | Declined | Unreached | Impossible | Unclear


class Engine(Protocol):
    """An adapter to one kind of outside engine. It never raises for what the engine or the network does."""

    def traits(self, attempt: EngineAttempt) -> Traits:
        """Return what the engine can be asked for about this attempt."""
        ...

    async def send(self, attempt: EngineAttempt, *, again: bool) -> SendAnswer:
        """Ask the engine to start the attempt; `again` says that it may have been asked before."""
        ...

    async def ask(self, attempt: EngineAttempt, handle: Handle | None) -> AskAnswer:
        """Ask how it stands; without a handle where its acceptance was never seen."""
        ...

    async def cancel(self, attempt: EngineAttempt, handle: Handle | None) -> CancelAnswer:
        """Ask the engine to end it."""
        ...
