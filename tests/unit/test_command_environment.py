"""The environment of a launched command, and the parent it declares."""

import json
import uuid
from pathlib import Path

import pytest

from hooks.launchers.command.environment import command_environment, inherited_environment
from tests.support.attempts import make_attempt

RUN = uuid.UUID("0192f0a0-0000-7000-8000-000000000001")
ROOT = uuid.UUID("0192f0a0-0000-7000-8000-000000000002")


def test_only_what_is_listed_is_inherited() -> None:
    found = inherited_environment(
        {
            "PATH": "/bin",
            "LC_ALL": "C",
            "LC_TIME": "C",
            "HOME": "/h",
            "AWS_SECRET": "s",
            "HTTPS_PROXY": "p",
            "LC_é": "x",
        }
    )
    assert found == {"PATH": "/bin", "LC_ALL": "C", "LC_TIME": "C", "HOME": "/h"}


def test_there_is_always_a_path() -> None:
    assert inherited_environment({})["PATH"]


def test_the_parent_is_the_pipeline_run_and_its_own_root() -> None:
    found = command_environment(make_attempt("true", run_id=RUN, number=2), Path("/t.json"), None)
    assert found["OPENLINEAGE_PARENT_ID"] == f"headwater/orders/{RUN}"
    assert found["OPENLINEAGE_ROOT_PARENT_ID"] == f"headwater/orders/{RUN}"
    itself = {"run": {"runId": str(RUN)}, "job": {"namespace": "headwater", "name": "orders"}}
    assert json.loads(found["OPENLINEAGE_CONTEXT"]) == {"parent": {**itself, "root": itself}}
    assert found["OPENLINEAGE_URL"] == found["HEADWATER_URL"] == "http://127.0.0.1:8642"
    assert found["OPENLINEAGE_NAMESPACE"] == "orders-team"
    assert (found["HEADWATER_RUN_ID"], found["HEADWATER_ATTEMPT"]) == (str(RUN), "2")
    assert found["HEADWATER_TRIGGER"] == "/t.json"


def test_a_root_of_its_own_is_told_apart() -> None:
    attempt = make_attempt(
        "true", run_id=RUN, root_job_namespace="air", root_job_name="flow", root_run_id=ROOT
    )
    found = command_environment(attempt, Path("/t.json"), None)
    assert found["OPENLINEAGE_PARENT_ID"] == f"headwater/orders/{RUN}"
    assert found["OPENLINEAGE_ROOT_PARENT_ID"] == f"air/flow/{ROOT}"
    root = json.loads(found["OPENLINEAGE_CONTEXT"])["parent"]["root"]
    assert root == {"run": {"runId": str(ROOT)}, "job": {"namespace": "air", "name": "flow"}}


def test_nothing_of_the_worker_leaks(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HEADWATER_SECRET_A", "s")
    monkeypatch.setenv("HEADWATER_DATABASE_URL", "u")
    found = command_environment(make_attempt("true"), Path("/t.json"), None)
    assert not {"HEADWATER_SECRET_A", "HEADWATER_DATABASE_URL"} & found.keys()
