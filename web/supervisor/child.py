"""One child: forked from a parent that has imported everything, restarted with growing delays, never an orphan."""

import contextlib
import gc
import os
import signal
import sys
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import NoReturn

import structlog

from catalog.errors import ConfigurationError

log = structlog.get_logger(__name__)

#: Exit code of a child whose configuration does not fit: another start would not mend it (EX_CONFIG of sysexits.h).
UNMENDABLE_EXIT = 78
#: Seconds that a child has to end by itself once its supervisor is gone.
ORPHAN_GRACE_SECONDS = 2.0
#: Seconds before the first restart, and the most before any; each failure in a row doubles them.
FIRST_DELAY_SECONDS = 0.05
LONGEST_DELAY_SECONDS = 5.0
#: Seconds of life after which a child's death is no longer in a row with those before.
SOUND_SECONDS = 10.0


@dataclass(frozen=True, slots=True)
class ChildProcess:
    """What a child is called and does: `run` is called in the forked process and returns upon SIGTERM."""

    name: str
    run: Callable[[], None]


class RestartDelay:
    """Seconds to wait before something is started again: a little, then more, at most five."""

    def __init__(self) -> None:
        self._failures = 0
        self._started = time.monotonic()

    def started(self) -> None:
        """Remember that a life began now."""
        self._started = time.monotonic()

    def after_failure(self) -> float:
        """Return the seconds to wait, now that this life ended."""
        if time.monotonic() - self._started >= SOUND_SECONDS:
            self._failures = 0
        self._failures += 1
        return float(min(FIRST_DELAY_SECONDS * 2 ** (self._failures - 1), LONGEST_DELAY_SECONDS))


class Lifeline:
    """A pipe whose only writing end is the supervisor's: it closes when the supervisor ends, however it ends."""

    def __init__(self) -> None:
        self._reader, self._writer = os.pipe()

    def close(self) -> None:
        """Close both ends, in the supervisor."""
        os.close(self._writer)
        os.close(self._reader)

    def hold(self) -> None:
        """In a child: end this process soon after the supervisor has gone."""
        os.close(self._writer)
        threading.Thread(target=self._watch, name="lifeline", daemon=True).start()

    def _watch(self) -> None:
        while os.read(self._reader, 1):
            pass
        os.kill(os.getpid(), signal.SIGTERM)
        time.sleep(ORPHAN_GRACE_SECONDS)
        os._exit(1)


class Child:
    """The supervisor's record of a child process; at most one process of it lives."""

    def __init__(self, process: ChildProcess) -> None:
        self.name = process.name
        self.pid: int | None = None
        #: When to start it, in seconds of the monotonic clock.
        self.due = time.monotonic()
        self._run = process.run
        self._delay = RestartDelay()

    def start(self, in_child: Callable[[], None]) -> None:
        """Fork the process; `in_child` is called in it first, to let go of what is the supervisor's."""
        sys.stdout.flush()
        sys.stderr.flush()
        gc.freeze()  # a collection in a child would write to, and so copy, every shared page
        handled = signal.pthread_sigmask(signal.SIG_BLOCK, signal.valid_signals())
        try:
            pid = os.fork()
            if pid == 0:
                self._live(in_child, handled)
        finally:
            signal.pthread_sigmask(signal.SIG_SETMASK, handled)
        self.pid = pid
        self._delay.started()
        log.debug("child-started", child=self.name, pid=pid)

    def _live(self, in_child: Callable[[], None], handled: set[int | signal.Signals]) -> NoReturn:
        """Be the child: nothing of the parent's stack runs on, whatever happens."""
        code = 1
        try:
            _take_own_place(self.name)
            in_child()
            signal.pthread_sigmask(signal.SIG_SETMASK, handled)
            self._run()
            code = 0
        except ConfigurationError as exc:
            log.critical("child-configuration", child=self.name, error=exc.message)
            code = UNMENDABLE_EXIT
        except SystemExit as exc:
            code = exc.code if isinstance(exc.code, int) else int(exc.code is not None)
        except BaseException:
            log.exception("child-failed", child=self.name)
        finally:
            with contextlib.suppress(OSError, ValueError):
                sys.stdout.flush()
                sys.stderr.flush()
            os._exit(code)

    def reap(self) -> int | None:
        """Return the exit code if the process has ended (minus the signal that killed it), else None."""
        if self.pid is None:
            return None
        pid, status = os.waitpid(self.pid, os.WNOHANG)
        if pid == 0:
            return None
        self.pid = None
        code = os.waitstatus_to_exitcode(status)
        self.due = time.monotonic() + self._delay.after_failure()
        return code

    def send(self, number: signal.Signals) -> None:
        """Send a signal to the process if there is one; it cannot be another's, as only we reap it."""
        if self.pid is not None:
            os.kill(self.pid, number)


def _nothing(_number: int, _frame: object) -> None:
    """Take a signal without effect; other than SIG_IGN this does not reach programs that a child starts."""


def _take_own_place(name: str) -> None:
    """Leave the terminal's foreground group and the parent's handlers: only the supervisor ends us."""
    gc.enable()
    signal.set_wakeup_fd(-1)
    os.setpgid(0, 0)
    signal.signal(signal.SIGINT, _nothing)
    for number in (signal.SIGTERM, signal.SIGHUP, signal.SIGCHLD):
        signal.signal(number, signal.SIG_DFL)
    signal.signal(signal.SIGTTOU, signal.SIG_IGN)  # else a terminal may stop us for writing a log line
    nothing = os.open(os.devnull, os.O_RDONLY)
    os.dup2(nothing, 0)
    os.close(nothing)
    with contextlib.suppress(OSError):  # what `ps` and `top` show on Linux
        Path("/proc/self/comm").write_text(f"headwater-{name}"[:15])
