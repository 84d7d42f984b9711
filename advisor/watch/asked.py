"""What the front end has asked for by now."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable
from queue import Empty, SimpleQueue
from typing import BinaryIO

from advisor.watch.frames import Job, LookAt, Order, Record, Seek, WhatIf, read_order


class Asked:
    """The newest word on each thing that can be asked. Changes only within `wait`."""

    def __init__(self) -> None:
        self.position = 1
        self.what_if = WhatIf()
        self.pid: int | None = None
        self.recording = Record(None)
        self.at_end: Callable[[], None] = lambda: None
        """What must be done before the process ends."""
        self._queue: SimpleQueue[Order] = SimpleQueue()

    def listen(self, orders: BinaryIO) -> None:
        """Reads orders beside the work, in a thread, and ends the process when there will be none."""

        def read() -> None:
            while (order := read_order(orders)) is not None:
                self._queue.put(order)
            self.at_end()
            os._exit(0)  # at once, whatever is being read: nothing else is written that could be left half done

        threading.Thread(target=read, daemon=True).start()

    def wait(self, seconds: float | None) -> bool:
        """Waits so many seconds (None: for ever) for orders, and takes all that are there; whether there was one."""
        try:
            order = self._queue.get(timeout=seconds)
        except Empty:
            return False
        self._take(order)
        while not self._queue.empty():
            self._take(self._queue.get())
        return True

    def _take(self, order: Order) -> None:
        match order:
            case Seek(position):
                self.position = position
            case WhatIf():
                self.what_if = order
            case LookAt(pid):
                self.pid = pid
            case Record():
                self.recording = order
            case Job():  # was read before the listening began
                pass
