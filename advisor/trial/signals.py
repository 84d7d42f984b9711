"""Signals that have to wait while the host is put back."""

from __future__ import annotations

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager

INTERRUPTING = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
"""What a terminal, a service manager or a closed session sends."""


@contextmanager
def undisturbed() -> Iterator[None]:
    """A second Ctrl-C, or a service manager in a hurry, must not leave half of the settings changed.

    Blocking would not do: a signal goes to any thread that does not block it, and libraries start threads. Signals
    are noted instead and sent again afterwards. Only the main thread ever handles them.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    pending: list[int] = []
    before = {number: signal.signal(number, lambda seen, _: pending.append(seen)) for number in INTERRUPTING}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
        for seen in dict.fromkeys(pending):
            signal.raise_signal(seen)
