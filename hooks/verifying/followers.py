"""How far the followers have come: never beyond their logs, and past every record exactly once."""

from typing import Any

import psycopg

from hooks.verifying.finding import Findings
from hooks.verifying.queries import QUERIES


def verify_followers(connection: "psycopg.Connection[Any]") -> Findings:
    """Return whether each cursor lies within its log and the state follower took every fact up to its own."""
    found = Findings("followers", (1, 2))
    for name, cursor, processed, below, last in connection.execute(QUERIES["followers"]):
        found.look()
        if cursor > last:
            found.add(f"the {name} follower stands at {cursor}, beyond the end of its log at {last}")
        # A rebuild of the graph moves its cursor without counting, so only the state follower's count is told.
        if name == "state" and processed != below:
            found.add(f"the state follower took {processed} facts, and {below} lie up to its cursor {cursor}")
    for follower, position, cursor in connection.execute(QUERIES["parked_beyond"]):
        found.add(f"{follower} {position} is parked beyond the follower's cursor {cursor}")
    for follower, position in connection.execute(QUERIES["parked_nothing"]):
        found.add(f"{follower} {position} is parked and is not there")
    return found
