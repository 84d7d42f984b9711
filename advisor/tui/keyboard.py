"""Keys in another encoding than UTF-8: from a terminal in Latin-1, of a file that is pasted, over a bad line."""

from __future__ import annotations

import codecs
from functools import partial

from textual.drivers import linux_driver


def take_any_bytes() -> None:
    """What is no UTF-8 comes as a replacement character.

    Else the first such byte ends the thread that reads the keyboard, and the interface with a traceback; Textual 8.2
    has no way to choose (LinuxDriver.run_input_thread).
    """
    lenient = partial(codecs.getincrementaldecoder("utf-8"), errors="replace")
    linux_driver.getincrementaldecoder = lambda _: lenient  # type: ignore[attr-defined]  # imported there
