"""What opt-in probes found: how a process touches, fills and writes its memory. Null for all that were not asked."""

from __future__ import annotations

import math
from collections.abc import Sequence

import polars as pl

from advisor.features.declare import Feature, byte_count, number, share
from advisor.profile.probes import DENSITY_EDGES, Density, DirtyReading, TouchReading
from advisor.profile.timeline import ProcessState

NO_REFERENCED = (
    "the probe `referenced` was not asked for or could not run, or most of the memory is hugetlb, for which the "
    "kernel keeps no such bits"
)
NO_DENSITY = "the probe `density` was not asked for or could not run, or nothing is populated"
NO_DIRTY = "the probe `soft-dirty` was not asked for or could not run, or nothing was written on base pages"

REFERENCED = "probe referenced: clear_refs, then Referenced of smaps_rollup"
DENSITY = "probe density: PAGEMAP_SCAN"
SOFT_DIRTY = "probe soft-dirty: clear_refs, then PAGEMAP_SCAN"

TOUCH_DELAYS_MS = (1, 4, 16, 64, 256)
SPARSE_SHARE = 1 / 8
"""A slot that is populated up to here would grow eightfold or more on a huge page. Source: own choice."""

LEAST_TOUCHED_BYTES = 8 << 20
"""Growth is not looked for below: libraries count as touched where another process touches them (PG_referenced), 7 MB
in an idle Python."""


def touched_share(delay_ms: int) -> Feature:
    return share(
        f"probe_touched_share_{delay_ms}ms",
        f"Of its RSS, the part that it touched within {delay_ms} ms (and the time that the reading took).",
        REFERENCED,
        NO_REFERENCED,
    )


def touch_slope(name: str, begin: str, end: str) -> Feature:
    return number(
        name,
        "exponent",
        f"How what it touches grows with time, from {begin} to {end} ms: bytes go as time to this power. 1 is a "
        "stream, near 0 a set that is touched over and over.",
        REFERENCED,
        f"{NO_REFERENCED}; or it touched less than 8 MiB",
    )


FEATURES = (
    *(touched_share(delay_ms) for delay_ms in TOUCH_DELAYS_MS),
    byte_count("probe_touched_bytes", "What it touched within the longest delay.", REFERENCED, NO_REFERENCED),
    number(
        "probe_touch_rate",
        "bytes/s",
        "How fast it reached memory that it had not touched since the clearing, within the shortest delay.",
        REFERENCED,
        NO_REFERENCED,
    ),
    touch_slope("probe_touch_slope_early", "1", "16"),
    touch_slope("probe_touch_slope_late", "16", "256"),
    number(
        "probe_touch_bend",
        "exponent",
        "Early slope less late slope: above 0, it runs out of memory that is new to it.",
        REFERENCED,
        f"{NO_REFERENCED}; or it touched less than 8 MiB",
    ),
    share(
        "probe_touch_huge_share",
        "Of its RSS while it was probed, the part on PMD-mapped pages: those count whole when touched once.",
        REFERENCED,
        NO_REFERENCED,
    ),
    share(
        "probe_density_mean",
        "Populated part of its populated huge page slots of private memory; a slot on a huge page is full.",
        DENSITY,
        NO_DENSITY,
    ),
    share(
        "probe_sparse_slot_share",
        f"Of those slots, the part that is populated to at most {SPARSE_SHARE:.1%}.",
        DENSITY,
        NO_DENSITY,
    ),
    byte_count(
        "probe_fill_bytes",
        "What would be added if a huge page took the place of every populated slot: the most that THP can bloat it.",
        DENSITY,
        NO_DENSITY,
    ),
    byte_count("probe_slot_outside_bytes", "Populated private memory outside any slot.", DENSITY, NO_DENSITY),
    share(
        "probe_dirty_scatter",
        "Huge page slots that hold a page written within the first delay, per such page: 1 is one page a slot.",
        SOFT_DIRTY,
        NO_DIRTY,
    ),
    byte_count(
        "probe_dirty_run_bytes",
        "Mean length of the stretches of memory that it wrote within the first delay.",
        SOFT_DIRTY,
        NO_DIRTY,
    ),
    number(
        "probe_dirty_rate",
        "bytes/s",
        "Memory newly written within the first delay, base pages and huge ones.",
        SOFT_DIRTY,
        "the probe `soft-dirty` was not asked for, or could not run",
    ),
)

SCHEMA: dict[str, type[pl.DataType]] = {feature.name: feature.dtype for feature in FEATURES}

Values = dict[str, float | int | None]


def rows(processes: Sequence[ProcessState], base_page_bytes: int | None) -> pl.DataFrame:
    """This theme's columns, one row a process in the order given."""
    values = [_values(process, base_page_bytes) for process in processes]
    return pl.DataFrame({name: [of.get(name) for of in values] for name in SCHEMA}, schema=SCHEMA)


def _values(process: ProcessState, base_page_bytes: int | None) -> Values:
    probes = process.probes
    if probes is None:
        return {}
    values: Values = {}
    if probes.referenced and not _is_mostly_hugetlb(process, probes.referenced[-1]):
        values |= touch_values(probes.referenced)
    if probes.density:
        values |= density_values(probes.density)
    if probes.soft_dirty and base_page_bytes:
        values |= dirty_values(probes.soft_dirty[0], base_page_bytes)
    return values


def _is_mostly_hugetlb(process: ProcessState, reading: TouchReading) -> bool:
    """Hugetlb memory is in no RSS, so that it is compared with it."""
    hugetlb = process.status.hugetlb_bytes if process.status else None
    return hugetlb is not None and hugetlb > reading.rss_bytes


def touch_values(readings: Sequence[TouchReading]) -> Values:
    """Columns of the probe `referenced`."""
    by_ms = {round(reading.asked_s * 1000): reading for reading in readings}
    values: Values = {
        f"probe_touched_share_{delay_ms}ms": _part(by_ms[delay_ms].referenced_bytes, by_ms[delay_ms].rss_bytes)
        for delay_ms in TOUCH_DELAYS_MS
        if delay_ms in by_ms
    }
    first, last = readings[0], readings[-1]
    early, late = _slope(by_ms.get(1), by_ms.get(16)), _slope(by_ms.get(16), by_ms.get(256))
    return values | {
        "probe_touched_bytes": last.referenced_bytes,
        "probe_touch_rate": first.referenced_bytes / first.waited_s if first.waited_s > 0 else None,
        "probe_touch_slope_early": early,
        "probe_touch_slope_late": late,
        "probe_touch_bend": None if early is None or late is None else early - late,
        "probe_touch_huge_share": None if last.huge_bytes is None else _part(last.huge_bytes, last.rss_bytes),
    }


def _part(some: int, whole: int) -> float | None:
    """Between 0 and 1: the two are read one after the other, and the first may be a little larger."""
    return min(1.0, some / whole) if whole > 0 else None


def _slope(begin: TouchReading | None, end: TouchReading | None) -> float | None:
    """d log(bytes) / d log(time), by the times that really passed."""
    if begin is None or end is None or end.referenced_bytes < LEAST_TOUCHED_BYTES:
        return None
    if not 0 < begin.waited_s < end.waited_s or begin.referenced_bytes <= 0:
        return None
    return math.log(end.referenced_bytes / begin.referenced_bytes) / math.log(end.waited_s / begin.waited_s)


def density_values(density: Density) -> Values:
    """Columns of the probe `density`."""
    values: Values = {"probe_slot_outside_bytes": density.outside_bytes}
    slots = sum(density.slots) + density.huge_slots
    if not slots:
        return values
    whole = slots * density.pmd_bytes
    filled = sum(density.slot_bytes) + density.huge_slots * density.pmd_bytes
    sparse = sum(number for number, edge in zip(density.slots, DENSITY_EDGES, strict=False) if edge <= SPARSE_SHARE)
    return values | {
        "probe_density_mean": filled / whole,
        "probe_sparse_slot_share": sparse / slots,
        "probe_fill_bytes": whole - filled,
    }


def dirty_values(reading: DirtyReading, base_page_bytes: int) -> Values:
    """Columns of the probe `soft-dirty`, by its first reading."""
    written = reading.dirty_bytes + reading.huge_bytes
    values: Values = {"probe_dirty_rate": written / reading.waited_s if reading.waited_s > 0 else None}
    if not reading.dirty_bytes:
        return values
    return values | {
        "probe_dirty_scatter": min(1.0, reading.slots * base_page_bytes / reading.dirty_bytes),
        "probe_dirty_run_bytes": reading.dirty_bytes // reading.runs if reading.runs else None,
    }
