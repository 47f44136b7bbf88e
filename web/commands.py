"""Commands that the state follower judges: appended as facts, and answered with its verdict."""

from typing import Any

from catalog.errors import (
    CausalLoop,
    Conflict,
    HeadwaterError,
    InvalidDocument,
    InvalidInput,
    InvalidTransition,
    NotFound,
)
from catalog.ledger import NewFact
from web.following import StateWaiter
from web.ingest.group_commit import GroupCommit

_REFUSALS: dict[str, type[HeadwaterError]] = {
    error.code: error
    for error in (NotFound, Conflict, InvalidTransition, CausalLoop, InvalidDocument, InvalidInput)
}


class CommandGateway:
    """Submits commands and waits for their verdicts."""

    def __init__(self, group_commit: GroupCommit, waiter: StateWaiter, *, seconds: float = 10.0) -> None:
        self._group_commit = group_commit
        self._waiter = waiter
        self._seconds = seconds

    async def submit(self, fact: NewFact) -> tuple[int, dict[str, Any]]:
        """Return the position and the result of an accepted command; raise the refusal of a refused one.

        Raises `PositionNotReached` when no worker answers in time: the command is kept and will be carried out.
        """
        (appended,) = await self._group_commit.append([fact])
        result = await self._waiter.result(appended.position, seconds=self._seconds)
        if not result.accepted:
            error = _REFUSALS.get(result.code or "", HeadwaterError)
            raise error(result.message, position=appended.position)
        return appended.position, result.result
