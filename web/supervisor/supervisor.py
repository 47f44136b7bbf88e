"""The loop that keeps children and database alive until a signal ends them, in order and in time."""

import signal
import time
from collections.abc import Iterator, Sequence

import structlog

from catalog.embedded import EmbeddedPostgreSQL
from catalog.errors import HeadwaterError
from web.supervisor.child import UNMENDABLE_EXIT, Child, ChildProcess, Lifeline, RestartDelay
from web.supervisor.signals import SignalInbox

log = structlog.get_logger(__name__)

STOP_SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
#: Seconds between looks at the database's log and guard.
MAINTENANCE_SECONDS = 10.0
#: Share of the stop time that children have before they are killed; the rest is the database's.
CHILDREN_SHARE = 0.6
#: Seconds kept back of the stop time, for what a busy machine takes to end a killed process.
MARGIN_SECONDS = 0.3


class Supervisor:
    """Runs the children, and the database below them, as one.

    A child that ends is started again. A database that ends is started again while the children wait for it by
    themselves. A stop signal ends the children, then the database, within `stop_timeout` seconds altogether. When
    this process is killed, all of them end by themselves.
    """

    def __init__(
        self,
        children: Sequence[ChildProcess],
        *,
        database: EmbeddedPostgreSQL | None = None,
        stop_timeout: float = 5.0,
    ) -> None:
        self._children = [Child(process) for process in children]
        self._database = DatabaseKeeper(database) if database is not None else None
        self._stop_timeout = stop_timeout

    def run(self) -> int:
        """Return the exit code once a stop signal has ended everything: 0.

        The code is 78 where a child ended with it, which says that its configuration does not fit. Call it from
        the main thread of a process without other threads.
        """
        # A terminal that closes ends us, except where `nohup` asked that it should not.
        ignored = {number for number in STOP_SIGNALS if signal.getsignal(number) == signal.SIG_IGN}
        stops = set(STOP_SIGNALS) - (ignored & {signal.SIGHUP})
        with SignalInbox([*stops, signal.SIGCHLD]) as inbox:
            self._inbox = inbox
            self._lifeline = Lifeline()
            try:
                code = self._keep_alive(stops)
            finally:
                self._stop()
                self._lifeline.close()
        return code

    def _keep_alive(self, stops: set[signal.Signals]) -> int:
        while True:
            now = time.monotonic()
            for child in self._children:
                if child.pid is None and child.due <= now:
                    child.start(self._let_go)
            wait = min((child.due - now for child in self._children if child.pid is None), default=60.0)
            if self._database is not None:
                wait = min(wait, self._database.keep_alive())
            received = self._inbox.wait(wait)
            if received & stops:
                log.info("stopping", signals=sorted(number.name for number in received & stops))
                return 0
            for child in self._children:
                if self._ended(child) == UNMENDABLE_EXIT:
                    return UNMENDABLE_EXIT

    def _let_go(self) -> None:
        """In a forked child: keep nothing by which the supervisor seems to live on."""
        self._inbox.close()
        self._lifeline.hold()
        if self._database is not None:
            self._database.database.forget()

    @staticmethod
    def _ended(child: Child) -> int | None:
        pid, code = child.pid, child.reap()
        if code is not None and code != UNMENDABLE_EXIT:
            seconds = round(child.due - time.monotonic(), 2)
            log.warning("child-ended", child=child.name, pid=pid, exit_code=code, restart_in_seconds=seconds)
        return code

    def _stop(self) -> None:
        began = time.monotonic()
        for child in self._children:
            child.send(signal.SIGTERM)
            child.send(signal.SIGCONT)  # a stopped process takes no other signal
        if not self._await_children(began + self._stop_timeout * CHILDREN_SHARE):
            for child in self._children:
                child.send(signal.SIGKILL)
            self._await_children(time.monotonic() + MARGIN_SECONDS)
        if self._database is not None:
            left = began + self._stop_timeout - MARGIN_SECONDS - time.monotonic()
            self._database.database.stop(max(left, MARGIN_SECONDS))
        log.info("stopped", seconds=round(time.monotonic() - began, 2))

    def _await_children(self, deadline: float) -> bool:
        """Say whether all children have ended before the deadline of the monotonic clock."""
        while True:
            for child in self._children:
                child.reap()
            if all(child.pid is None for child in self._children):
                return True
            if time.monotonic() >= deadline:
                return False
            self._inbox.wait(deadline - time.monotonic())


class DatabaseKeeper:
    """Starts the database again when it has ended, in steps that fit into the supervisor's loop."""

    def __init__(self, database: EmbeddedPostgreSQL) -> None:
        self.database = database
        self._steps: Iterator[float] | None = None
        self._due = 0.0
        self._delay = RestartDelay()
        self._maintenance_due = 0.0

    def keep_alive(self) -> float:
        """Do what is due and return the seconds until the next call, if no child ends before."""
        now = time.monotonic()
        if self._steps is None and self.database.pid is not None:
            return self._maintain(now)
        if self._steps is None:
            self._steps = self.database.starting()
            self._due = now + self._delay.after_failure()
            log.warning("database-ended", restart_in_seconds=round(self._due - now, 2))
        if self._due <= now:
            self._step(self._steps)
        return max(self._due - time.monotonic(), 0.0)

    def _step(self, steps: Iterator[float]) -> None:
        try:
            self._due = time.monotonic() + next(steps)
        except StopIteration:
            self._steps = None
            self._delay.started()
            log.info("database-started", pid=self.database.pid)
        except (HeadwaterError, OSError) as exc:
            log.warning("database-not-started", error=str(exc))
            self._steps = self.database.starting()
            self._due = time.monotonic() + self._delay.after_failure()

    def _maintain(self, now: float) -> float:
        if self._maintenance_due <= now:
            self.database.maintain()
            self._maintenance_due = now + MAINTENANCE_SECONDS
        return self._maintenance_due - now
