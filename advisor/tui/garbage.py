"""How seldom Python looks for cycles among the interface's objects."""

from __future__ import annotations

import gc

OBJECTS = 100_000
"""Objects made between two looks. Source: own choice. Reason: a report of some hundred processes is as many, none of
them in a cycle; by the usual 700 they, and all that is imported, are looked through again and again."""


def look_seldom() -> None:
    """From now on. Before the application is imported, as that alone makes 70,000 objects."""
    gc.set_threshold(OBJECTS)


LOOK_S = 60.0
"""Seconds between two looks at everything. Source: own choice. Reason: what a closed screen leaves is in cycles,
a MiB for somebody who opens and closes all of them, and by number alone old objects would be looked at after ten
million more of them. A look takes some 50 ms."""


def look() -> None:
    """At everything, and let go what only holds itself.

    Textual remembers the colours of 1,024 widgets together with the widgets' lines, also of those that are gone
    (Textual 8.2, a cache of calls around a method): 600 lines for each time that somebody looks around. Rich
    remembers how 16,384 texts were cut in two (Rich 15, `Segment._split_cells`), few of which come again: some 10 MiB
    in hours.
    """
    from rich.segment import Segment
    from textual._styles_cache import StylesCache

    StylesCache.get_inner_outer.cache_clear()
    Segment._split_cells.cache_clear()
    gc.collect()
