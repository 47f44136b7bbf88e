"""Reading another server's events: none is lost, whatever its pages are like; and how far an import has come."""

import datetime as dt
import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from catalog.errors import ConfigurationError, Forbidden, Unauthenticated, UnexpectedAnswer, Unreachable
from tests.services.marquez_events import MarquezEvents, marquez_events
from web.cli import event_source
from web.cli.event_pages import read_page
from web.cli.event_source import EARLIEST, EventSource, source_url
from web.cli.import_cursor import CursorFile, ImportCursor
from web.cli.marquez_nulls import without_added_nulls

T0 = dt.datetime(2026, 1, 1, tzinfo=dt.UTC)


def told(*seconds: float) -> list[dict[str, Any]]:
    return [
        {"eventTime": (T0 + dt.timedelta(seconds=second)).isoformat(), "run": {}, "n": number}
        for number, second in enumerate(seconds)
    ]


@contextmanager
def reading(server: MarquezEvents, limit: int) -> Iterator[EventSource]:
    source = EventSource(source_url(server.url), None, limit=limit)
    try:
        yield source
    finally:
        source.close()


def numbers(source: EventSource, after: dt.datetime = EARLIEST) -> list[set[int]]:
    return [{json.loads(event.text)["n"] for event in page.events} for page, _ in source.pages(after)]


@pytest.mark.parametrize(
    "seconds",
    [
        (),
        (0,),
        (0, 1, 2),
        (0, 1, 2, 3, 4, 5, 6),
        (0, 0, 0, 0, 0, 1),
        (0, 1, 1, 1, 1, 1, 1, 2, 2, 2),
        (5, 4, 3, 3, 3, 2, 1, 0, 0),
        (0,) * 20,
        (*(0,) * 13, *range(1, 9), *(9,) * 7),
    ],
)
@pytest.mark.parametrize("limit", [1, 3, 7])
def test_every_event_is_read_although_many_tell_one_instant(seconds: tuple[float, ...], limit: int) -> None:
    with marquez_events(told(*seconds)) as server, reading(server, limit) as source:
        pages = numbers(source)
    assert set().union(*pages) == set(range(len(seconds)))
    assert len(pages) <= len(seconds) + 2


def test_more_events_of_an_instant_than_may_be_asked_for_are_read_by_offset(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    # Only so many may be asked for at once; the order of those of one instant is the server's, and stable here.
    monkeypatch.setattr(event_source, "MOST_LIMIT", 4)
    monkeypatch.setattr("tests.services.marquez_events.random.random", lambda: 0.0)
    events = told(*(0,) * 11, 1, 2, 2, 2, 2, 2, 3)
    with marquez_events(events) as server, reading(server, 4) as source:
        monkeypatch.setattr(server, "page", lambda query: _stable(server, query))
        pages = numbers(source)
    assert set().union(*pages) == set(range(18))


def _stable(server: MarquezEvents, query: dict[str, str]) -> dict[str, Any]:
    after, before = (dt.datetime.fromisoformat(query[name]) for name in ("after", "before"))
    found = sorted(
        (event for event in server.events if after <= dt.datetime.fromisoformat(event["eventTime"]) < before),
        key=lambda event: event["eventTime"],
    )
    start = int(query["offset"])
    return {"events": found[start : start + int(query["limit"])], "totalCount": len(found)}


def test_pages_that_are_too_large_are_asked_for_in_parts(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(event_source, "MOST_PAGE_BYTES", 1200)
    with marquez_events(told(*range(40), *(40,) * 3)) as server, reading(server, 16) as source:
        assert set().union(*numbers(source)) == set(range(43))
    monkeypatch.setattr(event_source, "MOST_PAGE_BYTES", 30)
    with (
        marquez_events(told(0)) as server,
        reading(server, 16) as source,
        pytest.raises(UnexpectedAnswer, match="at most 30 bytes"),
    ):
        numbers(source)


@pytest.mark.parametrize(("given", "kept_back"), [(0, 0), (5, 0), (0, 3), (1, 1), (12, 1), (3, 40)])
def test_what_marquez_counts_and_does_not_give_is_counted(given: int, kept_back: int) -> None:
    alone = [event | {"dataset": {}} for event in told(*range(kept_back))]
    with marquez_events(told(*range(given)) + alone) as server, reading(server, 2) as source:
        assert source.not_given(EARLIEST) == kept_back
        assert source.not_given(T0 + dt.timedelta(seconds=2)) == max(0, kept_back - 2)


def test_a_server_that_is_away_for_a_moment_is_asked_again() -> None:
    with marquez_events(told(0, 1, 2)) as server, reading(server, 2) as source:
        server.refuse = lambda _query: 503 if len(server.asked) in (1, 3) else None
        assert source.count(EARLIEST) == 3
        assert set().union(*numbers(source)) == {0, 1, 2}


def test_what_is_no_such_server_is_said_so(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(event_source, "PATIENCE_SECONDS", 0.1)
    for status, error in ((401, Unauthenticated), (403, Forbidden), (404, UnexpectedAnswer), (200, None)):
        with marquez_events([]) as server, reading(server, 2) as source:
            server.refuse = lambda _query, status=status: status
            if error is None:
                assert numbers(source) == [set()]
            else:
                with pytest.raises(error):
                    numbers(source)
    gone = EventSource(source_url("http://127.0.0.1:1"), None, limit=1)
    with pytest.raises(Unreachable, match="does not answer"):
        numbers(gone)
    gone.close()
    for wrong in ("ftp://x", "http://", "http://user:secret@host", "http://host?x=1"):
        with pytest.raises(ConfigurationError):
            source_url(wrong)
    assert str(source_url("http://host:5000/api/v1/")) == "http://host:5000/"
    assert str(source_url("https://host/marquez")) == "https://host/marquez/"


def test_a_page_keeps_each_event_byte_for_byte() -> None:
    events = [
        '{"eventTime": "2026-01-01T00:00:00Z",  "big": 123456789012345678901234567890}',
        '{"n":1.10}',
        "7",
    ]
    body = '{ "totalCount" : 3, "events" :[ ' + " ,\n".join(events) + ' ], "other": {"events": []} }'
    page = read_page(body.encode())
    assert [event.text for event in page.events] == events
    assert ([event.at for event in page.events], page.total) == ([T0, None, None], 3)
    for wrong in (b"[]", b"{}", b'{"events": 7}', b'{"events": [', b"\xff", b'{"events": [}', b"<html>"):
        with pytest.raises(UnexpectedAnswer):
            read_page(wrong)


@pytest.mark.parametrize(
    ("given", "told"),
    [
        (
            '{"run":{"facets":null},"inputs":null,"n":123456789012345678901}',
            '{"run":{},"n":123456789012345678901}',
        ),
        (
            '{"outputs":[{"facets":{"schema":null,"mine":null}},null]}',
            '{"outputs":[{"facets":{"mine":null}},null]}',
        ),
        (
            '{"outputs":[{"facets":{"columnLineage":{"fields":{"c":{"transformationType":null,"x":null}}}}}]}',
            '{"outputs":[{"facets":{"columnLineage":{"fields":{"c":{"x":null}}}}}]}',
        ),
        # What Marquez did not add stays byte for byte, and so does what is no event.
        ('{"job": {"name": null}, "n": 1.10}', '{"job": {"name": null}, "n": 1.10}'),
        ('{"run": null', '{"run": null'),
        ("[null]", "[null]"),
        ('{"run":null,"x":"\ud800"}', '{"run":null,"x":"\ud800"}'),
        ('{"run":null,"x":' + "[" * 1100 + "]" * 1100 + "}", None),
    ],
    ids=range(8),
)
def test_nulls_that_marquez_writes_are_left_away_and_no_others(given: str, told: str | None) -> None:
    assert without_added_nulls(given) == (given if told is None else told)


def test_how_far_an_import_has_come_is_kept_for_each_source(tmp_path: Path) -> None:
    file = CursorFile(tmp_path / "data", "http://marquez/", "http://here/")
    assert file.read() is None
    cursor = ImportCursor(T0, frozenset({"b", "a"}), 7, 2)
    file.write(cursor)
    assert file.read() == cursor
    assert CursorFile(tmp_path / "data", "http://other/", "http://here/").read() is None
    assert CursorFile(tmp_path / "data", "http://marquez/", "http://there/").read() is None
    file.path.write_text("{")
    assert file.read() is None
    file.forget()
    file.forget()
    (tmp_path / "full").write_text("")
    with pytest.raises(ConfigurationError):
        CursorFile(tmp_path / "full", "a", "b").write(cursor)
