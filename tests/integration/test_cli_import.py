"""`headwater import marquez` against a server that is as loose as Marquez, and what it tells."""

import datetime as dt
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.services.marquez_events import marquez_events
from tests.support.command_line import CommandLine, clean_environment, running_process
from tests.support.marquez import golden_events
from tests.support.openlineage_events import dataset, dataset_event, job_event, run_event
from tests.support.spine import connect, fact_of_event
from tests.support.web import ledger
from web.marquez.asking import REMOVED_HEADER

T0 = dt.datetime(2026, 1, 1, tzinfo=dt.UTC)


def digests(database_url: str) -> set[bytes]:
    """Return what tells the facts of the ledger from any others."""
    with connect(database_url) as connection:
        return {row[0] for row in connection.execute("SELECT digest FROM fact_digest").fetchall()}


def told(number: int, second: int, **members: Any) -> dict[str, Any]:
    at = T0 + dt.timedelta(seconds=second)
    return run_event(
        run={"runId": f"00000000-0000-0000-0000-{number:012d}"}, eventTime=at.isoformat(), **members
    )


@pytest.fixture
def headwater(database_url: str, tmp_path: Path) -> Iterator[CommandLine]:
    """The command line of a machine that runs a server."""
    environment = clean_environment(tmp_path, HEADWATER_DATABASE_URL=database_url)
    with running_process(["serve", "--port", "0"], environment, tmp_path / "serve.log") as ready:
        yield CommandLine(clean_environment(tmp_path, HEADWATER_URL=ready.split()[1]))


def test_everything_is_taken_over_and_later_what_is_new(
    headwater: CommandLine, database_url: str, tmp_path: Path
) -> None:
    events = [told(number, number // 5) for number in range(23)]
    with marquez_events(events) as marquez:
        first = headwater.done("import", "marquez", marquez.url, "--page", "4", "--json").json
        assert (first["sent"], first["refused"], first["resumed"]) == (23, 0, False)
        assert len(ledger(database_url)) == 23
        # Marquez would leave out what lies after 2029.
        assert all(query["before"] > "2030" for query in marquez.asked)

        nothing = headwater.done("import", "marquez", f"{marquez.url}/api/v1", "--json").json
        assert (nothing["sent"], nothing["resumed"]) == (0, True)

        # What is new is found, also where it tells the instant at which the last import ended.
        marquez.events += [told(100, 4), told(101, 9)]
        later = headwater.done("import", "marquez", marquez.url)
        assert later.out.startswith("sent 2 events, 0 refused")
        assert "goes on at" in later.err

        # What is told late for an instant long passed is found by beginning anew, and nothing comes twice.
        marquez.events.append(told(102, 0))
        assert headwater.done("import", "marquez", marquez.url, "--json").json["sent"] == 0
        again = headwater.done("import", "marquez", marquez.url, "--again", "--json").json
        assert again["sent"] == 26
        since = headwater.done(
            "import", "marquez", marquez.url, "--since", "2026-01-01T00:00:04Z", "--json"
        ).json
        assert since["sent"] == 5
    assert len(ledger(database_url)) == 26
    assert [file.suffix for file in (tmp_path / "data" / "imports").iterdir()] == [".json"]


def test_what_marquez_adds_and_leaves_away_changes_no_fact(
    headwater: CommandLine, database_url: str, interop_data: Path
) -> None:
    facet = {"_producer": "https://example.com", "_schemaURL": "https://example.com/facet"}
    schema = {
        "schema": {**facet, "fields": [{"name": "a"}, {"name": "b", "type": "INT", "description": "b"}]}
    }
    columns = {"a": {"inputFields": [{"namespace": "db", "name": "t", "field": "a", "unit": None}]}}
    output = dataset("u", facets=schema | {"columnLineage": {**facet, "fields": columns}})
    # Producers that write their times as Marquez does; what nobody but they know keeps its null.
    events = [
        told(1, 1, inputs=[dataset("t", facets=schema)], outputs=[output])
        | {"eventTime": "2026-01-01T00:00:01.5Z"},
        run_event(job={"namespace": "scheduler", "name": "job", "facets": {"mine": {**facet, "x": None}}}),
        # Before and after the bounds that Marquez takes of itself.
        run_event(eventTime="1969-07-20T20:17:40Z"),
        run_event(eventTime="2031-01-01T00:00:00Z"),
        *(event for event in golden_events(interop_data) if str(event["eventTime"]).endswith("Z")),
    ]
    alone = [dataset_event(), job_event()]
    with marquez_events(events + alone) as marquez:
        said = headwater.done("import", "marquez", marquez.url, "--page", "5")
        assert said.out.startswith(f"sent {len(events)} events, 0 refused")
        assert "the source counts 2 events more than it gives" in said.err
        assert headwater.done("import", "marquez", marquez.url, "--json").json["notGiven"] == 2
    assert digests(database_url) == {fact_of_event(event).digest for event in events}


def test_another_headwater_gives_every_event_as_it_was_told(
    headwater: CommandLine, database_url: str
) -> None:
    events = [told(1, 1, inputs=None, outputs=[dataset("u", facets=None)]), dataset_event(), job_event()]
    events[0]["inputs"] = None
    with marquez_events(events) as source:
        source.headers = {"Headwater-Position": "3"}
        assert headwater.done("import", "marquez", source.url, "--json").json["notGiven"] == 0
    assert digests(database_url) == {fact_of_event(event).digest for event in events}


def test_what_the_server_refuses_is_told_and_the_rest_is_taken_over(
    headwater: CommandLine, database_url: str
) -> None:
    wrong = {"eventTime": (T0 + dt.timedelta(seconds=1)).isoformat(), "run": {"runId": "x"}}
    with marquez_events([told(0, 0), wrong, told(2, 2)]) as marquez:
        said = headwater("import", "marquez", marquez.url)
        assert (said.code, said.out.split(",")[:2]) == (2, ["sent 3 events", " 1 refused"])
        assert "event of 2026-01-01T00:00:01+00:00: invalid-event: expected the job of the run" in said.err
        # Whoever goes on where an import was ended, perhaps before it could tell, still hears of it.
        assert "after 3 events, 1 of them refused" in headwater.done("import", "marquez", marquez.url).err
        as_json = headwater("import", "marquez", marquez.url, "--again", "--json")
        assert (as_json.code, as_json.json["refusals"][0]["code"]) == (2, "invalid-event")
    assert len(ledger(database_url)) == 2


def test_what_the_source_has_removed_is_told(headwater: CommandLine) -> None:
    with marquez_events([told(0, 0)]) as source:
        whole = headwater.done("import", "marquez", source.url, "--json")
        assert whole.json["removedBefore"] is None
        source.headers = {REMOVED_HEADER: "2025-12-31T12:00:00+00:00"}
        assert headwater.done("import", "marquez", source.url, "--json").json["removedBefore"] == (
            "2025-12-31T12:00:00+00:00"
        )
        said = headwater.done("import", "marquez", source.url)
    assert "removed events that it received before" in said.err
    assert "2025-12-31" in said.err


def test_each_fault_has_its_exit_code(headwater: CommandLine) -> None:
    for arguments, code, words in (
        (["ftp://nowhere"], 2, "expected the URL of a server"),
        (["http://127.0.0.1:1", "--since", "soon"], 2, "expected an instant"),
        (["http://127.0.0.1:1", "--page", "0"], 2, "--page"),
    ):
        said = headwater("import", "marquez", *arguments)
        assert (said.code, words in said.err) == (code, True), said
    with marquez_events([told(0, 0)]) as marquez:
        for status, code in ((401, 3), (404, 1)):
            marquez.refuse = lambda _query, status=status: status
            assert headwater("import", "marquez", marquez.url).code == code
        marquez.refuse = lambda _query: None
        assert headwater("import", "marquez", marquez.url, "--url", "http://127.0.0.1:1").code == 4


def test_a_token_for_the_source_is_shown_to_it(headwater: CommandLine) -> None:
    with marquez_events([told(0, 0)]) as marquez:
        with_token = headwater.with_environment(HEADWATER_IMPORT_TOKEN="of-the-source")
        assert with_token.done("import", "marquez", marquez.url, "--json").json["sent"] == 1
        assert set(marquez.authorizations) == {"Bearer of-the-source"}
