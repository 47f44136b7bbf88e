"""What the resolvers of a subscription have: the logs that can be followed, and a way to read first."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeVar

from web.changes import Changes
from web.graphql.readers import Authorise, Readers
from web.graphql.request import QueryRequest

Found = TypeVar("Found")


@dataclass(frozen=True, slots=True)
class SubscribeRequest:
    """One subscription while it lasts; used on the event loop."""

    changes: Changes
    readers: Readers
    authorise: Authorise

    async def read(self, work: Callable[[QueryRequest], Found]) -> Found:
        """Return what the work finds in one snapshot, in a thread."""
        return await self.readers.read(work, self.authorise)
