"""Waiting for conditions, never for time to pass."""

import os
import time
from typing import Callable, TypeVar

T = TypeVar("T")

#: Multiplies every deadline: slow machines and sanitizers need more patience.
PATIENCE = float(os.environ.get("UMBEL_TEST_PATIENCE", "1"))


def eventually(
    condition: Callable[[], T],
    timeout: float = 60,
    what: str = "",
    interval: float = 0.02,
) -> T:
    """Returns the first true value of `condition()`, or fails at the deadline.

    The failure shows the last value, so let `condition` return something that
    tells what is missing.
    """
    deadline = time.monotonic() + timeout * PATIENCE
    while True:
        value = condition()
        if value:
            return value
        if time.monotonic() > deadline:
            what = what or getattr(condition, "__name__", "condition")
            raise AssertionError(
                f"not within {timeout * PATIENCE:g} s: {what}; last: {value!r}"
            )
        time.sleep(interval)
