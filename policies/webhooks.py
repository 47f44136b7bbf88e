"""Which messages a webhook wants, and what an answer, or none, means for a message."""

import fnmatch
import functools
import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from catalog.documents.webhook import (
    ALL_RUN_EVENTS,
    ALL_VERSION_EVENTS,
    DatasetGlob,
    WebhookRetries,
    WebhookSpec,
)
from catalog.keys import DatasetKey
from policies.retry import backoff_delay

#: A receiver that asks to be left alone for longer is asked again after this, so that its stream is not held for weeks.
LONGEST_RETRY_AFTER = timedelta(days=1)
GONE = 410


@dataclass(frozen=True, slots=True)
class VersionSubject:
    """What a `version.…` event is about: the dataset under every name that it is known by."""

    type: str
    names: Sequence[DatasetKey]


@dataclass(frozen=True, slots=True)
class RunSubject:
    """What a `pipeline_run.…` event is about."""

    type: str
    pipeline: str


Subject = VersionSubject | RunSubject


def wants(spec: WebhookSpec, subject: Subject) -> bool:
    """Return whether the webhook names the event, and a filter of its kind fits or is empty."""
    match subject:
        case VersionSubject(type_, names):
            named = type_ in spec.events or ALL_VERSION_EVENTS in spec.events
            return named and (
                not spec.datasets or any(_fits(glob, name) for glob in spec.datasets for name in names)
            )
        case RunSubject(type_, pipeline):
            named = type_ in spec.events or ALL_RUN_EVENTS in spec.events
            return named and (
                not spec.pipelines or any(_pattern(glob).match(pipeline) for glob in spec.pipelines)
            )


def _fits(glob: DatasetGlob, name: DatasetKey) -> bool:
    return bool(_pattern(glob.namespace).match(name.namespace) and _pattern(glob.name).match(name.name))


@functools.lru_cache(maxsize=4096)
def _pattern(glob: str) -> re.Pattern[str]:
    # Brackets are parts of names; fnmatch's own form of a pattern takes time proportional to the text.
    return re.compile(fnmatch.translate(glob.replace("[", "[[]")))


def is_taken(status: int) -> bool:
    """Return whether an answer with the status says that the receiver has the message."""
    return 200 <= status <= 299


def next_try(
    retries: WebhookRetries, attempt: int, *, seed: str, now: datetime, not_before: datetime | None
) -> datetime | None:
    """Return when a message is sent again after attempt number `attempt` (from 1) failed; None after the last one.

    `not_before` is what the receiver asked for by `Retry-After`: the wait is never shorter, but for the bound on it.
    """
    if attempt > retries.count:
        return None
    at = now + backoff_delay(retries.backoff, attempt, seed)
    return at if not_before is None else max(at, min(not_before, now + LONGEST_RETRY_AFTER))
