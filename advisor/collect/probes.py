"""Opt-in probes of single processes: what no file of /proc tells by itself, at a cost that is said first.

A probe never runs unless it is named. What it cost is kept with what it found; what it could not do has a reason.
"""

from __future__ import annotations

import time
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

import msgspec

from advisor.collect.guard import run_guarded
from advisor.collect.probe_clear import CLEAR_S_PER_BYTE
from advisor.collect.probe_density import LONGEST_SCAN_S, probe_density
from advisor.collect.probe_dirty import DELAYS_S as DIRTY_DELAYS_S
from advisor.collect.probe_dirty import probe_soft_dirty
from advisor.collect.probe_referenced import DELAYS_S as TOUCH_DELAYS_S
from advisor.collect.probe_referenced import probe_referenced
from advisor.procfs.errors import GoneError, KernelTextError
from advisor.procfs.facts import Stat
from advisor.procfs.fs import KernelFs
from advisor.procfs.process import parse_stat
from advisor.profile.model import ProcessRecord, Sample
from advisor.profile.probes import ProbeCost, ProcessProbes

PROBES = {
    "referenced": (
        f"clears the accessed bits of the process {len(TOUCH_DELAYS_S)} times: its page faults and mappings stand "
        f"still for about {CLEAR_S_PER_BYTE * 2**30 * 1e3:.0f} ms per GiB on base pages each time, and the kernel's "
        f"reclaim takes its memory for unused until it is touched again; {sum(TOUCH_DELAYS_S):.1f} s"
    ),
    "density": f"reads the page tables of its private memory once: 3 ms per GiB, at most {LONGEST_SCAN_S:g} s",
    "soft-dirty": (
        f"clears the soft-dirty bits of the process {len(DIRTY_DELAYS_S)} times: its faults and mappings stand still "
        f"as for `referenced`, each page then costs one more fault at its next write, and others that follow its "
        f"dirty bits (checkpointing by CRIU) lose them; {sum(DIRTY_DELAYS_S):.1f} s"
    ),
}
"""Name -> what it costs the process that is probed: to be said before it runs."""

PROBE_DEADLINE_S = 5.0
"""Seconds that one probe of one process may take; after them it counts as hung. The longest that is not refused
beforehand takes 3 s."""


class UnknownProbeError(ValueError):
    """No probe has this name."""

    def __init__(self, name: str) -> None:
        super().__init__(f"no probe is called {name!r}; there are {', '.join(PROBES)}")


def check_names(names: Iterable[str]) -> tuple[str, ...]:
    """The names, each once, in the order in which probes run. Raises UnknownProbeError."""
    wanted = set(names)
    for name in sorted(wanted - PROBES.keys()):
        raise UnknownProbeError(name)
    return tuple(name for name in PROBES if name in wanted)


@dataclass(slots=True)
class _ProbeReader:
    """Runs one probe an item, in the guarded thread."""

    fs: KernelFs
    pid: int
    pmd_bytes: int | None
    base_page_bytes: int

    @property
    def place(self) -> str:
        return self.fs.reading

    def read(self, item: str) -> tuple[Any, ProbeCost]:
        wall, cpu = time.perf_counter(), time.thread_time()
        result = self._probe(item)
        cost = ProbeCost(
            wall_s=round(time.perf_counter() - wall, 6),
            cpu_s=round(time.thread_time() - cpu, 6),
            lock_s=round(sum(reading.clear_s for reading in result), 6) if isinstance(result, list) else 0.0,
        )
        return result, cost

    def _probe(self, name: str) -> Any:
        if name == "referenced":
            return probe_referenced(self.fs, self.pid)
        if name == "density":
            return probe_density(self.fs, self.pid, self.pmd_bytes, self.base_page_bytes)
        return probe_soft_dirty(self.fs, self.pid, self.pmd_bytes)

    def finish(self) -> None:
        """Nothing is put off."""

    def successor(self) -> _ProbeReader:
        return self


@dataclass(frozen=True, slots=True)
class Prober:
    """Probes processes of one live host. Raises UnknownProbeError for a name that is no probe."""

    fs: KernelFs
    names: Collection[str]
    pmd_bytes: int | None
    base_page_bytes: int
    deadline_s: float = PROBE_DEADLINE_S
    _order: tuple[str, ...] = field(init=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "_order", check_names(self.names))

    def probe(self, pid: int) -> ProcessProbes:
        """Every wanted probe of one process, one after another; never raises for what the process does."""
        if not self.fs.is_live:
            return ProcessProbes(problems=dict.fromkeys(self._order, "captured-tree: a probe needs the live process"))
        results: dict[str, Any] = {}
        costs, problems = {}, {}
        reader = _ProbeReader(self.fs, pid, self.pmd_bytes, self.base_page_bytes)
        for outcome in run_guarded(reader, self._order, self.deadline_s).outcomes:
            if outcome.result is not None:
                results[outcome.item.replace("-", "_")], costs[outcome.item] = outcome.result
            elif outcome.error is not None:
                problems[outcome.item] = f"{outcome.error.reason}: {outcome.error.message}"
        return ProcessProbes(**results, costs=costs, problems=problems)

    def add_to(self, sample: Sample, pids: Sequence[int]) -> Sample:
        """The sample with the probes of these processes; one that ended, or whose pid was used again, is left out."""
        records = {(record.pid, record.start_ticks): record for record in sample.processes}
        for pid in pids:
            if (probed := self._identified(pid)) is None:
                continue
            start_ticks, probes = probed
            record = records.get((pid, start_ticks)) or ProcessRecord(pid, start_ticks)
            records[pid, start_ticks] = msgspec.structs.replace(record, probes=probes)
        return msgspec.structs.replace(sample, processes=[records[identity] for identity in sorted(records)])

    def _identified(self, pid: int) -> tuple[int, ProcessProbes] | None:
        try:
            before = self._stat(pid)
            probes = self.probe(pid)
            after = self._stat(pid)
        except GoneError:
            return None
        return (before.start_ticks, probes) if before.start_ticks == after.start_ticks else None

    def _stat(self, pid: int) -> Stat:
        try:
            return self.fs.parse_process(pid, "stat", parse_stat)
        except KernelTextError as error:
            raise GoneError(error.message, path=error.path) from error
