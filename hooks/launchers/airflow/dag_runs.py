"""What Airflow is asked about one attempt: names, paths and bodies.

Sources: Airflow 3's REST API, `TriggerDAGRunPostBody`; its OpenLineage provider, "Passing parent job information".
"""

import datetime as dt
import json
from typing import Any
from urllib.parse import quote

from catalog.documents.airflow_launcher import AirflowLauncher
from catalog.documents.template import render_body
from catalog.errors import InvalidInput
from catalog.keys import HEADWATER_NAMESPACE
from hooks.engines.port import EngineAttempt, Handle
from hooks.engines.told import printable
from hooks.launchers.variables import values_of

API = "/api/v2"
TOKEN_PATH = "/auth/token"  # noqa: S105 - where a token is asked for, not one
#: Begins no kind of run that Airflow names itself (`scheduled__`, `backfill__`, `asset_triggered__`).
ID_PREFIX = "headwater__"
DAG_RUN = "dagRun"
_LONGEST_NOTE = 1000
#: Failed tasks that are named.
NAMED_TASKS = 5


def dag_run_id(attempt: EngineAttempt, handle: Handle | None = None) -> str:
    """Return the id of the attempt's DAG run: the same each time it is sent, and no other attempt's."""
    return str(handle[DAG_RUN]) if handle and DAG_RUN in handle else f"{ID_PREFIX}{attempt.id}"


def dag_path(airflow: AirflowLauncher) -> str:
    """Return the path of the DAG."""
    return f"{API}/dags/{quote(airflow.dag, safe='')}"


def runs_path(airflow: AirflowLauncher) -> str:
    """Return the path to which DAG runs are posted."""
    return f"{dag_path(airflow)}/dagRuns"


def run_path(airflow: AirflowLauncher, run: str) -> str:
    """Return the path of one DAG run."""
    return f"{runs_path(airflow)}/{quote(run, safe='')}"


def failed_tasks_path(airflow: AirflowLauncher, run: str) -> str:
    """Return the path of the tasks that failed in it, the first few."""
    return f"{run_path(airflow, run)}/taskInstances?state=failed&limit={NAMED_TASKS}"


def page(airflow: AirflowLauncher, run: str) -> str:
    """Return where Airflow shows the DAG run to people."""
    return f"{airflow.url.rstrip('/')}/dags/{quote(airflow.dag, safe='')}/runs/{quote(run, safe='')}"


def start_body(airflow: AirflowLauncher, attempt: EngineAttempt) -> dict[str, Any]:
    """Return what starts the attempt's DAG run; raise `InvalidInput` where its `conf` is no JSON."""
    run = attempt.run
    conf = {"openlineage": _parent(attempt)} | render_body(airflow.conf, values_of(attempt))
    body = {
        "dag_run_id": dag_run_id(attempt),
        "logical_date": _logical_date(attempt) if airflow.logical_date == "due" else None,
        "conf": conf,
        "note": printable(
            f"Headwater: {run.pipeline}/{run.number}, attempt {attempt.number}: {run.reason}", _LONGEST_NOTE
        ),
    }
    try:
        json.dumps(body, allow_nan=False)
    except ValueError as error:
        raise InvalidInput(f"the conf is no JSON: {error}") from error
    return body


def _parent(attempt: EngineAttempt) -> dict[str, str]:
    """Return what Airflow's OpenLineage provider makes the parent of the DAG run; root is the same run."""
    return {
        "parentRunId": str(attempt.run.run_id),
        "parentJobNamespace": HEADWATER_NAMESPACE,
        "parentJobName": attempt.run.pipeline,
    }


def _logical_date(attempt: EngineAttempt) -> str:
    """Return when the run became due, a microsecond later for each attempt after the first.

    Airflow keeps one run of a DAG for a logical date.
    """
    return (attempt.run.due_at + dt.timedelta(microseconds=attempt.number - 1)).isoformat()
