"""The kinds of facts besides OpenLineage events, with their bodies: commands, version reports, outcomes of attempts.

A body is JSON. The digest of a fact says when two are one: a natural key (an attempt starts once) or, for commands,
an idempotency key.
"""

import datetime as dt
import uuid
from enum import StrEnum
from hashlib import blake2b
from typing import Any

import orjson

from catalog.errors import InvalidInput
from catalog.keys import DatasetKey
from catalog.ledger import NewFact
from catalog.migrations import HEAD
from catalog.redaction import redact_text


class FactKind(StrEnum):
    """Every kind of record in the ledger."""

    OPENLINEAGE_RUN = "openlineage.run"
    OPENLINEAGE_DATASET = "openlineage.dataset"
    OPENLINEAGE_JOB = "openlineage.job"
    VERSION_REPORT = "version.report"
    DOCUMENTS_APPLY = "documents.apply"
    DOCUMENT_DELETE = "document.delete"
    PIPELINE_PAUSE = "pipeline.pause"
    PIPELINE_RESUME = "pipeline.resume"
    PIPELINES_PAUSE = "pipelines.pause"
    PIPELINES_RESUME = "pipelines.resume"
    PARKED_SKIP = "parked.skip"
    EVENTS_REMOVE = "events.remove"
    PIPELINE_TRIGGER = "pipeline.trigger"
    RUN_CANCEL = "run.cancel"
    RUN_RETRY = "run.retry"
    ATTEMPT_CLAIMED = "attempt.claimed"
    ATTEMPT_STARTED = "attempt.started"
    ATTEMPT_ENDED = "attempt.ended"
    INSTALLATION_RESTORED = "installation.restored"
    WEBHOOK_PAUSE = "webhook.pause"
    WEBHOOK_RESUME = "webhook.resume"
    WEBHOOK_REPLAY = "webhook.replay"
    WEBHOOK_RETRY_DEAD = "webhook.retry_dead"
    WEBHOOK_TEST = "webhook.test"


OPENLINEAGE_KINDS = frozenset(
    {FactKind.OPENLINEAGE_RUN, FactKind.OPENLINEAGE_DATASET, FactKind.OPENLINEAGE_JOB}
)
#: Facts that change by what rules later facts are read; a batch of the state follower ends after one.
RULE_CHANGING_KINDS = frozenset(
    {
        FactKind.DOCUMENTS_APPLY,
        FactKind.DOCUMENT_DELETE,
        FactKind.PIPELINE_PAUSE,
        FactKind.PIPELINE_RESUME,
        FactKind.INSTALLATION_RESTORED,
        FactKind.PIPELINES_PAUSE,
        FactKind.PIPELINES_RESUME,
        # Judged by the documents; the webhooks follower carries them out.
        FactKind.WEBHOOK_PAUSE,
        FactKind.WEBHOOK_RESUME,
        FactKind.WEBHOOK_REPLAY,
        FactKind.WEBHOOK_RETRY_DEAD,
        FactKind.WEBHOOK_TEST,
    }
)


class Outcome(StrEnum):
    """How an attempt ended: a command by its exit code, an attempt at an engine by what the engine said."""

    EXITED = "exited"
    SUCCEEDED = "succeeded"
    FAILED = "failed"
    TIMED_OUT = "timed_out"
    CANCELLED = "cancelled"
    LOST = "lost"
    NOT_STARTED = "not_started"


def natural_digest(*parts: str) -> bytes:
    """Return the 16 bytes under which facts with the same parts are one."""
    return blake2b("".join(f"{len(part)}:{part}" for part in parts).encode(), digest_size=16).digest()


def command(
    kind: FactKind,
    body: dict[str, Any],
    *,
    actor: str,
    key: str | None = None,
    run_id: uuid.UUID | None = None,
) -> NewFact:
    """Return a command as a fact, its reason redacted; without an idempotency key each is a command of its own."""
    digest = natural_digest(kind, key if key is not None else uuid.uuid4().hex)
    reason = body.get("reason")
    if isinstance(reason, str):
        body = {**body, "reason": redact_text(reason)}
    # A reader that refuses what it says learns whether a newer release took it.
    told = orjson.dumps({**body, "schema": HEAD})
    return NewFact(kind, digest, actor, told, run_id=run_id)


def version_report(
    dataset: DatasetKey,
    *,
    actor: str,
    time: dt.datetime,
    key: str,
    partition: str | None = None,
    rows: int | None = None,
    size_bytes: int | None = None,
    content_digest: str | None = None,
) -> NewFact:
    """Return the report that the dataset has a new version; the same key for the same dataset is the same report."""
    for name, value in (("rows", rows), ("bytes", size_bytes)):
        if value is not None and not 0 <= value < 2**63:
            raise InvalidInput(
                f"expected a count of at least 0 and below 2**63, found {value}", pointer=f"/{name}"
            )
    body = {
        "namespace": dataset.namespace,
        "name": dataset.name,
        "partition": partition,
        "time": time,
        "rows": rows,
        "bytes": size_bytes,
        "digest": content_digest,
        "key": key,
    }
    digest = natural_digest(FactKind.VERSION_REPORT, dataset.namespace, dataset.name, partition or "", key)
    return NewFact(FactKind.VERSION_REPORT, digest, actor, orjson.dumps(body), event_time=time)


def attempt_claimed(run_id: uuid.UUID, attempt: int, *, host: str) -> NewFact:
    """Return the fact that the host bound the attempt to itself."""
    digest = natural_digest(FactKind.ATTEMPT_CLAIMED, str(run_id), str(attempt))
    body = orjson.dumps({"attempt": attempt, "host": host})
    return NewFact(FactKind.ATTEMPT_CLAIMED, digest, f"host:{host}", body, run_id=run_id)


def attempt_started(
    run_id: uuid.UUID,
    attempt: int,
    *,
    host: str,
    pid: int | None,
    at: dt.datetime,
    actor: str | None = None,
) -> NewFact:
    """Return the fact that the attempt started; there is one for each attempt, whoever reports it.

    `host` is where it runs: a host, which is then the actor too, or the origin of an engine.
    """
    digest = natural_digest(FactKind.ATTEMPT_STARTED, str(run_id), str(attempt))
    body = orjson.dumps({"attempt": attempt, "host": host, "pid": pid, "at": at})
    teller = actor or f"host:{host}"
    return NewFact(FactKind.ATTEMPT_STARTED, digest, teller, body, event_time=at, run_id=run_id)


def attempt_ended(
    run_id: uuid.UUID,
    attempt: int,
    outcome: Outcome,
    *,
    actor: str,
    at: dt.datetime,
    exit_code: int | None = None,
    reason: str = "",
) -> NewFact:
    """Return the fact that the attempt ended, its reason redacted; the first that is reported is the outcome."""
    digest = natural_digest(FactKind.ATTEMPT_ENDED, str(run_id), str(attempt))
    told = redact_text(reason)
    body = orjson.dumps(
        {"attempt": attempt, "outcome": outcome, "exitCode": exit_code, "reason": told, "at": at}
    )
    return NewFact(FactKind.ATTEMPT_ENDED, digest, actor, body, event_time=at, run_id=run_id)
