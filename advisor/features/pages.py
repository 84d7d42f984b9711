"""What huge pages would add to a process: from its pages where they were scanned, else the bound that smaps gives."""

from __future__ import annotations

from collections.abc import Sequence

import polars as pl

from advisor.features.bloat import Forecast, forecast, limits_of
from advisor.features.declare import Feature, byte_count
from advisor.procfs.facts import Status
from advisor.profile.model import HostState
from advisor.profile.timeline import ProcessState

SCAN = "PAGEMAP_SCAN (6.7), else pagemap, of private anonymous memory"
NO_SCAN = (
    "its pages were not scanned, or not all of them: it has little anonymous memory, is in a captured tree or an \
old profile, or the time was over"
)

BY_PAGES, BY_SMAPS = "pages", "smaps"
"""Values of huge_page_growth_basis."""

FEATURES = (
    byte_count(
        "fault_growth_bytes",
        "What RSS would be larger by, at most, if each slot that it populated were populated whole, as faults under "
        "THP do. "
        "Memory that it advised against is left out, and what is huge already.",
        SCAN,
        NO_SCAN,
    ),
    byte_count(
        "collapse_growth_bytes",
        "What khugepaged would add to RSS by collapsing its slots as far as the host's max_ptes_none, max_ptes_swap "
        "and max_ptes_shared permit.",
        SCAN,
        f"{NO_SCAN}; or khugepaged's limits are unknown",
    ),
    byte_count(
        "huge_page_growth_bytes",
        "Growth of RSS that huge pages would cause, the best that is known of it.",
        "fault_growth_bytes, else huge_page_growth_bound_bytes",
        "neither is known",
    ),
    Feature(
        "huge_page_growth_basis",
        pl.String,
        "name",
        "What huge_page_growth_bytes rests on: pages (counted), or smaps (an upper bound that may be far too high).",
        "as huge_page_growth_bytes",
        "huge_page_growth_bytes is unknown",
    ),
)


def forecast_of(process: ProcessState, host: HostState) -> Forecast | None:
    """The forecast for one process; None where its pages were not scanned."""
    if process.pages is None:
        return None
    thp = host.thp
    limits = limits_of(thp.khugepaged if thp is not None else None)
    shrinks = thp.shrink_underused if thp is not None else None
    return forecast(process.pages, limits, shrinks, _given_back_bytes(process.status))


def _given_back_bytes(status: Status | None) -> int:
    """How much less it holds than at its peak, swap included; 0 where its counters are unknown."""
    if status is None or status.vm_hwm_bytes is None or status.vm_rss_bytes is None:
        return 0
    return max(0, status.vm_hwm_bytes - status.vm_rss_bytes - (status.vm_swap_bytes or 0))


def rows(processes: Sequence[ProcessState], host: HostState) -> pl.DataFrame:
    """fault_growth_bytes and collapse_growth_bytes, one row a process: of whole scans alone."""
    made = [forecast_of(process, host) for process in processes]
    whole = [one if one is not None and not one.unscanned_bytes else None for one in made]
    return pl.DataFrame(
        {
            "fault_growth_bytes": [one and one.fault_most for one in whole],
            "collapse_growth_bytes": [one and one.khugepaged for one in whole],
        },
        schema={"fault_growth_bytes": pl.Int64, "collapse_growth_bytes": pl.Int64},
    )


def derive(frame: pl.DataFrame) -> pl.DataFrame:
    """Add what is best known of the growth; the frame has this theme's rows and the bound."""
    counted, bound = pl.col("fault_growth_bytes"), pl.col("huge_page_growth_bound_bytes")
    return frame.with_columns(
        huge_page_growth_bytes=pl.coalesce(counted, bound),
        huge_page_growth_basis=pl.when(counted.is_not_null())
        .then(pl.lit(BY_PAGES))
        .when(bound.is_not_null())
        .then(pl.lit(BY_SMAPS)),
    )
