"""What ends a command from outside: Ctrl-C, a service manager, a terminal that goes away."""

from __future__ import annotations

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

INTERRUPTING = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


@contextmanager
def all_interrupt() -> Iterator[None]:
    """Each of them raises KeyboardInterrupt inside, so that what is begun is ended in order and one line says so.

    One that this command was started to ignore (nohup, jobs of a shell script) stays ignored.
    """

    def interrupt(*_: object) -> None:
        raise KeyboardInterrupt

    before = {number: signal.getsignal(number) for number in INTERRUPTING}
    for number, handler in before.items():
        if handler is not signal.SIG_IGN:
            signal.signal(number, interrupt)
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


@contextmanager
def stop_when_interrupted() -> Iterator[threading.Event]:
    """An event that the first of them sets inside, for work that ends at the next good moment; a second one kills.

    Only SIGHUP stays ignored where it was (nohup): a script that started this in the background, with SIGINT ignored
    as shells do, ends it with `kill -INT`.
    """
    stop = threading.Event()

    def handle(number: int, _: FrameType | None) -> None:
        if stop.is_set():
            signal.signal(number, signal.SIG_DFL)
            signal.raise_signal(number)
        stop.set()

    heeded = [one for one in INTERRUPTING if (one, signal.getsignal(one)) != (signal.SIGHUP, signal.SIG_IGN)]
    before = {number: signal.signal(number, handle) for number in heeded}
    try:
        yield stop
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
