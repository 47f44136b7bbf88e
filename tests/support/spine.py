"""The spine without processes: append facts, step the followers, look at the rows."""

import datetime as dt
import json
import uuid
from collections.abc import Iterable, Sequence
from typing import Any

import psycopg
from sqlalchemy import make_url

from catalog.documents.kinds import parse_document
from catalog.facts import FactKind, command
from catalog.follower import Follower
from catalog.ledger import Appended, NewFact, append_facts
from catalog.openlineage.receive import Limits as ReceiveLimits
from catalog.openlineage.receive import receive_event
from hooks.deciding.decider import Limits
from hooks.state_follower import StateLog

T0 = dt.datetime(2026, 1, 1, tzinfo=dt.UTC)


def connect(url: str) -> psycopg.Connection[Any]:
    """Return an autocommitting driver connection to a SQLAlchemy URL."""
    plain = make_url(url).set(drivername="postgresql").render_as_string(hide_password=False)
    return psycopg.connect(plain, autocommit=True)


def state_follower(batch: int = 1000, causal_depth: int = 50) -> Follower[Any]:
    """Return a state follower as the worker has it."""
    return Follower(StateLog(Limits(causal_depth)), batch=batch, holder="test")


def fact_of_event(event: dict[str, Any]) -> NewFact:
    """Return the fact that ingest makes of an event."""
    received = receive_event(json.dumps(event).encode(), ReceiveLimits())
    return NewFact(
        FactKind(f"openlineage.{received.kind}"),
        received.digest,
        "test",
        received.body,
        event_time=received.event_time,
        run_id=received.run_id,
        redactions=received.redactions,
    )


def append(connection: psycopg.Connection[Any], facts: Iterable[NewFact]) -> list[Appended]:
    """Append the facts in one transaction."""
    with connection.transaction():
        return append_facts(connection, list(facts))


def follow(connection: psycopg.Connection[Any], follower: Follower[Any] | None = None) -> None:
    """Step the follower until nothing is left."""
    follower = follower or state_follower()
    while follower.step(connection).taken:
        pass


def parked(connection: psycopg.Connection[Any]) -> list[Any]:
    """Return what was parked."""
    return connection.execute("SELECT follower, position, error_code, error FROM parked").fetchall()


def run_event(
    run: str | uuid.UUID,
    event_type: str = "COMPLETE",
    *,
    job: str = "job",
    at: dt.datetime = T0,
    inputs: Sequence[str] = (),
    outputs: Sequence[str] = (),
    namespace: str = "ns",
    parent: tuple[str | uuid.UUID, str] | None = None,
    output_facets: dict[str, Any] | None = None,
) -> dict[str, Any]:
    """Return a small RunEvent; datasets are names in the same namespace."""
    facets: dict[str, Any] = {}
    if parent is not None:
        facets["parent"] = {
            "run": {"runId": str(parent[0])},
            "job": {"namespace": namespace, "name": parent[1]},
        }
    return {
        "eventType": event_type,
        "eventTime": at.isoformat(),
        "producer": "https://example.com/test",
        "schemaURL": "https://openlineage.io/spec/2-0-2/OpenLineage.json#/$defs/RunEvent",
        "run": {"runId": str(run), "facets": facets},
        "job": {"namespace": namespace, "name": job},
        "inputs": [{"namespace": namespace, "name": name} for name in inputs],
        "outputs": [
            {"namespace": namespace, "name": name, "facets": output_facets or {}} for name in outputs
        ],
    }


def pipeline_body(name: str, when: Any, **spec: Any) -> dict[str, Any]:
    """Return a Pipeline document; `when` may be a dataset name."""
    if isinstance(when, str):
        when = {"dataset": {"namespace": "ns", "name": when}}
    body: dict[str, Any] = {"when": when, "launch": {"command": {"argv": ["true"]}}, **spec}
    return {
        "apiVersion": "headwater/v1",
        "kind": "Pipeline",
        "metadata": {"name": name, "owner": "team"},
        "spec": body,
    }


def apply_fact(*bodies: dict[str, Any], expected: dict[str, int] | None = None) -> NewFact:
    """Return the command that applies the documents."""
    documents = [parse_document(body, source="test").body for body in bodies]
    return command(
        FactKind.DOCUMENTS_APPLY, {"documents": documents, "expected": expected or {}}, actor="test"
    )
