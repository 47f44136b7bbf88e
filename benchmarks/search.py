"""Search over GraphQL on 100,000 datasets with columns, tags, owners and descriptions; substring scans beside it."""

import datetime as dt
import http.client
import itertools
import json
import random
import time
from collections.abc import Iterator
from typing import Any

import psycopg

from benchmarks.layered_graph import SEED
from benchmarks.load import events_body, post_all, request
from benchmarks.machine import machine, percentile
from benchmarks.server import Server, running_server, temporary_folder

DATASETS = 100_000
BATCH = 500
#: Questions of each kind.
ASKED = 100
WARM = 5
AT = dt.datetime(2026, 1, 1, tzinfo=dt.UTC)
SPEC = "https://openlineage.io/spec"
SYLLABLES = (
    "ba",
    "co",
    "di",
    "fer",
    "gal",
    "hu",
    "jin",
    "kor",
    "lem",
    "mo",
    "nu",
    "pas",
    "qui",
    "ra",
    "sol",
    "tev",
)
AREAS = ("sales", "finance", "logistics", "marketing", "people", "support", "product", "risk")
COMMON = ("id", "created_at", "updated_at")
QUERY = """
query($text: String!, $filters: SearchFilter) {
  search(text: $text, filters: $filters, first: 20) {
    nodes { id match foundIn { field text column } dataset { id } }
    totalCount complete
  }
}
"""


def _words(count: int) -> list[str]:
    """Return so many made-up words, the same ones each time."""
    chance = random.Random(SEED)
    found = dict.fromkeys(())
    while len(found) < count:
        found["".join(chance.choices(SYLLABLES, k=chance.randint(2, 4)))] = None
    return list(found)


WORDS = _words(3_000)


def _facet(name: str, **said: Any) -> dict[str, Any]:
    return {"_producer": "https://example.com", "_schemaURL": f"{SPEC}/facets/1-0-0/{name}.json", **said}


def _events() -> Iterator[dict[str, Any]]:
    chance = random.Random(SEED)
    for number in range(DATASETS):
        columns = [*COMMON, *(f"{chance.choice(WORDS)}_{chance.choice(WORDS)}" for _ in range(7))]
        noun = chance.choice(WORDS)
        facets = {
            "schema": _facet(
                "SchemaDatasetFacet",
                fields=[
                    {"name": column, "type": "VARCHAR", "description": f"The {column} of the {noun}."}
                    for column in columns
                ],
            ),
            "documentation": _facet(
                "DocumentationDatasetFacet",
                description=" ".join(chance.choices(WORDS, k=20)).capitalize() + ".",
            ),
            "ownership": _facet(
                "OwnershipDatasetFacet", owners=[{"name": f"team:{chance.choice(WORDS[:300])}"}]
            ),
        }
        if number % 3 == 0:
            facets["tags"] = _facet("TagsDatasetFacet", tags=[{"key": chance.choice(("pii", "gold", "raw"))}])
        yield {
            "eventTime": (AT + dt.timedelta(seconds=number)).isoformat(),
            "producer": "https://example.com/benchmark",
            "schemaURL": f"{SPEC}/2-0-2/OpenLineage.json#/$defs/DatasetEvent",
            "dataset": {
                "namespace": "warehouse",
                "name": f"{chance.choice(AREAS)}.{noun}_{chance.choice(WORDS)}_{number}",
                "facets": facets,
            },
        }


def _questions() -> dict[str, list[tuple[str, dict[str, Any] | None]]]:
    chance = random.Random(SEED + 1)

    def words(count: int) -> str:
        return " ".join(chance.choices(WORDS, k=count))

    def wrong(word: str) -> str:
        place = chance.randrange(1, len(word))
        return f"{word[:place]}x{word[place + 1 :]}"

    kinds: dict[str, Any] = {
        "one_word": lambda: (words(1), None),
        "beginning": lambda: (words(1)[:5], None),
        "two_words": lambda: (words(2), None),
        "typing_error": lambda: (wrong(words(1)), None),
        "in_every_dataset": lambda: (chance.choice((*COMMON, "team", "the")), None),
        "area_of_names": lambda: (chance.choice(AREAS), None),
        "column_filter": lambda: (chance.choice(AREAS), {"columns": ["created_at"], "tags": ["pii"]}),
        "owner": lambda: ("*", {"owners": [chance.choice(WORDS[:300])], "kinds": ["DATASET"]}),
    }
    return {kind: [make() for _ in range(ASKED + WARM)] for kind, make in kinds.items()}


def _load(server: Server) -> dict[str, float]:
    """Send all events; return the seconds until they were followed, and until all of them could be found."""
    started = time.perf_counter()
    events = _events()
    batches = iter(lambda: list(itertools.islice(events, BATCH)), [])
    answers, _ = post_all(
        server.port, [request("/api/v1/lineage/batch", events_body(batch)) for batch in batches], 2
    )
    answers.check()
    server.wait_until_followed(1_200)
    followed = time.perf_counter() - started
    server.wait_until_found(1_200)
    found = time.perf_counter() - started
    with psycopg.connect(server.database_url, autocommit=True) as connection:
        connection.execute("VACUUM (ANALYZE)")
    return {"followed_s": round(followed, 1), "indexed_s": round(found, 1)}


def _measured(server: Server) -> dict[str, Any]:
    connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=120)
    figures: dict[str, Any] = {}
    every: list[float] = []
    for kind, questions in _questions().items():
        taken, hits, complete = list[float](), list[int](), 0
        for turn, (text, filters) in enumerate(questions):
            body = json.dumps({"query": QUERY, "variables": {"text": text, "filters": filters}})
            started = time.perf_counter()
            connection.request("POST", "/graphql", body, {"Content-Type": "application/json"})
            answer = json.loads(connection.getresponse().read())
            milliseconds = (time.perf_counter() - started) * 1000
            if "errors" in answer:
                raise RuntimeError(str(answer)[:1000])
            if turn >= WARM:
                taken.append(milliseconds)
                hits.append(answer["data"]["search"]["totalCount"])
                complete += answer["data"]["search"]["complete"]
        every += taken
        figures[kind] = {
            "p50_ms": round(percentile(taken, 0.5), 1),
            "p95_ms": round(percentile(taken, 0.95), 1),
            "hits_p50": percentile(hits, 0.5),
            "complete": complete,
        }
    connection.close()
    return {
        "n": len(every),
        "p50_ms": round(percentile(every, 0.5), 1),
        "p95_ms": round(percentile(every, 0.95), 1),
        **figures,
    }


def _reference(server: Server) -> dict[str, Any]:
    taken = []
    with psycopg.connect(server.database_url, autocommit=True) as connection:
        for text, _ in _questions()["one_word"][WARM : WARM + 20]:
            started = time.perf_counter()
            connection.execute(
                "SELECT count(*) FROM search_entry WHERE name ILIKE %(text)s OR texts ILIKE %(text)s",
                {"text": f"%{text}%"},
            ).fetchone()
            taken.append((time.perf_counter() - started) * 1000)
        ((size,),) = connection.execute(
            "SELECT sum(pg_total_relation_size(c)) FROM unnest('{search_entry,search_word}'::regclass[]) AS c"
        ).fetchall()
        ((words,),) = connection.execute("SELECT count(*) FROM search_word").fetchall()
    return {
        "index_mib": round(int(size) / 2**20),
        "index_words": words,
        "reference": {
            "what": "one word by ILIKE over names and texts, counted only",
            "p50_ms": round(percentile(taken, 0.5), 1),
        },
    }


def measure_search() -> dict[str, Any]:
    """Return what a page of 20 hits takes, questions of many kinds one after another."""
    with temporary_folder() as folder, running_server(folder) as server:
        loaded = _load(server)
        measured = _measured(server)
        reference = _reference(server)
    return {**measured, "datasets": DATASETS, **loaded, **reference, "machine": machine()}
