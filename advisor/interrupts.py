"""What ends a command from outside: Ctrl-C, a service manager, a terminal that goes away."""

from __future__ import annotations

import signal
import threading
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager

INTERRUPTING = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


@contextmanager
def handling(handler: Callable[[int, object], object], numbers: Iterable[int] = INTERRUPTING) -> Iterator[None]:
    """These signals go to `handler` inside, and to whom they went before afterwards. For the main thread alone."""
    before = {number: signal.signal(number, handler) for number in numbers}
    try:
        yield
    finally:
        for number, previous in before.items():
            signal.signal(number, previous)


def heeded(numbers: Iterable[signal.Signals] = INTERRUPTING) -> list[signal.Signals]:
    """Those that this process was not started to ignore, as by nohup(1) or as a background job of a script."""
    return [number for number in numbers if signal.getsignal(number) != signal.SIG_IGN]


@contextmanager
def all_interrupt() -> Iterator[None]:
    """The first of them raises KeyboardInterrupt inside, so that what is begun ends in order and one line says so.

    A second one kills: code that runs at any time (a destructor, a callback) may swallow the first.
    """

    def interrupt(number: int, _: object) -> None:
        signal.signal(number, signal.SIG_DFL)
        raise KeyboardInterrupt

    with handling(interrupt, heeded()):
        yield


@contextmanager
def stop_when_interrupted(numbers: Iterable[signal.Signals] | None = None) -> Iterator[threading.Event]:
    """An event that the first of them sets inside, for work that ends at the next good moment; a second one kills.

    By default only SIGHUP stays ignored where it was (nohup): a script that started this in the background, with
    SIGINT ignored as shells do, ends it with `kill -INT`.
    """
    stop = threading.Event()
    if numbers is None:
        numbers = (signal.SIGINT, signal.SIGTERM, *heeded((signal.SIGHUP,)))

    def handle(number: int, _: object) -> None:
        if stop.is_set():
            signal.signal(number, signal.SIG_DFL)
            signal.raise_signal(number)
        stop.set()

    with handling(handle, numbers):
        yield stop
