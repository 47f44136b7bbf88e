"""What has words of the index, in which way: one statement for all ways."""

import uuid
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

from catalog.search.texts import KINDS, Field, Kind, kind_key, word_key
from catalog.search.words import whole_of
from web.graphql.request import QueryRequest
from web.search.expanding import QUERIES, known_words
from web.search.hits import Fit, SearchFilters

#: What fits in one way and is kept; shorter names first.
MOST_KEPT = 500
#: What is looked at in order to find those; of more the order is left open.
MOST_LOOKED_AT = 2_000


class Way(NamedTuple):
    """One way of fitting: of each set of keys an entry must have one."""

    fit: Fit
    keys: Sequence[Sequence[int]]


class Candidate(NamedTuple):
    """An entry of the index, and the best way in which it fits."""

    kind: Kind
    id: uuid.UUID
    namespace: str
    name: str
    fit: Fit


@dataclass(frozen=True, slots=True)
class Restriction:
    """Filters in the form of the index: keys that every entry must have."""

    keys: Sequence[int]
    namespace: str | None


def restriction_of(request: QueryRequest, filters: SearchFilters) -> Restriction | None:
    """Return what the filters ask of an entry; None where nothing can fulfil them."""
    wanted = [
        *((Field.TAG, tag) for tag in filters.tags),
        *((Field.OWNER, owner) for owner in filters.owners),
        *((Field.COLUMN, column) for column in filters.columns),
    ]
    if filters.namespace is not None:
        wanted.append((Field.NAMESPACE, filters.namespace))
    known = known_words(request, [whole_of(text) for _, text in wanted])
    keys = []
    for field, text in wanted:
        number = known.get(whole_of(text))
        if number is None:
            return None
        keys.append(word_key(number, field))
    return Restriction(keys, filters.namespace) if filters.kinds else None


def find(
    request: QueryRequest, ways: Sequence[Way], restriction: Restriction, kinds: Sequence[Kind]
) -> tuple[list[Candidate], bool]:
    """Return each entry that fits in one of the ways, and whether those are all."""
    if not ways:
        return [], True
    parameters: dict[str, Any] = {
        "filters": list(restriction.keys),
        "kinds": [kind_key(kind) for kind in kinds],
        "namespace": restriction.namespace,
        "looked_at": MOST_LOOKED_AT + 1,
        "kept": MOST_KEPT,
    }
    always = ["words @> %(filters)s::bigint[]"] if restriction.keys else []
    # Every entry has one of the keys of all kinds: to ask for one would read the whole index.
    always += ["words && %(kinds)s::bigint[]"] if set(kinds) != set(KINDS) else []
    always += ["namespace = %(namespace)s"] if restriction.namespace is not None else []
    parts = []
    for number, way in enumerate(ways):
        names = [f"words_{number}_{place}" for place in range(len(way.keys))]
        parameters.update({name: list(keys) for name, keys in zip(names, way.keys, strict=True)})
        parameters[f"way_{number}"] = number
        conditions = [*always, *(f"words && %({name})s::bigint[]" for name in names)] or ["true"]
        part = QUERIES["way"].replace(b"/* conditions */", " AND ".join(conditions).encode())
        parts.append(part.replace(b"/* way */", f"%(way_{number})s::int".encode()))
    # Conditions name parameters; nothing that anybody sent stands in them.
    rows = request.rows(b"\nUNION ALL\n".join(parts), **parameters)
    found: dict[tuple[str, uuid.UUID], Candidate] = {}
    complete = True
    for number, kind, entry, namespace, name, count in rows:
        complete = complete and count <= MOST_KEPT
        candidate = Candidate(kind, entry, namespace, name, ways[number].fit)
        known = found.get((kind, entry))
        if known is None or candidate.fit < known.fit:
            found[kind, entry] = candidate
    return list(found.values()), complete
