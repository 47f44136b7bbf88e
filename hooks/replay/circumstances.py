"""What bore on how the facts were applied and is no fact itself: records left out or late, bounds then in force.

With it a replay takes the same way as the follower that was there.
"""

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import psycopg

from catalog.queries import load_queries

QUERIES = load_queries(Path(__file__).with_name("replay.sql"))


@dataclass(frozen=True, slots=True)
class Late:
    """A parked fact that was applied again with success when the cursor stood at `after`."""

    position: int
    after: int


@dataclass(frozen=True, slots=True)
class Circumstances:
    """How the state follower came to its cursor, `until`.

    `causal_depths` are the bounds that decisions saw: (position, bound), where the bound was another than before.
    """

    until: int
    left_out: frozenset[int] = frozenset()
    late: tuple[Late, ...] = ()
    causal_depths: tuple[tuple[int, int], ...] = ()
    #: Cursors at which a batch must end, ascending.
    cuts: tuple[int, ...] = field(init=False)

    def __post_init__(self) -> None:
        cuts = {late.after for late in self.late} | {position - 1 for position, _ in self.causal_depths}
        object.__setattr__(self, "cuts", tuple(sorted(cuts)))

    def causal_depth_after(self, cursor: int, default: int) -> int:
        """Return the bound on the causal chain that counts for the fact after the cursor."""
        known = [depth for position, depth in self.causal_depths if position <= cursor + 1]
        return known[-1] if known else default

    def late_at(self, cursor: int) -> list[int]:
        """Return the facts that were applied late when the cursor stood there, in the order of that."""
        return [late.position for late in self.late if late.after == cursor]


def read_circumstances(connection: "psycopg.Connection[Any]") -> Circumstances:
    """Return how the state follower came to where it stands."""
    row = connection.execute(QUERIES["cursor"]).fetchone()
    until = int(row[0]) if row else 0
    late = tuple(Late(position, after) for position, after in connection.execute(QUERIES["late"]))
    left_out = {position for (position,) in connection.execute(QUERIES["left_out"])}
    depths = tuple(connection.execute(QUERIES["causal_depths"]).fetchall())
    return Circumstances(until, frozenset(left_out | {each.position for each in late}), late, depths)
