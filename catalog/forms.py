"""Forms of what processes of different releases hand to each other, so that an older one leaves what it cannot read.

During a rolling restart two releases work on one database. Whoever meets something that only a newer release knows
raises `NotUnderstood`: it is left where it is, told, and never parked as a fault; a worker of the newer release takes
it. A new kind of fact, observation or task is known by its name. Where the meaning of what a follower writes changes
(a new state of a run, another format of a merged run), its number here is raised: from then on no older release
follows.
"""

from collections.abc import Mapping
from enum import Enum
from typing import Any, TypeVar

from pydantic import BaseModel, ValidationError

from catalog.errors import NotUnderstood

#: What the state follower writes, and what stage 2 reads of it.
STATE_FORM = 1
#: What the graph follower writes.
GRAPH_FORM = 1
#: What the follower of the outbox writes.
WEBHOOK_FORM = 1

Word = TypeVar("Word", bound=Enum)
Document = TypeVar("Document", bound=BaseModel)


def understood(words: type[Word], value: object) -> Word:
    """Return the word of the set that the value is; raise `NotUnderstood` for one that this release does not have."""
    try:
        return words(value)
    except ValueError as error:
        raise NotUnderstood(
            f"expected a {words.__name__} that this release knows, found {value!r}"[:300]
        ) from error


def stored(model: type[Document], body: Mapping[str, Any]) -> Document:
    """Return a stored document as its model; raise `NotUnderstood` where the model refuses it.

    It was valid when it was stored, so a newer release stored it.
    """
    try:
        return model.model_validate(body)
    except ValidationError as error:
        name = body.get("metadata", {}).get("name")
        raise NotUnderstood(
            f"the stored document {model.__name__}/{name} has a form that this release does not know"
        ) from error
