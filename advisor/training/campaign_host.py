"""The host during a campaign: one journal for all of it, so that pools stay reserved from one trial to the next."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from types import TracebackType
from typing import Self

from advisor.procfs.fs import KernelFs
from advisor.procfs.hugetlb import POOLS_FOLDER
from advisor.trial.document import Change, Environment, Policy, Way
from advisor.trial.environment import cpu_shares, memory_available_bytes, read_cpu_times
from advisor.trial.errors import ContestedError
from advisor.trial.journal import Journal
from advisor.trial.knob import ALLOWED_ROOTS, current_value
from advisor.trial.settings import HostSettings, SettingError
from advisor.trial.state import STATE_DIRECTORY
from advisor.units import MIB

QUIET_CPU_SHARE = 0.1
"""Share of all CPUs used by others up to which a run may start. Source: the trial's own bound for a busy host."""

QUIET_LOOK_S = 0.1
"""Seconds over which CPU use is looked at: ten clock ticks, enough to tell a tenth of one CPU."""


class CampaignJournal(Journal):
    """A journal that several trials share. `restore` puts back what changed since the last one, save pools; these,
    and whatever else is left, are put back when the `with` block ends."""

    def __init__(
        self, fs: KernelFs, directory: Path = STATE_DIRECTORY, *, roots: Sequence[Path] = ALLOWED_ROOTS
    ) -> None:
        super().__init__(directory, roots=roots)
        self._pools = Path(fs.sys_path(POOLS_FOLDER))
        self._before: dict[Path, tuple[str, Sequence[Path]]] = {}

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        super().restore()

    def change(self, path: Path, value: str, also: Sequence[Path] = ()) -> None:
        if not path.is_relative_to(self._pools):
            self._before.setdefault(path, (current_value(path), also))
        super().change(path, value, also)

    def restore(self) -> list[Change]:
        changes = []
        for path, (before, also) in reversed(self._before.items()):
            during = current_value(path)
            if during != before:
                with suppress(ContestedError):  # it is said when the block ends
                    super().change(path, before, also)
                changes.append(Change(str(path), before, during, current_value(path) == before))
        self._before.clear()
        return changes


def reserve_pools(needed: Mapping[Policy, int], settings: HostSettings) -> Iterator[str]:
    """Reserve the pools, the largest pages first while memory is least broken up; what went short, in words."""
    for policy, size in sorted(needed.items(), key=lambda item: -(item[0].page_bytes or 0)):
        page_bytes = policy.page_bytes or 0
        pages = -(-size // page_bytes)
        try:
            free = settings.pool(page_bytes, pages)
        except SettingError as error:
            yield f"{policy.name}: {error}"
            continue
        if free < pages:
            yield f"{policy.name}: {free} of {pages} pages could be reserved"


@contextmanager
def modes_of(way: Way, environment: Environment, settings: HostSettings, journal: CampaignJournal) -> Iterator[None]:
    """Inside, THP is as the way needs it, or as it was found."""
    try:
        for change, mode in (
            (settings.thp_enabled, way.thp_enabled or environment.thp_enabled),
            (settings.shmem_enabled, way.shmem_enabled or environment.shmem_enabled),
        ):
            if mode is not None:
                change(mode)
        yield
    finally:
        journal.restore()


def memory_problem(fs: KernelFs, needed_bytes: int) -> str | None:
    """Why a command that needs so much must not be started now; None where it may."""
    available = memory_available_bytes(fs)
    if available is None or available >= needed_bytes:
        return None
    return f"needs {needed_bytes // MIB} MiB of memory, {available // MIB} MiB are available"


def wait_until_quiet(fs: KernelFs, patience_s: float) -> bool:
    """Waits until others leave the CPUs alone, `patience_s` at most; whether they do. Unknown CPU use is quiet."""
    end_s = time.monotonic() + patience_s
    while True:
        before = read_cpu_times(fs)
        time.sleep(QUIET_LOOK_S)
        share, _ = cpu_shares(before, read_cpu_times(fs), 0.0)
        if share is None or share <= QUIET_CPU_SHARE:
            return True
        if time.monotonic() >= end_s:
            return False
