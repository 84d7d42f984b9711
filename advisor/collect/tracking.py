"""What the sampler remembers of a process, and of processes whose files hang."""

from __future__ import annotations

import threading
from dataclasses import dataclass, field

from advisor.collect.page_scan import PagePlan
from advisor.collect.priority import Walk, WalkState
from advisor.procfs.facts import PinnedRange, Stat, Status
from advisor.profile.model import Mapping, ProcessFacts, ProcessRecord
from advisor.profile.pages import FolioScan, PageScan

Identity = tuple[int, int]
"""(pid, start time in clock ticks since boot): a pid alone is used again."""


@dataclass(slots=True)
class Tracked:
    """The latest sections of one process as they stand in the profile, and the state of its walks.

    page_plan: a scan of its pages that is still to be made; scanned_bytes: what the last one was about.
    """

    pid: int
    start_ticks: int
    stat: Stat | None = None
    facts: ProcessFacts | None = None
    status: Status | None = None
    rollup: dict[str, int] | None = None
    maps: list[Mapping] | None = None
    pages: PageScan | None = None
    folios: FolioScan | None = None
    pinned: list[PinnedRange] | None = None
    problems: dict[str, str] = field(default_factory=dict)
    walks: WalkState = field(default_factory=WalkState)
    latest_walk: Walk | None = None
    programs_read: bool = False
    page_plan: PagePlan | None = None
    scanned_bytes: int | None = None

    @property
    def identity(self) -> Identity:
        return (self.pid, self.start_ticks)

    def resident_bytes(self, stat: Stat, base_page_bytes: int) -> int:
        """Memory at stake: resident pages, and hugetlb pages, which are in no RSS."""
        hugetlb = self.status.hugetlb_bytes if self.status else None
        return stat.rss_pages * base_page_bytes + (hugetlb or 0)


@dataclass(slots=True)
class Sections:
    """Sections read anew in one tick; None is not read."""

    facts: ProcessFacts | None = None
    stat: Stat | None = None
    status: Status | None = None
    rollup: dict[str, int] | None = None
    maps: list[Mapping] | None = None
    pages: PageScan | None = None
    folios: FolioScan | None = None
    pinned: list[PinnedRange] | None = None
    problems: dict[str, str] = field(default_factory=dict)
    program_paths: tuple[str, ...] = ()

    @property
    def without_memory(self) -> bool:
        """Kernel threads and zombies, told without their stat: no Vm lines in status, nothing in smaps. Also those
        of which a tree holds neither."""
        if self.status is None:
            return not self.maps and set(self.problems.values()) <= {"missing"}
        return self.status.vm_size_bytes is None and self.status.vm_rss_bytes is None


def changed_sections(tracked: Tracked, new: Sections) -> ProcessRecord | None:
    """The record of what differs from before, remembered in `tracked`; None where nothing does."""
    changed: dict[str, object] = {}
    for name in ("facts", "stat", "status", "rollup", "maps", "pages", "folios", "pinned"):
        section = getattr(new, name)
        if section is not None and section != getattr(tracked, name):
            setattr(tracked, name, section)
            changed[name] = section
    if new.rollup is not None:
        changed["rollup"] = new.rollup  # the newer walk counts, even where its sums are the same
        tracked.latest_walk = "rollup"
    if new.maps is not None:
        if tracked.latest_walk == "rollup":
            changed["maps"] = new.maps
        tracked.latest_walk = "smaps"
    if new.problems != tracked.problems:
        tracked.problems = new.problems
        changed["problems"] = new.problems
    if not changed:
        return None
    return ProcessRecord(tracked.pid, tracked.start_ticks, **changed)  # type: ignore[arg-type]  # by name above


@dataclass
class Quarantine:
    """Processes whose read hung, each with the thread that is still blocked on it.

    A process leaves when its thread comes back: no second thread is ever risked on the same one.
    """

    _stuck: dict[int, threading.Thread] = field(default_factory=dict)

    def add(self, pid: int, thread: threading.Thread) -> None:
        self._stuck[pid] = thread

    def holds(self, pid: int) -> bool:
        """Whether the last read of this pid still hangs."""
        thread = self._stuck.get(pid)
        if thread is None:
            return False
        if thread.is_alive():
            return True
        del self._stuck[pid]
        return False
