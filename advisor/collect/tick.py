"""Scratch paper of one tick of the sampler."""

from __future__ import annotations

from dataclasses import dataclass, field

from advisor.collect.tracking import Identity, Sections
from advisor.procfs.facts import Stat
from advisor.profile.model import Skipped


@dataclass
class Tick:
    """sections: what was read anew, by pid."""

    t_s: float
    stats: dict[int, Stat] = field(default_factory=dict)
    sections: dict[int, Sections] = field(default_factory=dict)
    skipped: list[Skipped] = field(default_factory=list)
    gone: list[Identity] = field(default_factory=list)
    smaps_fields: list[str] = field(default_factory=list)
    reader_cpu_s: float = 0.0
    walk_cpu_s: float = 0.0
    smaps_reads: int = 0
    rollup_reads: int = 0
    deferred: int = 0

    def skip(self, pid: int, name: str | None, reason: str, detail: str | None = None) -> None:
        self.skipped.append(Skipped(pid, name, reason, detail))
