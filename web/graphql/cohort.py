"""Records and their cohorts: what one record of a list is asked for is read for the whole list at once.

A list of 10,000 datasets whose versions are asked for costs one statement for the versions, without futures or
look-ahead: the first dataset whose versions are resolved reads those of all its siblings. What is read so is a list of
records again, a cohort of its own, and so on down the query.
"""

from collections.abc import Callable, Hashable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Concatenate, Generic, ParamSpec, TypeVar, cast

if TYPE_CHECKING:
    from web.graphql.request import QueryRequest

Member = TypeVar("Member", bound="Record")
Value = TypeVar("Value")
Arguments = ParamSpec("Arguments")


@dataclass(slots=True, eq=False)
class Record:
    """A row that an answer is made of; it knows with whom it was read."""

    cohort: "Cohort[Any]" = field(init=False, repr=False)


class Cohort(Generic[Member]):
    """Records that one statement read for one request."""

    __slots__ = ("_answers", "members", "request")

    def __init__(self, request: "QueryRequest", members: Sequence[Member]) -> None:
        self.request = request
        self.members = members
        self._answers: dict[Hashable, Mapping[Any, Any]] = {}
        for member in members:
            member.cohort = self

    def ask(
        self,
        read: "Callable[Concatenate[QueryRequest, Sequence[Any], Arguments], Mapping[Any, Value]]",
        *arguments: Arguments.args,
        **keywords: Arguments.kwargs,
    ) -> Mapping[Any, Value]:
        """Return what `read` answers for all members; it is called once for the same arguments."""
        question = (read, arguments, tuple(sorted(keywords.items())))
        found = self._answers.get(question)
        if found is None:
            self.request.check_time()
            found = self._answers[question] = read(self.request, self.members, *arguments, **keywords)
        return cast("Mapping[Any, Value]", found)


def in_cohort(request: "QueryRequest", members: Sequence[Member]) -> Sequence[Member]:
    """Return the members, which from now on are asked together."""
    Cohort(request, members)
    return members
