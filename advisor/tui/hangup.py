"""A terminal that goes away takes the interface with it."""

from __future__ import annotations

import os
import select
import threading
import time

GRACE_S = 1.0
"""Seconds that the interface has to end by itself. Source: own choice. Reason: there is no screen to put back."""


def end_with_terminal(terminal: int, code: int) -> None:
    """Ends this process with `code` once the terminal at this descriptor hangs up.

    SIGHUP is not enough: it is sent to a terminal's own session alone, and Textual, told to end, waits for ever for
    its last output to be written to where nothing can be written any more (Textual 8.2, WriterThread.stop).
    """

    def wait() -> None:
        hangup = select.poll()
        hangup.register(terminal, 0)  # nothing but hangup and errors, which are always told
        hangup.poll()
        time.sleep(GRACE_S)
        os._exit(code)

    threading.Thread(target=wait, daemon=True).start()
