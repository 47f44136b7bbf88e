"""Starts DAG runs, asks how they stand and ends them; says what Airflow's answers mean."""

import datetime as dt
from collections.abc import Callable
from pathlib import Path
from typing import Any, assert_never

import httpx

from catalog.documents import airflow_launcher
from catalog.documents.pipeline import AirflowLaunch, CommandLaunch, HttpLaunch
from catalog.errors import HeadwaterError
from hooks.engines.port import (
    Absent,
    Accepted,
    AskAnswer,
    CancelAnswer,
    Declined,
    Ended,
    EngineAttempt,
    Going,
    Handle,
    Impossible,
    SendAnswer,
    Stopped,
    Traits,
    Unclear,
    Unreached,
)
from hooks.engines.told import printable
from hooks.launchers.airflow import dag_runs
from hooks.launchers.airflow.session import (
    UNAUTHORIZED,
    LoginRefused,
    Session,
    Tokens,
    content_of,
)
from hooks.launchers.answers import CONFLICT, declined, unanswered
from hooks.outbound import Answered, Exchange, NotSent, OutboundClient, Unanswered, origin_of

NOT_FOUND = 404
QUEUED, SUCCESS, FAILED = "queued", "success", "failed"


class AirflowLauncher:
    """Starts attempts as DAG runs whose ids follow from the attempts, so that Airflow itself starts none twice."""

    def __init__(
        self, client: OutboundClient, *, secrets_folder: Path | None, now: Callable[[], dt.datetime]
    ) -> None:
        self._client = client
        self._secrets_folder = secrets_folder
        self._now = now
        self._tokens = Tokens()

    def traits(self, attempt: EngineAttempt) -> Traits:
        """Return that Airflow knows an attempt by its id, whether or not anybody saw it accepted."""
        airflow = _document(attempt)
        return Traits(
            repeatable=True,
            findable=True,
            cancellable=True,
            cancellable_unseen=True,
            interval=airflow.interval,
            patience=airflow.timeouts.unreachable,
            longest=airflow.timeouts.answer,
        )

    def _talk(self, attempt: EngineAttempt) -> "_Talk":
        airflow = _document(attempt)
        session = Session(self._client, self._tokens, airflow, self._secrets_folder)
        return _Talk(session, airflow, attempt, self._now)

    async def send(self, attempt: EngineAttempt, *, again: bool) -> SendAnswer:
        """Post the DAG run, but for a DAG that is unknown or paused."""
        talk = self._talk(attempt)
        try:
            barred = None if again else await talk.barred()
            return barred or await talk.start(again=again)
        except HeadwaterError as error:
            return Impossible(printable(error.message))

    async def ask(self, attempt: EngineAttempt, handle: Handle | None) -> AskAnswer:
        """Ask for the DAG run's state."""
        talk = self._talk(attempt)
        try:
            return await talk.ask(dag_runs.dag_run_id(attempt, handle))
        except HeadwaterError as error:
            return Unclear(printable(error.message), lasting=True)

    async def cancel(self, attempt: EngineAttempt, handle: Handle | None) -> CancelAnswer:
        """Mark the DAG run as failed, with which Airflow ends its tasks, unless it has ended by itself."""
        talk = self._talk(attempt)
        try:
            return await talk.cancel(dag_runs.dag_run_id(attempt, handle))
        except HeadwaterError as error:
            return Impossible(printable(error.message))


class _Talk:
    """What one step asks of Airflow, and what the answers mean."""

    def __init__(
        self,
        session: Session,
        airflow: airflow_launcher.AirflowLauncher,
        attempt: EngineAttempt,
        now: Callable[[], dt.datetime],
    ) -> None:
        self._session = session
        self._airflow = airflow
        self._attempt = attempt
        self._now = now
        self._origin = origin_of(airflow.url)

    async def barred(  # noqa: PLR0911 - one return for each thing that bars it
        self,
    ) -> Declined | Ended | Unreached | Impossible | None:
        """Return why the DAG cannot be started now; None where it can, or where that must not be asked."""
        dag = await self._session.call("GET", dag_runs.dag_path(self._airflow))
        if not isinstance(dag, Answered):
            # Whatever became of the question: the run was not asked for yet.
            return self._unsent(dag)
        told = self._told("GET", "the DAG", dag)
        if (later := declined(dag, told, self._now())) is not None:
            return later
        if httpx.codes.is_server_error(dag.status):
            return Unreached(told)
        if dag.status == NOT_FOUND:
            return self._refused(f"Airflow has no DAG {self._airflow.dag}", told)
        if dag.status == UNAUTHORIZED:
            return self._refused(f"Airflow refused the credentials: {self._session.told(dag)}", told)
        if content_of(dag).get("is_paused") is True:
            reason = f"the DAG {self._airflow.dag} is paused in Airflow"
            match self._airflow.when_paused:
                case "wait":
                    # One question each interval costs Airflow little, and the run starts soon after the DAG may.
                    until = self._now() + self._airflow.interval
                    return Declined(until, f"{reason}: the run is started when it no longer is", reason)
                case "fail":
                    return self._refused(reason, told)
        return None

    def _unsent(self, exchange: NotSent | Unanswered | LoginRefused) -> Ended | Unreached | Impossible:
        match exchange:
            case LoginRefused(reason):
                return self._refused(reason, reason)
            case NotSent(reason, True):
                return Impossible(self._session.plain(reason))
            case NotSent(reason, _) | Unanswered(reason):
                return Unreached(self._session.plain(reason))
            case _:
                assert_never(exchange)

    async def start(self, *, again: bool) -> SendAnswer:
        """Post the DAG run; where there is one of its id already, that is it."""
        body = dag_runs.start_body(self._airflow, self._attempt)
        answer = await self._session.call("POST", dag_runs.runs_path(self._airflow), body)
        match answer:
            case LoginRefused(reason) if again:
                return Unclear(reason)
            case Unanswered(reason):
                return Unclear(self._session.plain(reason))
            case LoginRefused() | NotSent():
                return self._unsent(answer)
            case Answered():
                return await self._started(answer, again=again)
            case _:
                assert_never(answer)

    async def _started(self, answer: Answered, *, again: bool) -> SendAnswer:
        run = dag_runs.dag_run_id(self._attempt)
        told = self._told("POST", f"the DAG run {run}", answer)
        if httpx.codes.is_success(answer.status):
            content = content_of(answer)
            if content.get("dag_run_id") != run:
                return Unclear(f"{told}, but no DAG run: this is no Airflow 3, or something stands before it")
            return self._accepted(run, content)
        if (later := declined(answer, told, self._now())) is not None:
            return later
        if httpx.codes.is_server_error(answer.status):
            return Unclear(told)
        if answer.status == CONFLICT or again:
            return await self._existing(run, answer, told)
        return self._refused(f"Airflow refused the DAG run: {self._session.told(answer)}", told)

    async def _existing(self, run: str, answer: Answered, told: str) -> SendAnswer:
        """Return what it means that Airflow refused a DAG run that it may have: it says so itself."""
        found = await self._session.call("GET", dag_runs.run_path(self._airflow, run))
        if isinstance(found, Answered):
            content = content_of(found)
            if content.get("dag_run_id") == run:
                return self._accepted(run, content)
            if found.status == NOT_FOUND and answer.status == CONFLICT:
                return self._refused("Airflow has another run of the DAG for this logical date", told)
            if found.status == NOT_FOUND:
                return self._refused(f"Airflow refused the DAG run: {self._session.told(answer)}", told)
        return Unclear(f"{told}; whether Airflow has the run is not known")

    def _accepted(self, run: str, content: dict[str, Any]) -> Accepted:
        return Accepted(self._origin, {dag_runs.DAG_RUN: run}, self._shown(run, content))

    async def ask(self, run: str) -> AskAnswer:
        """Ask for the state of the DAG run."""
        answer = await self._session.call("GET", dag_runs.run_path(self._airflow, run))
        match answer:
            case LoginRefused(reason):
                return Unclear(reason)
            case NotSent() | Unanswered():
                return unanswered(answer)
            case Answered():
                return await self._asked(run, answer)
            case _:
                assert_never(answer)

    async def _asked(  # noqa: PLR0911 - one return for each kind of answer
        self, run: str, answer: Answered
    ) -> AskAnswer:
        told = self._told("GET", f"the DAG run {run}", answer)
        if answer.status == NOT_FOUND:
            return Absent(False, told)
        if (later := declined(answer, told, self._now())) is not None:
            return later
        content = content_of(answer)
        state = content.get("state")
        if not httpx.codes.is_success(answer.status) or not isinstance(state, str):
            return Unclear(told)
        shown = self._shown(run, content)
        match state:
            case "success":
                return Ended(self._origin, True, "state success", shown)
            case "failed":
                return Ended(self._origin, False, f"state failed{await self._failed_tasks(run)}", shown)
            case "queued":
                return Going(self._origin, shown + await self._paused_remark())
            case _:
                return Going(self._origin, shown)

    async def _failed_tasks(self, run: str) -> str:
        """Return the names of the tasks that failed, where Airflow tells them."""
        answer = await self._session.call("GET", dag_runs.failed_tasks_path(self._airflow, run))
        tasks = content_of(answer).get("task_instances") if isinstance(answer, Answered) else None
        if not isinstance(tasks, list):
            return ""
        names = [str(task.get("task_id")) for task in tasks if isinstance(task, dict)]
        return self._session.plain(f": task {', '.join(names)}", 400) if names else ""

    async def _paused_remark(self) -> str:
        dag = await self._session.call("GET", dag_runs.dag_path(self._airflow))
        paused = isinstance(dag, Answered) and content_of(dag).get("is_paused") is True
        return "\nthe DAG is paused in Airflow: the run waits there until it no longer is" if paused else ""

    async def cancel(self, run: str) -> CancelAnswer:
        """Mark the DAG run as failed unless it has ended: a run that succeeded stays so."""
        found = await self._session.call("GET", dag_runs.run_path(self._airflow, run))
        if not isinstance(found, Answered):
            return self._not_cancelled(found)
        if found.status == NOT_FOUND or content_of(found).get("state") in (SUCCESS, FAILED):
            return Stopped(self._told("GET", f"the DAG run {run}", found))
        answer = await self._session.call("PATCH", dag_runs.run_path(self._airflow, run), {"state": FAILED})
        if not isinstance(answer, Answered):
            return self._not_cancelled(answer)
        told = self._told("PATCH", f"the DAG run {run}", answer)
        if httpx.codes.is_success(answer.status) or answer.status == NOT_FOUND:
            return Stopped(told)
        return declined(answer, told, self._now()) or Unclear(told)

    def _not_cancelled(self, exchange: Exchange | LoginRefused) -> Unreached | Unclear:
        match exchange:
            case LoginRefused(reason):
                return Unclear(reason)
            case NotSent() | Unanswered():
                return unanswered(exchange)
            case Answered():
                raise ValueError("expected a question without an answer")
            case _:
                assert_never(exchange)

    def _refused(self, reason: str, told: str) -> Ended:
        return Ended(self._origin, False, printable(reason), told)

    def _told(self, method: str, what: str, answer: Answered) -> str:
        return f"{method} {what} at {self._origin} {self._session.told(answer)}"

    def _shown(self, run: str, content: dict[str, Any]) -> str:
        """Return how the DAG run stands, for people: its state, since when, and where Airflow shows it."""
        started, ended = content.get("start_date"), content.get("end_date")
        state = f"{content.get('state')}"
        times = [f"started {started}"] if started else []
        times += [f"ended {ended}"] if ended else []
        first = f"DAG {self._airflow.dag}, run {run}: {', '.join([state, *times])}"
        return self._session.plain(f"{first}\n{dag_runs.page(self._airflow, run)}")


def _document(attempt: EngineAttempt) -> airflow_launcher.AirflowLauncher:
    launch = attempt.run.document.spec.launch
    match launch:
        case AirflowLaunch(airflow=airflow):
            return airflow
        case CommandLaunch() | HttpLaunch():
            raise ValueError(f"expected run {attempt.run.run_id} to be launched by Airflow")
        case _:
            assert_never(launch)
