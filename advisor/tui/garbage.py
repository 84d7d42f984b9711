"""How seldom Python looks for cycles among the interface's objects."""

from __future__ import annotations

import gc

OBJECTS = 100_000
"""Objects made between two looks. Source: own choice. Reason: a report of some hundred processes is as many, none of
them in a cycle; by the usual 700 they, and all that is imported, are looked through again and again."""


def look_seldom() -> None:
    """From now on. Before the application is imported, as that alone makes 70,000 objects."""
    gc.set_threshold(OBJECTS)
