"""Whether an attempt is followed by another, and after which wait.

Source of full jitter: Marc Brooker, "Exponential Backoff And Jitter", AWS Architecture Blog, 2015.
"""

import hashlib
import math
from datetime import timedelta

from catalog.documents.pipeline import Backoff, Retries
from policies.transitions import RunState


def backoff_delay(policy: Backoff, attempt: int, seed: str) -> timedelta:
    """Return how long to wait after attempt number `attempt` (from 1) before the next one.

    The wait is drawn evenly from zero to `initial * factor ** (attempt - 1)`, or to `maximum` if that is
    less. The same seed and attempt give the same wait, so that a decision can be replayed; the seed is the
    id of the run. Raises `ValueError` for an attempt below 1.
    """
    if attempt < 1:
        raise ValueError(f"attempts are counted from 1, found {attempt}")
    return _longest_wait(policy, attempt) * _fraction(f"{seed}:{attempt}")


def attempts_left(retries: Retries, attempt: int) -> int:
    """Return how many attempts the document grants after attempt number `attempt` (0 before the first).

    Attempts that an operator asked for count like others: asking grants that attempt and no further ones.
    """
    return max(0, retries.count - max(attempt - 1, 0))


def next_attempt(retries: Retries, attempt: int, outcome: RunState, seed: str) -> timedelta | None:
    """Return the wait before the next attempt, or None where the outcome of this one stands.

    The seed is the id of the run.
    """
    if outcome.value not in retries.outcomes or attempts_left(retries, attempt) == 0:
        return None
    return backoff_delay(retries.backoff, attempt, seed)


def _longest_wait(policy: Backoff, attempt: int) -> timedelta:
    # Compared as logarithms first, because the power can leave the range of floats.
    if (attempt - 1) * math.log(policy.factor) > math.log(policy.maximum / policy.initial):
        return policy.maximum
    return min(policy.initial * policy.factor ** (attempt - 1), policy.maximum)


def _fraction(seed: str) -> float:
    """Return a number in [0, 1) that the seed decides, the same on every machine and version."""
    digest = hashlib.sha256(seed.encode()).digest()
    # 53 bits are what a float holds exactly.
    return (int.from_bytes(digest[:8], "big") >> 11) / 2**53
