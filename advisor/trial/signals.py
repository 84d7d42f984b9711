"""Signals that have to wait while the host is put back."""

from __future__ import annotations

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager

from advisor.interrupts import handling


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
    try:
        with handling(lambda seen, _: pending.append(seen)):
            yield
    finally:
        for seen in dict.fromkeys(pending):
            signal.raise_signal(seen)
