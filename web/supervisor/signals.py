"""Signals as events of a loop: a process without threads sleeps until one arrives or a time has come."""

import os
import select
import signal
from collections.abc import Iterable
from types import TracebackType
from typing import Any, Self


class SignalInbox:
    """Collects signals while the `with` block runs; the earlier handlers are back afterwards."""

    def __init__(self, numbers: Iterable[signal.Signals]) -> None:
        self._numbers = list(numbers)
        self._earlier: dict[signal.Signals, Any] = {}
        self._earlier_wakeup = -1
        self._reader = self._writer = -1

    def __enter__(self) -> Self:
        self._reader, self._writer = os.pipe()
        os.set_blocking(self._reader, False)
        os.set_blocking(self._writer, False)
        self._earlier_wakeup = signal.set_wakeup_fd(self._writer, warn_on_full_buffer=False)
        for number in self._numbers:
            self._earlier[number] = signal.signal(number, _collect)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for number, handler in self._earlier.items():
            signal.signal(number, handler if handler is not None else signal.SIG_DFL)
        signal.set_wakeup_fd(self._earlier_wakeup)
        self.close()

    def close(self) -> None:
        """Close the pipe; in a forked child this is all there is to do."""
        os.close(self._reader)
        os.close(self._writer)

    def wait(self, seconds: float) -> set[signal.Signals]:
        """Return the signals that arrived since the last call, after at most the given time if there are none."""
        readable, _, _ = select.select([self._reader], [], [], max(seconds, 0.0))
        if not readable:
            return set()
        return {signal.Signals(number) for number in os.read(self._reader, 4096)}


def _collect(_number: int, _frame: object) -> None:
    """Be a handler, so that the number is written into the pipe."""
