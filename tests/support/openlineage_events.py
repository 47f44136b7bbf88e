"""Small OpenLineage events for tests of the code that reads them."""

from typing import Any

import orjson

from catalog.openlineage.events import DatasetEvent, JobEvent, RunEvent, parse_event
from catalog.openlineage.receive import Limits, ReceivedEvent, receive_event

RUN_ID = "019299c5-73cf-7069-a70f-74eb8070b577"
TIME = "2024-10-17T09:18:27.719Z"
LIMITS = Limits()


def dataset(name: str, namespace: str = "db", **members: Any) -> dict[str, Any]:
    """Return a dataset with members such as `facets`."""
    return {"namespace": namespace, "name": name, **members}


def run_event(**members: Any) -> dict[str, Any]:
    """Return a minimal valid RunEvent with members added or replaced; `None` leaves a member out."""
    event = {
        "eventType": "COMPLETE",
        "eventTime": TIME,
        "producer": "https://example.com/producer",
        "schemaURL": "https://openlineage.io/spec/2-0-2/OpenLineage.json#/$defs/RunEvent",
        "run": {"runId": RUN_ID},
        "job": {"namespace": "scheduler", "name": "job"},
        **members,
    }
    return {name: value for name, value in event.items() if value is not None}


def job_event(**members: Any) -> dict[str, Any]:
    """Return a minimal valid JobEvent."""
    return run_event(run=None, eventType=None, **members)


def dataset_event(**members: Any) -> dict[str, Any]:
    """Return a minimal valid DatasetEvent."""
    return run_event(run=None, eventType=None, job=None, **{"dataset": dataset("t"), **members})


def received(event: Any) -> ReceivedEvent:
    """Return what is received of an event that a producer writes compactly."""
    return receive_event(orjson.dumps(event), LIMITS)


def parsed(event: Any) -> RunEvent | DatasetEvent | JobEvent:
    """Return what an event says after it was received."""
    known = received(event)
    return parse_event(known.body, known.digest)


def parsed_run(**members: Any) -> RunEvent:
    """Return what a RunEvent with these members says."""
    event = parsed(run_event(**members))
    assert isinstance(event, RunEvent)
    return event
