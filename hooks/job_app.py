"""The job application of a worker: what each task does, and that none of them is ever given up."""

import asyncio
import datetime as dt
import uuid

import procrastinate
import structlog

from catalog.errors import NotUnderstood
from hooks import launching
from hooks.engines import advancing
from hooks.engines.advancing import EngineContext
from hooks.jobs import ENGINE_HOST, LAUNCH_QUEUE, AttemptKey, host_queue
from hooks.tasks import leave, leave_unknown_tasks
from hooks.webhooks import delivering
from hooks.webhooks.delivering import DeliveryContext
from hooks.webhooks.queue import WEBHOOK_QUEUE

log = structlog.get_logger(__name__)

#: Connections that the job queue has at most, beside one for each queue that it listens on.
JOB_POOL = 6
LONGEST_RETRY_SECONDS = 30


def job_app(
    context: launching.LaunchContext, engines: EngineContext, webhooks: DeliveryContext, conninfo: str
) -> procrastinate.App:
    """Return the job application of one worker: its tasks know the worker's launcher, engines and receivers."""
    connector = procrastinate.PsycopgConnector(
        conninfo=conninfo, min_size=1, max_size=JOB_POOL, kwargs={"connect_timeout": 5}
    )
    app = procrastinate.App(connector=connector)

    @app.task(name="headwater.launch", queue=LAUNCH_QUEUE, retry=_NeverGiveUp())
    async def launch(attempts: list[tuple[str, int]]) -> None:
        keys = [AttemptKey(uuid.UUID(run_id), number) for run_id, number in attempts]
        await asyncio.to_thread(launching.launch, context, keys)

    @app.task(name="headwater.watch", retry=_NeverGiveUp())
    async def watch(run_id: str, attempt: int, deadline: str | None) -> None:
        key = AttemptKey(uuid.UUID(run_id), attempt)
        at = None if deadline is None else dt.datetime.fromisoformat(deadline)
        if await launching.watch(context, key, at):
            job = launching.watch_job(context.host, key, at)
            await app.configure_task(job.task, queue=job.queue).defer_async(**job.arguments)

    @app.task(name="headwater.stop", retry=_NeverGiveUp())
    async def stop(run_id: str, attempt: int, reason: str) -> None:
        key = AttemptKey(uuid.UUID(run_id), attempt)
        await asyncio.to_thread(launching.stop, context, key, launching.CANCELLED + reason)

    _add_engine_tasks(app, engines)
    _add_webhook_tasks(app, webhooks)
    return leave_unknown_tasks(app)


def _add_engine_tasks(app: procrastinate.App, engines: EngineContext) -> None:
    queue = host_queue(ENGINE_HOST)

    @app.task(name="headwater.engine.launch", queue=queue, retry=_NeverGiveUp())
    async def launch(attempts: list[tuple[str, int]]) -> None:
        await advancing.launch(
            engines, [AttemptKey(uuid.UUID(run_id), number) for run_id, number in attempts]
        )

    @app.task(name="headwater.engine.advance", queue=queue, retry=_NeverGiveUp())
    async def advance(run_id: str, attempt: int, epoch: int) -> None:
        await advancing.advance(engines, AttemptKey(uuid.UUID(run_id), attempt), epoch)

    @app.task(name="headwater.engine.stop", queue=queue, retry=_NeverGiveUp())
    async def stop(run_id: str, attempt: int, reason: str) -> None:
        key = AttemptKey(uuid.UUID(run_id), attempt)
        await asyncio.to_thread(advancing.stop, engines, key, reason)


def _add_webhook_tasks(app: procrastinate.App, webhooks: DeliveryContext) -> None:
    @app.task(name="headwater.webhook.deliver", queue=WEBHOOK_QUEUE, retry=_NeverGiveUp())
    async def deliver(webhook: str, ticket: int) -> None:
        await delivering.deliver(webhooks, webhook, ticket)

    @app.task(name="headwater.webhook.test", queue=WEBHOOK_QUEUE, retry=_NeverGiveUp())
    async def test(webhook: str, message: str) -> None:
        await delivering.probe(webhooks, webhook, uuid.UUID(message))


class _NeverGiveUp(procrastinate.BaseRetryStrategy):
    """Retry whatever happened, ever more slowly: a job that is given up leaves a run that never ends."""

    def get_retry_decision(
        self, *, exception: BaseException, job: procrastinate.jobs.Job
    ) -> procrastinate.RetryDecision | None:
        if isinstance(exception, asyncio.CancelledError):
            # The worker ends and would not wait any longer: another one does the job from its beginning.
            return procrastinate.RetryDecision(retry_in={"seconds": 0})
        if not isinstance(exception, Exception):
            return None
        if isinstance(exception, NotUnderstood):
            return leave(job, exception)
        seconds = min(2 ** min(job.attempts, 10), LONGEST_RETRY_SECONDS)
        log.warning("job.retried", task=job.task_name, job=job.id, seconds=seconds, exc_info=exception)
        return procrastinate.RetryDecision(retry_in={"seconds": seconds})
