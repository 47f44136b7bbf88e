"""The digest that a fact must have, made anew from what it says."""

import uuid
from typing import assert_never

import orjson

from catalog.facts import FactKind, natural_digest
from catalog.forms import understood
from catalog.ledger import Fact
from catalog.openlineage.canonical import canonical_form, digest_of, parse_json


def expected_digest(fact: Fact) -> bytes | None:
    """Return the digest that the body, kind and run of the fact make; None where an idempotency key made it.

    Commands are told apart by a key that is not kept. Raises `HeadwaterError`, `ValueError`, `TypeError` or
    `LookupError` for a body that is not of its kind, `NotUnderstood` for a kind of a newer release.
    """
    kind = understood(FactKind, fact.kind)
    match kind:
        case FactKind.OPENLINEAGE_RUN | FactKind.OPENLINEAGE_DATASET | FactKind.OPENLINEAGE_JOB:
            return digest_of(canonical_form(parse_json(fact.body)))
        case FactKind.VERSION_REPORT:
            body = orjson.loads(fact.body)
            return natural_digest(kind, body["namespace"], body["name"], body["partition"] or "", body["key"])
        case FactKind.ATTEMPT_CLAIMED | FactKind.ATTEMPT_STARTED | FactKind.ATTEMPT_ENDED:
            return attempt_digest(kind, fact.run_id, int(orjson.loads(fact.body)["attempt"]))
        case FactKind.EVENTS_REMOVE:
            body = orjson.loads(fact.body)
            return natural_digest(kind, str(body["until"]), body["checkpoint"])
        case (
            FactKind.DOCUMENTS_APPLY
            | FactKind.DOCUMENT_DELETE
            | FactKind.PIPELINE_PAUSE
            | FactKind.PIPELINE_RESUME
            | FactKind.PIPELINES_PAUSE
            | FactKind.PIPELINES_RESUME
            | FactKind.PARKED_SKIP
            | FactKind.PIPELINE_TRIGGER
            | FactKind.RUN_CANCEL
            | FactKind.RUN_RETRY
            | FactKind.INSTALLATION_RESTORED
            | FactKind.WEBHOOK_PAUSE
            | FactKind.WEBHOOK_RESUME
            | FactKind.WEBHOOK_REPLAY
            | FactKind.WEBHOOK_RETRY_DEAD
            | FactKind.WEBHOOK_TEST
        ):
            return None
        case _:
            assert_never(kind)


def attempt_digest(kind: FactKind, run_id: uuid.UUID | None, attempt: int) -> bytes:
    """Return the digest of what is told once of each attempt."""
    return natural_digest(kind, str(run_id), str(attempt))
