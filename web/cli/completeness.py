"""Whether an answer of the graph is everything, as people are told it on stderr."""

from collections.abc import Mapping
from typing import Any

from web.cli.output import say, warn
from web.cli.text import shown

#: Node ids of the frontier that are named on stderr; --json has them all.
NAMED_FRONTIER = 10

_MEANINGS = {
    "DEPTH": "there is more beyond --depth",
    "NODE_LIMIT": "there is more than --max-nodes",
    "TIME": "the time for one answer was over",
    "PARKED": "observations that touch it could not be applied: `headwater follower list`",
    "RESTRICTED": "you may not see everything",
}


def say_completeness(completeness: Mapping[str, Any], size: str) -> None:
    """Say whether the answer of this size is everything, else why not and where it stopped."""
    if completeness["complete"]:
        say(f"complete: {size}")
        return
    reason = completeness["reason"]
    frontier = completeness["frontier"]
    meaning = _MEANINGS.get(reason, "not everything is here")
    warn(f"incomplete ({reason}): {meaning}; {size}")
    for place in frontier[:NAMED_FRONTIER]:
        say(f"  stopped at {shown(place)}")
    if len(frontier) > NAMED_FRONTIER:
        say(f"  and at {len(frontier) - NAMED_FRONTIER} more")
