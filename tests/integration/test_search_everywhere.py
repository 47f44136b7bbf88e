"""Search beyond names: columns, tags, owners and descriptions, of datasets, jobs and pipelines, and its index."""

import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psycopg
import pytest

from catalog.facts import FactKind
from catalog.search.index import MOST_OWN, rebuild, take_changes
from tests.support.graphql import Asking, asked, completed
from tests.support.spine import (
    append,
    apply_fact,
    connect,
    fact_of_event,
    follow,
    parked,
    pipeline_body,
    run_event,
)
from tests.support.statements import counted_on
from tests.support.story import Story
from web.search.search import MOST_TEXT

SEARCH = """
query($text: String!, $filters: SearchFilter) {
  search(text: $text, filters: $filters, first: 100) {
    nodes { id kind match foundIn { field text column match } dataset { id } job { id } pipeline { name } }
    totalCount complete reason
  }
}
"""


@pytest.fixture
def connection(database_url: str) -> Iterator[psycopg.Connection[Any]]:
    with connect(database_url) as found:
        yield found


def hear(connection: psycopg.Connection[Any], *events: dict[str, Any]) -> None:
    append(connection, [fact_of_event(event) for event in events])
    follow(connection)
    assert parked(connection) == []


def described(name: str, *columns: Any, **facets: Any) -> dict[str, Any]:
    """Return a DatasetEvent; columns are names, or the entries of a schema."""
    fields = [{"name": column, "type": "text"} if isinstance(column, str) else column for column in columns]
    said = {"schema": {"fields": fields}, **facets} if fields else facets
    return {
        "eventTime": "2026-01-01T00:00:00Z",
        "producer": "https://example.com/test",
        "schemaURL": "https://openlineage.io/spec/2-0-2/OpenLineage.json#/$defs/DatasetEvent",
        "dataset": {"namespace": "ns", "name": name, "facets": said},
    }


def tags(*found: tuple[str, ...]) -> dict[str, Any]:
    """Return a tags facet of (key, value, column or nothing)."""
    return {"tags": [dict(zip(("key", "value", "field"), tag, strict=False)) for tag in found]}


def owners(*names: str) -> dict[str, Any]:
    return {"owners": [{"name": name, "type": "STEWARD"} for name in names]}


def shop(connection: psycopg.Connection[Any]) -> None:
    email = {"name": "email", "type": "text", "description": "Where the customer is written to."}
    address = {"name": "address", "type": "struct", "fields": [{"name": "zip", "type": "text"}]}
    hear(
        connection,
        described("crm.email", "id", "sent_at"),
        described(
            "crm.customers",
            "id",
            email,
            address,
            tags=tags(("pii", "true", "email"), ("tier", "gold")),
            ownership=owners("team:sales"),
        ),
        described("crm.orders", "id", "customer_email", ownership=owners("user:ann", "team:sales")),
        described("crm.visits", "id", documentation={"description": "Who came by e-mail, one row a visit."}),
    )


async def found(asking: Asking, text: str, **filters: Any) -> list[tuple[str, str, list[str]]]:
    """Return of each hit its id, how it fits, and where."""
    answer = (await asking.data(SEARCH, {"text": text, "filters": filters or None}))["search"]
    assert answer["complete"]
    for node in answer["nodes"]:
        assert [kind for kind in ("dataset", "job", "pipeline") if node[kind]] == [node["kind"].lower()]
    return [(node["id"], node["match"], [told(each) for each in node["foundIn"]]) for node in answer["nodes"]]


def told(found_in: dict[str, Any]) -> str:
    column = f" of {found_in['column']}" if found_in["column"] else ""
    return f"{found_in['field'].lower()}{column}: {found_in['text']}"


def ids(hits: list[tuple[str, str, list[str]]]) -> list[str]:
    return [hit[0].removeprefix("dataset:ns:") for hit in hits]


def test_names_before_columns_before_descriptions_and_fuzzy_last(
    connection: psycopg.Connection[Any], database_url: str, tmp_path: Path
) -> None:
    shop(connection)

    async def story(asking: Asking) -> None:
        assert await found(asking, "email") == [
            ("dataset:ns:crm.email", "PREFIX", ["name: crm.email"]),
            ("dataset:ns:crm.customers", "EXACT", ["column of email: email"]),
            ("dataset:ns:crm.orders", "PREFIX", ["column of customer_email: customer_email"]),
            # `mail` is one character away.
            ("dataset:ns:crm.visits", "FUZZY", ["description: Who came by e-mail, one row a visit."]),
        ]
        # A typing error, and the inside of a word, count for less than any beginning.
        assert [hit[:2] for hit in await found(asking, "emial")] == [
            ("dataset:ns:crm.email", "FUZZY"),
            ("dataset:ns:crm.orders", "FUZZY"),
            ("dataset:ns:crm.customers", "FUZZY"),
        ]
        # What is said of a column is found with the column.
        (hit,) = await found(asking, "written")
        assert hit == (
            "dataset:ns:crm.customers",
            "PREFIX",
            ["description of email: Where the customer is written to."],
        )
        assert ids(await found(asking, "address.zip")) == ["crm.customers"]
        assert ids(await found(asking, "row a visit")) == ["crm.visits"]
        assert ids(await found(asking, "nothing")) == []

    asked(database_url, tmp_path, story)


def test_words_may_fit_in_different_places(
    connection: psycopg.Connection[Any], database_url: str, tmp_path: Path
) -> None:
    shop(connection)

    async def story(asking: Asking) -> None:
        (hit,) = await found(asking, "orders customer_email")
        assert hit == (
            "dataset:ns:crm.orders",
            "PREFIX",
            ["name: crm.orders", "column of customer_email: customer_email"],
        )
        assert ids(await found(asking, "customers gold sales")) == ["crm.customers"]
        assert ids(await found(asking, "customers gold ann")) == []
        # In one place comes before in several.
        assert ids(await found(asking, "customer email")) == ["crm.orders", "crm.customers"]

    asked(database_url, tmp_path, story)


def test_filters(connection: psycopg.Connection[Any], database_url: str, tmp_path: Path) -> None:
    shop(connection)

    async def story(asking: Asking) -> None:
        everything = ["crm.email", "crm.orders", "crm.visits", "crm.customers"]
        assert ids(await found(asking, "crm")) == everything
        assert ids(await found(asking, "*", kinds=["DATASET"])) == everything
        assert ids(await found(asking, "crm", tags=["PII"])) == ["crm.customers"]
        assert ids(await found(asking, "*", tags=["pii", "tier:gold"])) == ["crm.customers"]
        assert ids(await found(asking, "*", tags=["tier:silver"])) == []
        assert ids(await found(asking, "*", owners=["sales"])) == ["crm.orders", "crm.customers"]
        assert ids(await found(asking, "*", owners=["team:sales", "user:ann"])) == ["crm.orders"]
        assert ids(await found(asking, "*", columns=["Email"])) == ["crm.customers"]
        assert ids(await found(asking, "*", namespace="elsewhere")) == []
        assert ids(await found(asking, "*", namespace="NS")) == []
        assert ids(await found(asking, "email", fields=["COLUMN"])) == ["crm.customers", "crm.orders"]
        assert ids(await found(asking, "email", fields=["OWNER"])) == []
        # Words that stand in different fields do not fit where only one of them is looked at.
        assert ids(await found(asking, "orders email", fields=["NAME"])) == []
        for filters in ({"tags": [""]}, {"owners": ["x"] * 101}, {"columns": ["x" * (MOST_TEXT + 1)]}):
            assert await asking.code(SEARCH, {"text": "x", "filters": filters}) == "invalid-input"

    asked(database_url, tmp_path, story)


def test_jobs_and_pipelines_are_found_by_what_is_said_of_them(
    story: Story, database_url: str, tmp_path: Path
) -> None:
    event = run_event(uuid.uuid4(), job="load")
    event["job"]["facets"] = {
        "documentation": {"description": "Loads the orders of the day."},
        "ownership": owners("team:loading"),
        "tags": tags(("nightly", "true")),
    }
    hear(story.connection, event)
    body = pipeline_body("report", "crm.orders")
    body["metadata"] |= {
        "owner": "reporting",
        "description": "Sums the orders up.",
        "labels": {"cost": "low"},
    }
    story.tell(apply_fact(body))

    async def told(asking: Asking) -> None:
        assert ids(await found(asking, "orders")) == ["job:ns:load", "pipeline:report"]
        assert ids(await found(asking, "orders", kinds=["JOB"])) == ["job:ns:load"]
        assert ids(await found(asking, "*", owners=["loading"])) == ["job:ns:load"]
        assert ids(await found(asking, "nightly")) == ["job:ns:load"]
        assert ids(await found(asking, "reporting")) == ["pipeline:report"]
        assert ids(await found(asking, "*", tags=["cost:low"])) == ["pipeline:report"]

    asked(database_url, tmp_path, told)
    # What is deleted is not found any more.
    story.command(FactKind.DOCUMENT_DELETE, {"kind": "Pipeline", "name": "report"})

    async def gone(asking: Asking) -> None:
        assert ids(await found(asking, "orders")) == ["job:ns:load"]

    asked(database_url, tmp_path, gone)


def test_what_is_said_last_is_found(
    connection: psycopg.Connection[Any], database_url: str, tmp_path: Path
) -> None:
    hear(connection, described("a", "old_column", ownership=owners("ann")))
    later = described("a", "new_column", ownership={"_deleted": True})
    later["eventTime"] = "2026-01-02T00:00:00Z"
    hear(connection, later)

    async def story(asking: Asking) -> None:
        assert ids(await found(asking, "old_column")) == []
        assert ids(await found(asking, "new_column")) == ["a"]
        assert ids(await found(asking, "ann")) == []

    asked(database_url, tmp_path, story)


def test_nothing_is_written_where_nothing_new_is_said(connection: psycopg.Connection[Any]) -> None:
    hear(connection, described("a", "one", ownership=owners("ann")))
    again = described("a", "one", ownership=owners("ann"))
    again["eventTime"] = "2026-01-02T00:00:00Z"
    append(connection, [fact_of_event(again)])
    with counted_on(connection) as statements:
        follow(connection)
    touching = [statement for statement in statements if "search_" in statement]
    assert touching == [
        "DELETE FROM search_change WHERE transaction = pg_current_xact_id() RETURNING kind, id"
    ]


def test_whatever_facets_hold_is_no_reason_to_park(
    connection: psycopg.Connection[Any], database_url: str, tmp_path: Path
) -> None:
    strange: list[Any] = [None, 7, "x", [], {}, [None], [{"name": 1}], [{"name": "", "key": [], "fields": 3}]]
    events = []
    for number, value in enumerate(strange):
        facets = {
            "schema": {"fields": value},
            "tags": {"tags": value},
            "ownership": {"owners": value},
            "documentation": {"description": value},
        }
        events.append(described(f"strange.{number}", **facets))
    events.append(described("long", "c" * 9000, documentation={"description": "= word " * 5000}))
    hear(connection, *events)

    async def story(asking: Asking) -> None:
        assert len(await found(asking, "strange")) == len(strange)
        assert ids(await found(asking, "cccc")) == ["long"]
        ((_, _, (text, *_)),) = await found(asking, "word", kinds=["DATASET"])
        assert text.startswith("description: = word")
        assert text.endswith("…")

    asked(database_url, tmp_path, story)


def index_of(connection: psycopg.Connection[Any]) -> list[Any]:
    """Return the index without the numbers that words happen to have."""
    return connection.execute(
        "SELECT kind, id, namespace, name, texts, (SELECT array_agg(w.word || '/' || key % 8 ORDER BY w.word, key % 8)"
        " FROM unnest(words) AS key JOIN search_word w ON w.id = key / 8 WHERE key > 0)"
        " FROM search_entry ORDER BY kind, id"
    ).fetchall()


def test_the_index_made_anew_is_the_index(connection: psycopg.Connection[Any]) -> None:
    shop(connection)
    hear(connection, run_event(uuid.uuid4(), job="load", inputs=["crm.orders"]))
    before = index_of(connection)
    assert len(before) == 5
    assert rebuild(connection) == len(before)
    assert index_of(connection) == before


def test_what_an_older_release_wrote_is_brought_in_and_missed_openly_until_then(
    connection: psycopg.Connection[Any], database_url: str, tmp_path: Path
) -> None:
    shop(connection)
    # Its state follower knows nothing of the index.
    identity = uuid.uuid4()
    connection.execute("INSERT INTO dataset VALUES (%s, 'ns', 'written.elsewhere', now(), 1)", (identity,))

    async def missing(asking: Asking) -> None:
        answer = (await asking.data(SEARCH, {"text": "elsewhere"}))["search"]
        assert (answer["nodes"], answer["complete"]) == ([], False)
        assert answer["reason"] == "NOT_INDEXED"

    asked(database_url, tmp_path, missing)
    assert take_changes(connection) == 1
    assert take_changes(connection) == 0

    async def there(asking: Asking) -> None:
        assert ids(await found(asking, "elsewhere")) == ["written.elsewhere"]

    asked(database_url, tmp_path, there)


def test_what_is_too_much_for_one_transaction_is_left_to_workers(connection: psycopg.Connection[Any]) -> None:
    append(connection, completed("many", outputs=[f"t{number}" for number in range(MOST_OWN + 10)]))
    follow(connection)
    taken = 0
    while count := take_changes(connection):
        taken += count
    assert taken == MOST_OWN + 11  # the datasets and the job
    ((entries,),) = connection.execute("SELECT count(*) FROM search_entry").fetchall()
    assert entries == MOST_OWN + 11


def test_a_worker_waits_for_nobody(connection: psycopg.Connection[Any], database_url: str) -> None:
    connection.execute("INSERT INTO dataset VALUES (%s, 'ns', 'a', now(), 1)", (uuid.uuid4(),))
    with connect(database_url) as other, other.transaction():
        other.execute("SELECT pg_advisory_xact_lock(%s)", (0x6865616477_06,))
        assert take_changes(connection) == 0
    assert take_changes(connection) == 1
