"""Transparent huge pages of the host: the switches and khugepaged."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from msgspec import Struct

from advisor.artefacts.conflicts import THP_FOLDER, conflicts
from advisor.artefacts.model import Artefact, count, kib, size_label, with_warnings
from advisor.artefacts.writes import KernelWrite, write_at_boot, write_now
from advisor.procfs.configuration import HostConfiguration

SWITCH_VALUES = {
    "enabled": {"always", "madvise", "never"},
    "defrag": {"always", "defer", "defer+madvise", "madvise", "never"},
    "shmem_enabled": {"always", "within_size", "advise", "never", "deny", "force"},
}
"""Values of the host-wide switches (Documentation/admin-guide/mm/transhuge.rst)."""

SIZE_SWITCH_VALUES = {
    "enabled": {"always", "inherit", "madvise", "never"},
    "shmem_enabled": {"always", "inherit", "within_size", "advise", "never"},
}
"""Values of the switches of one page size (6.8 and later; shmem 6.11 and later)."""

KHUGEPAGED_SETTINGS = frozenset(
    {
        "alloc_sleep_millisecs",
        "defrag",
        "max_ptes_none",
        "max_ptes_shared",
        "max_ptes_swap",
        "pages_to_scan",
        "scan_sleep_millisecs",
    }
)
"""Files of `khugepaged/` that can be written (transhuge.rst)."""

RESTART_NOTE = "Holds for memory touched from now on: what a running process has stays as it is until it restarts."


class ThpChange(Struct, frozen=True):
    """One switch. page_bytes: the switch of that page size, None for the host-wide one; previous: its value now."""

    switch: str
    value: str
    previous: str | None
    page_bytes: int | None = None

    def __post_init__(self) -> None:
        known = SWITCH_VALUES if self.page_bytes is None else SIZE_SWITCH_VALUES
        for value in (self.value, self.previous):
            if value is not None and value not in known.get(self.switch, ()):
                raise ValueError(f"not a value of {self.switch}: {value!r}")


def thp_now(changes: Sequence[ThpChange]) -> Artefact:
    """Commands that set the switches at once."""
    return write_now("thp-now", f"THP: {_summary(changes)}, now", [_write(c) for c in changes], RESTART_NOTE)


def thp_at_boot(changes: Sequence[ThpChange], configuration: HostConfiguration | None = None) -> Artefact:
    """A file that sets the switches early at every boot, and says which other files of the host set them, too."""
    writes = [_write(change) for change in changes]
    made = write_at_boot(
        "thp-boot",
        f"THP: {_summary(changes)}, at every boot",
        "hugepage-advisor-thp",
        writes,
        "A tuned profile or a later unit that writes the same switch wins: check after a boot.",
        RESTART_NOTE,
    )
    return with_warnings(made, conflicts(configuration, made.path or "", {write.path for write in writes}, None))


def khugepaged_now(values: Mapping[str, int], previous: Mapping[str, int]) -> Artefact:
    """Commands that set khugepaged's numbers at once. Keys are file names; previous may lack unknown ones."""
    return write_now("khugepaged-now", f"khugepaged: {_numbers(values)}, now", _settings(values, previous))


def khugepaged_at_boot(
    values: Mapping[str, int], previous: Mapping[str, int], configuration: HostConfiguration | None = None
) -> Artefact:
    """A file that sets khugepaged's numbers early at every boot, and says which other files set them, too."""
    writes = _settings(values, previous)
    made = write_at_boot(
        "khugepaged-boot",
        f"khugepaged: {_numbers(values)}, at every boot",
        "hugepage-advisor-khugepaged",
        writes,
    )
    return with_warnings(made, conflicts(configuration, made.path or "", {write.path for write in writes}, None))


def switch_path(change: ThpChange) -> str:
    """The file of the switch: the host's, or that of one page size."""
    folder = THP_FOLDER if change.page_bytes is None else f"{THP_FOLDER}/hugepages-{kib(change.page_bytes)}kB"
    return f"{folder}/{change.switch}"


def _write(change: ThpChange) -> KernelWrite:
    return KernelWrite(switch_path(change), change.value, change.previous)


def _summary(changes: Sequence[ThpChange]) -> str:
    return ", ".join(
        f"{change.switch}{'' if change.page_bytes is None else f' of {size_label(change.page_bytes)}'} {change.value}"
        for change in changes
    )


def _numbers(values: Mapping[str, int]) -> str:
    return ", ".join(f"{name} {values[name]}" for name in sorted(values))


def _settings(values: Mapping[str, int], previous: Mapping[str, int]) -> list[KernelWrite]:
    unknown = set(values) - KHUGEPAGED_SETTINGS
    if unknown:
        raise ValueError(f"no settings of khugepaged: {sorted(unknown)}")
    return [
        KernelWrite(
            f"{THP_FOLDER}/khugepaged/{name}",
            str(count(values[name], name)),
            str(count(previous[name], name)) if name in previous else None,
        )
        for name in sorted(values)
    ]
