"""Which processes' pages are to be scanned at a tick, and where the scans go: what the sampler keeps of them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from advisor.collect.guard import Outcome
from advisor.collect.page_scan import PagePlan, choose_plans, differs, plan_pages
from advisor.collect.page_slots import Shape
from advisor.collect.tracking import Sections, Tracked
from advisor.procfs.errors import KernelTextError
from advisor.profile.pages import FolioScan, PageScan

PAGEMAP, KPAGEFLAGS = "pagemap", "kpageflags"
"""The files, as problems of a process name them."""


@dataclass(frozen=True, slots=True)
class PageWatch:
    """One tick's view of the sampler's processes and of what was read of them."""

    tracked: dict[int, Tracked]
    sections: dict[int, Sections]
    shape: Shape

    def due(self, smaps_fields: Sequence[str], available_s: float) -> list[PagePlan]:
        """Scans to be made now: of newcomers, of those whose memory changed much, and of those put off before."""
        for pid, read in self.sections.items():
            if read.maps is not None and (tracked := self.tracked.get(pid)):
                plan = plan_pages(pid, read.maps, smaps_fields, self.shape)
                tracked.page_plan = plan if plan and differs(plan.anon_bytes, tracked.scanned_bytes) else None
        return choose_plans([one.page_plan for one in self.tracked.values() if one.page_plan], available_s)

    def take(self, outcome: Outcome[PagePlan, PageScan]) -> None:
        """Put a scan, or why there is none, among the sections of its process."""
        tracked = self.tracked[outcome.item.pid]
        tracked.page_plan, tracked.scanned_bytes = None, outcome.item.anon_bytes
        sections = self.sections.setdefault(tracked.pid, Sections(problems=dict(tracked.problems)))
        sections.pages = outcome.result
        _note(sections, PAGEMAP, outcome.error)

    def take_folios(self, outcome: Outcome[PagePlan, FolioScan]) -> None:
        """The same for large folios, of a process whose pages were taken at this tick."""
        sections = self.sections[outcome.item.pid]
        sections.folios = outcome.result
        _note(sections, KPAGEFLAGS, outcome.error)


def _note(sections: Sections, name: str, error: KernelTextError | None) -> None:
    sections.problems.pop(name, None)
    if error is not None:
        sections.problems[name] = error.reason
