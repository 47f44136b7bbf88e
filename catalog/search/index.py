"""The index kept up to date: by the transaction that changes what something is found by, else by a worker.

Both hold a lock while they read the state and write entries, so that neither writes what the other knows better.
"""

import uuid
from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import orjson
import psycopg

from catalog.keys import HEADWATER_NAMESPACE
from catalog.openlineage.definition import DEFINITIONS_NAMESPACE
from catalog.progress import Progress, ShowProgress, no_progress
from catalog.queries import load_queries
from catalog.search.texts import (
    FACETS,
    Kind,
    Text,
    kind_key,
    texts_of_document,
    texts_of_facets,
    word_key,
    words_to_index,
)

QUERIES = load_queries(Path(__file__).with_name("index.sql"))

#: Held by whoever writes entries, until its transaction ends.
SEARCH_LOCK = 0x6865616477_06
#: Changes that are taken together.
BATCH = 200
#: Of so many changes of its own at most a transaction takes care; it has other things to do.
MOST_OWN = 50

Change = tuple[Kind, uuid.UUID]


@dataclass(frozen=True, slots=True)
class Entry:
    """What is stored of an entity that can be found."""

    kind: Kind
    id: uuid.UUID
    namespace: str
    name: str
    texts: Sequence[Text]


def take_own_changes(connection: "psycopg.Connection[Any]") -> None:
    """Bring the index up to what the caller's transaction has changed.

    The caller waits for nobody: more than `MOST_OWN`, and all while another writes entries, are left to workers.
    """
    changes = list(dict.fromkeys(connection.execute(QUERIES["own_changes"]).fetchall()))
    if not changes:
        return
    if len(changes) <= MOST_OWN and _has_lock(connection):
        _write(connection, changes)
    else:
        connection.execute(QUERIES["leave_changes"], _columns(changes))


def take_changes(connection: "psycopg.Connection[Any]") -> int:
    """Bring a batch of what has changed into the index, in a transaction; return how many changes it took.

    Takes none where another is at it.
    """
    with connection.transaction():
        if not _has_lock(connection):
            return 0
        changes = connection.execute(QUERIES["changes"], {"limit": BATCH}).fetchall()
        if changes:
            _write(connection, changes)
        return len(changes)


def change_everything(connection: "psycopg.Connection[Any]") -> None:
    """Empty the index within the caller's transaction, so that all of it is made anew."""
    connection.execute(QUERIES["lock"], {"key": SEARCH_LOCK})
    for name in ("forget_changes", "forget_entries", "forget_words", "change_everything"):
        connection.execute(QUERIES[name])


def rebuild(connection: "psycopg.Connection[Any]", progress: ShowProgress = no_progress) -> int:
    """Make the index anew on an autocommitting connection; return how many entries it has."""
    with connection.transaction():
        change_everything(connection)
    total = _count(connection, "waiting")
    while waiting := _count(connection, "waiting"):
        progress(Progress("search", max(0, total - waiting), total))
        with connection.transaction():
            # Waits for a worker that has begun to do the same.
            connection.execute(QUERIES["lock"], {"key": SEARCH_LOCK})
            changes = connection.execute(QUERIES["changes"], {"limit": BATCH}).fetchall()
            if changes:
                _write(connection, changes)
    progress(Progress("search", total, total))
    return _count(connection, "entries")


def _has_lock(connection: "psycopg.Connection[Any]") -> bool:
    """Return whether the transaction holds the lock from now on, without waiting for it."""
    row = connection.execute(QUERIES["try_lock"], {"key": SEARCH_LOCK}).fetchone()
    return row is not None and bool(row[0])


def _count(connection: "psycopg.Connection[Any]", query: str) -> int:
    row = connection.execute(QUERIES[query]).fetchone()
    return 0 if row is None else int(row[0])


def _write(connection: "psycopg.Connection[Any]", changes: Iterable[Change]) -> None:
    ids: defaultdict[Kind, set[uuid.UUID]] = defaultdict(set)
    for kind, changed in changes:
        ids[kind].add(changed)
    entries = [
        *_described(connection, "dataset", ids["dataset"]),
        *_described(connection, "job", ids["job"]),
        *_pipelines(connection, ids["pipeline"]),
    ]
    found = {(entry.kind, entry.id) for entry in entries}
    gone = [
        (kind, changed) for kind, all_of in ids.items() for changed in all_of if (kind, changed) not in found
    ]
    if gone:
        connection.execute(QUERIES["remove_entries"], _columns(gone))
    if entries:
        _save(connection, entries)


def _columns(changes: Sequence[Change]) -> dict[str, Any]:
    return {"kinds": [kind for kind, _ in changes], "ids": [changed for _, changed in changes]}


def _described(connection: "psycopg.Connection[Any]", kind: Kind, ids: Iterable[uuid.UUID]) -> list[Entry]:
    """Return the entries of datasets or of jobs; what stands for a definition is no job that anybody looks for."""
    wanted = list(ids)
    if not wanted:
        return []
    facets: defaultdict[uuid.UUID, dict[str, Mapping[str, Any]]] = defaultdict(dict)
    query = QUERIES[f"facets_of_{kind}s"]
    for owner, name, body in connection.execute(query, {"ids": wanted, "names": list(FACETS)}):
        value = orjson.loads(body)
        if isinstance(value, dict):
            facets[owner][name] = value
    return [
        Entry(kind, found, namespace, name, texts_of_facets(facets[found]))
        for found, namespace, name in connection.execute(QUERIES[f"{kind}s"], {"ids": wanted})
        if namespace != DEFINITIONS_NAMESPACE
    ]


def _pipelines(connection: "psycopg.Connection[Any]", ids: Iterable[uuid.UUID]) -> list[Entry]:
    wanted = list(ids)
    if not wanted:
        return []
    return [
        Entry("pipeline", found, HEADWATER_NAMESPACE, name, texts_of_document(body))
        for found, name, body in connection.execute(QUERIES["pipelines"], {"ids": wanted})
    ]


def _save(connection: "psycopg.Connection[Any]", entries: Sequence[Entry]) -> None:
    words = [words_to_index(entry.namespace, entry.name, entry.texts) for entry in entries]
    known = _numbers(connection, {word for found in words for word, _ in found})
    connection.execute(
        QUERIES["save_entries"],
        {
            "kinds": [entry.kind for entry in entries],
            "ids": [entry.id for entry in entries],
            "namespaces": [entry.namespace for entry in entries],
            "names": [entry.name for entry in entries],
            "texts": [orjson.dumps([list(text) for text in entry.texts]).decode() for entry in entries],
            "words": [
                _joined([kind_key(entry.kind), *[word_key(known[word], field) for word, field in found]])
                for entry, found in zip(entries, words, strict=True)
            ],
        },
    )


def _numbers(connection: "psycopg.Connection[Any]", words: Collection[str]) -> dict[str, int]:
    """Return the numbers of the words, new ones where they have none; the lock keeps others from giving any."""
    known = dict(connection.execute(QUERIES["words"], {"words": list(words)}).fetchall())
    # Neighbours in the index one after another.
    if missing := sorted(word for word in words if word not in known):
        known.update(connection.execute(QUERIES["add_words"], {"words": missing}).fetchall())
    return known


def _joined(keys: Iterable[int]) -> str:
    return ",".join(map(str, sorted(keys)))
