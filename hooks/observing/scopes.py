"""Which run makes a version: each run by itself, or the root run for all its steps (documents of kind VersionScope)."""

from collections.abc import Mapping
from typing import Any

import psycopg

from catalog.keys import JobKey

ScopeRules = Mapping[tuple[str, str | None], str]


def load_scopes(connection: psycopg.Connection[Any], query: bytes) -> ScopeRules:
    """Return the declared scopes by (namespace, job name or None for the whole namespace)."""
    rules = {}
    for (body,) in connection.execute(query):
        spec = body["spec"]
        rules[spec["namespace"], spec.get("job")] = spec["scope"]
    return rules


def by_root_run(rules: ScopeRules, job: JobKey) -> bool:
    """Return whether versions that this job writes are made by its root run; a job's rule beats its namespace's."""
    scope = rules.get((job.namespace, job.name), rules.get((job.namespace, None), "run"))
    return scope == "rootRun"
