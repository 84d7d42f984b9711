"""Where the screen gets its ticks from."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Protocol

from advisor.watch.frames import Frame, LookAt, Record, Seek, WhatIf


class Source(Protocol):
    """Live, recorded or made up. `frames` blocks and is read in a thread; the rest may be called at any time."""

    @property
    def is_live(self) -> bool:
        """Whether ticks come by themselves; else a `Seek` asks for one."""

    def frames(self) -> Iterator[Frame]:
        """Ticks until `close`; a Problem is the last. May be called again after its end: starts anew."""

    def order(self, order: Seek | WhatIf | LookAt | Record) -> None:
        """Ask for something else: the ticks after it show what came of it, the first at once. Does not wait."""

    def close(self) -> None:
        """Let `frames` end. Does not wait."""
