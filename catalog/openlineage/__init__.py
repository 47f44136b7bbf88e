"""OpenLineage as Headwater hears it: from received bytes to valid events, merged runs and lineage.

Everything here is pure: no database, no clock, no network. It imports `catalog.errors` and `catalog.keys`.

In the order of the stream: `decoding` and `batch` (what came over the wire), `canonical` and `redaction`,
`envelope` (what every event must have), `receive`; then `facets` and `events` (what a stored event says),
`merge` (what a run's events say together), `shape` (what that means for lineage).
"""
