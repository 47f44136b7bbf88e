"""Which messages a webhook wants, and when a failed one is sent again."""

import datetime as dt
import time
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from catalog.documents.webhook import (
    EVENT_NAMES,
    RUN_EVENTS,
    VERSION_EVENTS,
    Webhook,
    WebhookRetries,
    WebhookSpec,
)
from catalog.keys import DatasetKey
from hooks.observing import versions
from policies.transitions import RunState
from policies.webhooks import LONGEST_RETRY_AFTER, RunSubject, VersionSubject, is_taken, next_try, wants
from tests.support.webhooks import webhook_body

NOW = dt.datetime(2026, 1, 1, tzinfo=dt.UTC)
A = VersionSubject("version.published", [DatasetKey("s3://lake", "raw.flights"), DatasetKey("hive", "db.f")])
RUN = RunSubject("pipeline_run.failed", "flights_dbt")


def spec(*events: str, **more: Any) -> WebhookSpec:
    return Webhook.model_validate(webhook_body("hook", "http://e/", list(events), **more)).spec


def test_the_names_of_events_are_those_of_the_states() -> None:
    assert [f"pipeline_run.{state.value}" for state in RunState] == list(RUN_EVENTS)
    found = {versions.PUBLISHED, versions.PARTIAL, versions.DISPUTED, versions.WITHDRAWN}
    assert {f"version.{state}" for state in found} == set(VERSION_EVENTS)
    assert set(EVENT_NAMES) == {"version.*", "pipeline_run.*", *VERSION_EVENTS, *RUN_EVENTS}


@pytest.mark.parametrize(
    ("events", "filters", "version", "run"),
    [
        (["version.published"], {}, True, False),
        (["version.*"], {}, True, False),
        (["version.partial"], {}, False, False),
        (["pipeline_run.*"], {}, False, True),
        (["pipeline_run.failed", "version.withdrawn"], {}, False, True),
        (["version.*", "pipeline_run.*"], {"pipelines": ["x"]}, True, False),
        (["version.*", "pipeline_run.*"], {"pipelines": ["x", "flights_*"]}, True, True),
        (["version.*", "pipeline_run.*"], {"datasets": [{"name": "raw.*"}]}, True, True),
        (["version.*"], {"datasets": [{"namespace": "s3://*", "name": "db.f"}]}, False, False),
        (["version.*"], {"datasets": [{"namespace": "hive"}]}, True, False),
        (["version.*"], {"datasets": [{"name": "RAW.*"}]}, False, False),
        (["version.*"], {"datasets": [{"name": "raw.flight?"}]}, True, False),
        (["version.*"], {"datasets": [{"name": "raw.[f]*"}]}, False, False),
    ],
)
def test_events_and_filters(events: list[str], filters: dict[str, Any], version: bool, run: bool) -> None:
    found = spec(*events, **filters)
    assert (wants(found, A), wants(found, RUN)) == (version, run)


def test_brackets_in_a_pattern_are_brackets() -> None:
    subject = VersionSubject("version.published", [DatasetKey("ns", "t[1]")])
    assert wants(spec("version.*", datasets=[{"name": "t[1]"}]), subject)
    assert not wants(spec("version.*", datasets=[{"name": "t[12]"}]), subject)


def test_a_hostile_pattern_takes_no_time() -> None:
    subject = VersionSubject("version.published", [DatasetKey("ns", "a" * 8000)])
    began = time.perf_counter()
    assert not wants(spec("version.*", datasets=[{"name": "*a" * 50 + "*b"}]), subject)
    assert time.perf_counter() - began < 1


def test_statuses() -> None:
    assert [status for status in (199, 200, 204, 299, 300, 304, 410, 500) if is_taken(status)] == [
        200,
        204,
        299,
    ]


@given(
    st.integers(1, 40), st.text(), st.one_of(st.none(), st.timedeltas(dt.timedelta(), dt.timedelta(days=400)))
)
def test_the_wait_is_within_its_bounds_and_not_before_the_receiver_asked(
    attempt: int, seed: str, asked: dt.timedelta | None
) -> None:
    retries = WebhookRetries(count=30)
    not_before = None if asked is None else NOW + asked
    at = next_try(retries, attempt, seed=seed, now=NOW, not_before=not_before)
    if attempt > 30:
        assert at is None
        return
    assert at is not None
    assert NOW <= at <= NOW + max(retries.backoff.maximum, LONGEST_RETRY_AFTER)
    if asked is not None:
        assert at >= NOW + min(asked, LONGEST_RETRY_AFTER)
    elif attempt == 1:
        assert at <= NOW + dt.timedelta(seconds=5)


def test_the_default_goes_on_for_hours() -> None:
    retries = WebhookRetries()
    totals = []
    for seed in map(str, range(200)):
        at, attempt = NOW, 1
        while (following := next_try(retries, attempt, seed=seed, now=at, not_before=None)) is not None:
            at, attempt = following, attempt + 1
        assert attempt == 13
        totals.append((at - NOW) / dt.timedelta(hours=1))
    assert 8 < sum(totals) / len(totals) < 12
