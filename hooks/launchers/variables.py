"""What the variables of a document stand for in one attempt."""

from collections.abc import Mapping
from typing import Any

import orjson

from catalog.documents.template import ANSWER
from catalog.keys import HEADWATER_NAMESPACE
from hooks.engines.port import EngineAttempt, Handle


def values_of(attempt: EngineAttempt) -> dict[str, Any]:
    """Return the value of every variable but those of an answer; each is a value of JSON."""
    run = attempt.run
    trigger: dict[str, Any] = orjson.loads(orjson.dumps(run.trigger(attempt.number)))
    newest: Mapping[str, Any] = trigger["versions"][-1] if trigger["versions"] else {}
    dataset: Mapping[str, Any] = newest.get("dataset", {})
    return {
        "run.id": trigger["run"],
        "run.number": run.number,
        "attempt.id": str(attempt.id),
        "attempt.number": attempt.number,
        "pipeline": run.pipeline,
        "due.at": trigger["dueAt"],
        "reason": run.reason,
        "openlineage.url": attempt.openlineage_url,
        "openlineage.namespace": run.openlineage_namespace,
        "openlineage.parent": f"{HEADWATER_NAMESPACE}/{run.pipeline}/{trigger['run']}",
        "version.id": newest.get("version"),
        "version.time": newest.get("time"),
        "version.partition": newest.get("partition"),
        "version.run": newest.get("run"),
        "version.dataset.namespace": dataset.get("namespace"),
        "version.dataset.name": dataset.get("name"),
        "trigger": trigger,
        "trigger.versions": trigger["versions"],
    }


def with_answer(values: Mapping[str, Any], handle: Handle | None) -> dict[str, Any]:
    """Return the values with those that were kept of the engine's answer."""
    kept: Mapping[str, Any] = {} if handle is None else handle.get("answer", {})
    return {**values, **{f"{ANSWER}{name}": value for name, value in kept.items()}}
