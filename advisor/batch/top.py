"""The rows with most at stake, out of parts that are looked through one after the other."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import polars as pl

ORDER = ("changes", "at_stake_bytes")


def top_rows(parts: Sequence[Path], most: int) -> tuple[list[dict[str, Any]], int, int]:
    """The rows to show (changes first, then by what is at stake), how many there are, how many change."""
    best: pl.DataFrame | None = None
    total = changes = 0
    for part in parts:
        frame = pl.read_parquet(part)
        total += frame.height
        changes += int(frame["changes"].sum())
        both = frame if best is None else pl.concat([best, frame])
        best = both.sort(ORDER, descending=True, nulls_last=True, maintain_order=True).head(most)
    return ([] if best is None else best.to_dicts()), total, changes
