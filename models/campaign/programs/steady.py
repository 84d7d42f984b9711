"""What the campaign's Python programs share: repeat a step for a while and print what an operation took."""

from __future__ import annotations

import time
from collections.abc import Callable

NANOSECONDS = 1e9


def repeat(seconds: float, step: Callable[[], int]) -> None:
    """Calls `step` until `seconds` are over, at least once; it answers how many operations it did.

    Prints "ready" first, and "value X" (ns an operation) at the end.
    """
    print("ready", flush=True)
    start = time.perf_counter()
    operations = 0
    while True:
        operations += step()
        elapsed = time.perf_counter() - start
        if elapsed >= seconds:
            break
    print(f"value {elapsed * NANOSECONDS / operations:.6g}", flush=True)
