"""Time, and how long a change takes to become true.

States that AWS walks through (PROVISIONING, PENDING) are computed from the time of the change whenever
somebody looks, so there is no thread that could miss its turn.
"""

import time

_delay = 0.3


def set_delay(seconds: float) -> None:
    """Set how long a change takes, for the whole process."""
    global _delay
    _delay = seconds


def delay() -> float:
    """How long a change takes, in seconds."""
    return _delay


def now() -> float:
    """Seconds since the epoch, as the APIs' time stamps are."""
    return time.time()


def settled(since: float, steps: float = 1.0) -> bool:
    """Whether a change that was made at `since` is done; `steps` is how many delays it takes."""
    return now() >= since + _delay * steps
