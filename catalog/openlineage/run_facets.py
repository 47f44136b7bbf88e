"""The facets of one run, of its job and of its datasets, merged from its events when they are asked for.

    facets_of_run(events) -> RunFacets        events: (digest, body) of RunEvents of one run, in any order

Of each facet the greatest event's counts, as in `merge`; one that this event deletes is not told.
"""

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from catalog.keys import DatasetKey
from catalog.openlineage.canonical import canonical_form, parse_json
from catalog.openlineage.envelope import RunEnvelope, envelope_of
from catalog.openlineage.events import Order, order_of
from catalog.openlineage.facets import facets_in, is_deleted


class ToldFacet(NamedTuple):
    """A facet as it was sent, with the order of the event that told it."""

    order: Order
    facet: dict[str, Any]

    @property
    def json(self) -> bytes:
        """The facet as canonical JSON."""
        return canonical_form(self.facet)


ToldFacets = dict[str, ToldFacet]


@dataclass(frozen=True, slots=True)
class RunFacets:
    """Facets by name: of the run, and of each dataset as the run's input and as its output.

    Those of the job and of `datasets` are what this run told of them; what all runs told together stands in registers.
    """

    run: ToldFacets = field(default_factory=dict)
    job: ToldFacets = field(default_factory=dict)
    datasets: dict[DatasetKey, ToldFacets] = field(default_factory=dict)
    inputs: dict[DatasetKey, ToldFacets] = field(default_factory=dict)
    outputs: dict[DatasetKey, ToldFacets] = field(default_factory=dict)


def facets_of_run(events: Iterable[tuple[bytes, bytes]]) -> RunFacets:
    """Return what the events of one run say in their facets."""
    found = RunFacets()
    for digest, body in events:
        value = parse_json(body)
        envelope = envelope_of(value)
        if not isinstance(envelope, RunEnvelope):
            continue
        order = order_of(envelope.event_time, envelope.event_type, digest)
        _take(found.run, value["run"].get("facets"), order)
        _take(found.job, value["job"].get("facets"), order)
        for key, dataset in (*envelope.inputs, *envelope.outputs):
            _take(found.datasets.setdefault(key, {}), dataset.get("facets"), order)
        for key, dataset in envelope.inputs:
            _take(found.inputs.setdefault(key, {}), dataset.get("inputFacets"), order)
        for key, dataset in envelope.outputs:
            _take(found.outputs.setdefault(key, {}), dataset.get("outputFacets"), order)
    of_datasets = (*found.datasets.values(), *found.inputs.values(), *found.outputs.values())
    for told in (found.run, found.job, *of_datasets):
        for name in [name for name, (_, facet) in told.items() if is_deleted(facet)]:
            del told[name]
    return found


def _take(told: ToldFacets, facets: Any, order: Order) -> None:
    for name, facet in facets_in(facets).items():
        known = told.get(name)
        # A dataset may stand twice in one event; then the later facet counts.
        if known is None or known.order <= order:
            told[name] = ToldFacet(order, facet)
