"""Whoever looks may go away, and takes the interface with it."""

from __future__ import annotations

import os
import select
import signal
import threading
import time

GRACE_S = 1.0
"""Seconds that the interface has to end by itself. Source: own choice. Reason: there is no screen to put back."""


def end_with_input(descriptor: int, code: int) -> None:
    """Ends this process with `code` once the terminal or pipe at this descriptor hangs up.

    The SIGHUP of a terminal is not enough: it is sent to the terminal's own session alone, and Textual, told to end,
    waits for ever for its last output to be written to where nothing can be written any more (Textual 8.2,
    WriterThread.stop). In a browser Textual reads no more once the pipe from the server is closed, and goes on.
    """

    def wait() -> None:
        hangup = select.poll()
        hangup.register(descriptor, 0)  # nothing but hangup and errors, which are always told
        hangup.poll()
        os.kill(os.getpid(), signal.SIGHUP)
        time.sleep(GRACE_S)
        os._exit(code)

    threading.Thread(target=wait, daemon=True).start()
