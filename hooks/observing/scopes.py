"""Which run makes a version: each run by itself, or the root run for all its steps (documents of kind VersionScope)."""

from collections.abc import Sequence
from typing import Any

import psycopg

from catalog.documents.version_scope import VersionScope, scope_of
from catalog.forms import stored
from catalog.keys import JobKey
from hooks.observing.queries import QUERIES


def load_scopes(connection: psycopg.Connection[Any]) -> Sequence[VersionScope]:
    """Return the scopes that are declared now."""
    return [stored(VersionScope, body) for (body,) in connection.execute(QUERIES["scopes"])]


def by_root_run(scopes: Sequence[VersionScope], job: JobKey) -> bool:
    """Return whether versions that this job writes are made by its root run."""
    return bool(scopes) and scope_of(job, scopes) == "rootRun"
