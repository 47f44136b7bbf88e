"""The tasks that this release knows, and what becomes of a job for another one: it is left to a newer release.

A new task, or new arguments of one, gets a new name, so that no worker of an older release takes it for its own.
"""

from typing import Any

import procrastinate
import structlog
from procrastinate.tasks import Task

from catalog.errors import NotUnderstood

log = structlog.get_logger(__name__)

#: The names of all tasks of `hooks.job_app`; a test holds them against the application.
TASKS = frozenset(
    {
        "headwater.launch",
        "headwater.watch",
        "headwater.stop",
        "headwater.engine.launch",
        "headwater.engine.advance",
        "headwater.engine.stop",
        "headwater.webhook.deliver",
        "headwater.webhook.test",
    }
)
#: For how long a job that nobody here knows is left in the queue before it is offered again.
LEFT_SECONDS = 5


def leave(job: procrastinate.jobs.Job, reason: BaseException) -> procrastinate.RetryDecision:
    """Put the job back into the queue, where a newer release finds it."""
    log.warning("job.left", task=job.task_name, job=job.id, reason=str(reason))
    return procrastinate.RetryDecision(retry_in={"seconds": LEFT_SECONDS})


class _Leave(procrastinate.BaseRetryStrategy):
    """Put the job back, whatever happened: it is not ours to judge."""

    def get_retry_decision(
        self, *, exception: BaseException, job: procrastinate.jobs.Job
    ) -> procrastinate.RetryDecision:
        return leave(job, exception)


async def _not_known(**arguments: Any) -> None:
    raise NotUnderstood(
        f"this release knows no such task with {', '.join(sorted(arguments))}: a newer one does"
    )


class _KnownTasks(dict[str, Task[Any, Any, Any]]):
    """Tasks by name; one that is not among them is done by leaving it."""

    def __init__(self, app: procrastinate.App) -> None:
        super().__init__(app.tasks)
        self._other: Task[Any, Any, Any] = Task(
            _not_known,
            blueprint=app,
            name="headwater.left",
            queue="default",
            retry=_Leave(),
            pass_context=False,
        )

    def __missing__(self, name: str) -> Task[Any, Any, Any]:
        return self._other

    def get(self, name: str, default: Any = None) -> Any:
        """Return the task of that name, or the one that leaves the job."""
        del default
        return self[name]


def leave_unknown_tasks(app: procrastinate.App) -> procrastinate.App:
    """Return the application, which from now on leaves jobs of tasks that it does not know."""
    app.tasks = _KnownTasks(app)
    return app
