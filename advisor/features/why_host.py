"""What the host and the cgroup say about huge pages that could not be had, and what belongs to a reason in words."""

from __future__ import annotations

from advisor.features import why_reasons as why
from advisor.features.table import Observed
from advisor.features.window import change, vmstat
from advisor.procfs.cgroup import ancestors
from advisor.profile.model import HostState
from advisor.profile.timeline import ProcessState

FAILED_COLLAPSES = "thp_collapse_alloc_failed"
"""vmstat: khugepaged wanted a huge page and got none (transhuge.rst)."""


def host_failure(observed: Observed) -> str | None:
    """Why no huge page is to be had on this host now, in words; None where nothing says so."""
    if observed.host["host_pmd_supply_pages"] == 0:
        return "no block of this size is free now"
    if failed := change(observed.timeline, vmstat, FAILED_COLLAPSES):
        return f"khugepaged wanted a huge page and got none, {failed:,d} times while this was observed"
    return None


class CgroupRoom:
    """Which cgroups have no room for a huge page below their memory limit, page cache in them given back."""

    def __init__(self, state: HostState, pmd_bytes: int | None) -> None:
        limits = state.cgroup_memory or () if pmd_bytes is not None else ()
        self._full = {
            (facts.version, facts.path)
            for facts in limits
            if facts.usage_bytes is not None
            and facts.cache_bytes is not None
            and facts.limit_bytes - facts.usage_bytes + facts.cache_bytes < (pmd_bytes or 0)
        }

    def failure(self, process: ProcessState) -> str | None:
        """Why the cgroup of a process, or one above it, cannot be charged a huge page; None where nothing says so."""
        for entry in process.facts.cgroup or () if self._full and process.facts is not None else ():
            version = 2 if entry.hierarchy == 0 else 1
            if version == 1 and "memory" not in entry.controllers:
                continue
            for path in ancestors(entry.path):
                if (version, path) in self._full:
                    return f"cgroup {path} has no room for a huge page below its memory limit"
        return None


def note_of(reason: str, observed: Observed, failure: str | None) -> str | None:
    """Facts of this host that belong to a reason."""
    if reason == why.ALLOCATION_FAILED:
        return failure
    name = {why.SWAPPED: "max_ptes_swap", why.TOO_SPARSE: "max_ptes_none", why.SHARED: "max_ptes_shared"}.get(reason)
    limit = _settings(observed).get(name) if name is not None else None
    pages = _pmd_pages(observed)
    return None if limit is None or pages is None else f"{name} is {limit:,d} of {pages:,d} pages"


def _settings(observed: Observed) -> dict[str, int]:
    thp = observed.timeline.host_last.thp
    return thp.khugepaged if thp is not None else {}


def _pmd_pages(observed: Observed) -> int | None:
    pmd, base = observed.host["host_pmd_bytes"], observed.host["host_base_page_bytes"]
    return pmd // base if isinstance(pmd, int) and isinstance(base, int) and base else None
