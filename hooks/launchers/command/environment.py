"""The clean environment of a launched command.

From the worker's own environment only what a program needs to find itself and speak the user's language is
taken (`INHERITED`). Then come, each overriding the one before: OpenLineage's address and namespace, the
document's variables, and the identity of the run, which no document can change.
"""

import json
import os
import re
from collections.abc import Mapping
from pathlib import Path

from hooks.launchers.port import Attempt
from hooks.launchers.secret import SecretReference

#: Variables of the worker that a command sees, besides every `LC_` variable; no proxy (it may hold a
#: password), no `PYTHON` variable, nothing of Headwater's own.
INHERITED = frozenset(
    {"PATH", "HOME", "USER", "LOGNAME", "SHELL", "LANG", "LANGUAGE", "TZ", "TMPDIR", "VIRTUAL_ENV"}
)

_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")


def find_faulty_variable(environment: Mapping[str, str | SecretReference]) -> str | None:
    """Return the first name that a shell would not pass on; None where all are good."""
    return next((name for name in environment if not _NAME.fullmatch(name)), None)


def inherited_environment(environment: Mapping[str, str]) -> dict[str, str]:
    """Return what a command sees of the worker's environment; `PATH` is always there."""
    taken = {
        name: value
        for name, value in environment.items()
        if (name in INHERITED or name.startswith("LC_")) and _NAME.fullmatch(name)
    }
    return {"PATH": os.defpath} | taken


def command_environment(attempt: Attempt, trigger: Path, secrets_folder: Path | None) -> dict[str, str]:
    """Return the whole environment of an attempt; raise `SecretUnavailable` where a secret cannot be read."""
    declared = {
        name: value.read(secrets_folder) if isinstance(value, SecretReference) else value
        for name, value in attempt.environment.items()
    }
    return (
        inherited_environment(os.environ)
        | {
            "OPENLINEAGE_URL": attempt.openlineage_url,
            "OPENLINEAGE_NAMESPACE": attempt.openlineage_namespace,
        }
        | declared
        | _parent(attempt)
        | {
            "HEADWATER_URL": attempt.openlineage_url,
            "HEADWATER_RUN_ID": str(attempt.run_id),
            "HEADWATER_ATTEMPT": str(attempt.number),
            "HEADWATER_TRIGGER": str(trigger),
        }
    )


def _parent(attempt: Attempt) -> dict[str, str]:
    """Say who the parent is, in both forms that OpenLineage producers read.

    `OPENLINEAGE_CONTEXT` is the one read first where it is known (openlineage-integration-common 1.54,
    `get_parent_run_metadata_from_context`); the other two are parted by slashes, which no name of a
    pipeline holds.
    """
    namespace, name, run_id = attempt.parent_job_namespace, attempt.parent_job_name, str(attempt.run_id)
    root_namespace = attempt.root_job_namespace or namespace
    root_name = attempt.root_job_name or name
    root_run_id = str(attempt.root_run_id or run_id)
    context = {
        "parent": {
            "run": {"runId": run_id},
            "job": {"namespace": namespace, "name": name},
            "root": {
                "run": {"runId": root_run_id},
                "job": {"namespace": root_namespace, "name": root_name},
            },
        }
    }
    return {
        "OPENLINEAGE_CONTEXT": json.dumps(context),
        "OPENLINEAGE_PARENT_ID": f"{namespace}/{name}/{run_id}",
        "OPENLINEAGE_ROOT_PARENT_ID": f"{root_namespace}/{root_name}/{root_run_id}",
    }
