"""The facets of datasets and of jobs as they were sent: of each, what the greatest event said."""

import uuid
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

import orjson
import psycopg

from catalog.openlineage.events import Order
from catalog.openlineage.facets import Stated
from hooks.observing.memory import FacetRegister, Memory
from hooks.observing.queries import QUERIES


@dataclass(slots=True)
class Facets:
    """Rows of `dataset_facet` or of `job_facet`, and of `facet_body`."""

    connection: psycopg.Connection[Any]
    memory: Memory
    of: Literal["dataset", "job"]
    _dirty: set[uuid.UUID] = field(default_factory=set)
    _new_bodies: dict[bytes, bytes] = field(default_factory=dict)

    def load(self, owners: Iterable[uuid.UUID]) -> None:
        """Read the facets of those that are not remembered."""
        known = self.memory.facets
        unknown = [owner for owner in owners if owner not in known]
        if unknown:
            known.update((owner, {}) for owner in unknown)
            rows = self.connection.execute(QUERIES[f"{self.of}_facets"], {"ids": unknown})
            for owner, orders, facets in rows:
                known[owner] = {
                    name: FacetRegister(orders[place], None if digest is None else bytes.fromhex(digest))
                    for name, (place, digest) in facets.items()
                }

    def see(self, owner: uuid.UUID, stated: Stated, order: Order) -> None:
        """Take what an event of this order says of a dataset or job that was loaded."""
        known = self.memory.facets[owner]
        for name, body in stated.items():
            told = known.get(name)
            if told is None or told.order < order:
                if body is None:
                    known[name] = FacetRegister(order, None)
                else:
                    known[name] = FacetRegister(order, body.digest)
                    if body.digest not in self.memory.facet_bodies:
                        self.memory.facet_bodies.add(body.digest)
                        self._new_bodies[body.digest] = body.json
                self._dirty.add(owner)

    def flush(self) -> None:
        """Write the facets that changed or were told again by a greater event, and the new bodies."""
        if self._new_bodies:
            self.connection.execute(
                QUERIES["save_facet_bodies"],
                {
                    "digests": [digest.hex() for digest in self._new_bodies],
                    "bodies": list(self._new_bodies.values()),
                },
            )
        if self._dirty:
            rows = [_packed(self.memory.facets[owner]) for owner in self._dirty]
            self.connection.execute(
                QUERIES[f"save_{self.of}_facets"],
                {
                    "ids": list(self._dirty),
                    "orders": [orders for orders, _ in rows],
                    "facets": [facets for _, facets in rows],
                },
            )


def _packed(registers: Mapping[str, FacetRegister]) -> tuple[str, str]:
    """Return the columns of a row: the orders, joined by commas, and the facets with places in them.

    The same registers make the same row, in whatever order they were told.
    """
    orders = sorted({register.order for register in registers.values()})
    place = {order: index for index, order in enumerate(orders)}
    facets = {
        name: [place[order], None if digest is None else digest.hex()]
        for name, (order, digest) in registers.items()
    }
    return ",".join(orders), orjson.dumps(facets).decode()
