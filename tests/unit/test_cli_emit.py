from typing import Any

from web.cli.emit import report_key

REPORT: dict[str, Any] = {
    "dataset": {"namespace": "ns", "name": "raw"},
    "partition": None,
    "time": "2026-01-01T00:00:00+00:00",
    "rows": 5,
    "bytes": None,
    "digest": None,
}


def test_the_same_report_with_a_time_or_a_digest_has_the_same_key() -> None:
    assert report_key(REPORT) == report_key(dict(REPORT))
    by_digest = {**REPORT, "time": None, "digest": "abc"}
    assert report_key(by_digest) == report_key(dict(by_digest))


def test_whatever_differs_makes_another_report() -> None:
    others = [
        {"dataset": {"namespace": "ns", "name": "other"}},
        {"partition": "2026-01"},
        {"time": "2026-01-02T00:00:00+00:00"},
        {"rows": 6},
        {"bytes": 1},
        {"digest": "abc"},
    ]
    keys = {report_key(REPORT), *(report_key({**REPORT, **other}) for other in others)}
    assert len(keys) == len(others) + 1


def test_a_report_that_says_nothing_of_the_state_is_a_new_one_each_time() -> None:
    nightly = {**REPORT, "time": None}
    assert report_key(nightly) != report_key(nightly)
