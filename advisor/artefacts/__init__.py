"""Advice as configuration text that can be pasted, each with its undo. Pure functions, no I/O.

In: numbers and names (small structs: PoolChange, ThpChange). Out: `Artefact`. A name or value that could be read as
something else raises ValueError: leave that artefact out and say so. May not touch: collecting, the host, rendering.

pools               pool_now, pool_at_boot, pool_parameters, pool_on_command_line, pool_in_grub, cgroup_limit
thp                 thp_now, thp_at_boot, khugepaged_now, khugepaged_at_boot
services            memory_thp, malloc_drop_in, malloc_command, malloc_setting, thp_off_command
virtual_machines    libvirt_memory, qemu_memory
programs            postgresql_huge_pages, jvm_flags
"""

from advisor.artefacts.model import Artefact, KernelValue
from advisor.artefacts.pools import (
    PoolChange,
    cgroup_limit,
    pool_at_boot,
    pool_in_grub,
    pool_now,
    pool_on_command_line,
    pool_parameters,
)
from advisor.artefacts.programs import jvm_flags, postgresql_huge_pages
from advisor.artefacts.services import (
    malloc_command,
    malloc_drop_in,
    malloc_setting,
    memory_thp,
    thp_off_command,
)
from advisor.artefacts.thp import ThpChange, khugepaged_at_boot, khugepaged_now, thp_at_boot, thp_now
from advisor.artefacts.virtual_machines import libvirt_memory, qemu_memory

__all__ = [
    "Artefact",
    "KernelValue",
    "PoolChange",
    "ThpChange",
    "cgroup_limit",
    "jvm_flags",
    "khugepaged_at_boot",
    "khugepaged_now",
    "libvirt_memory",
    "malloc_command",
    "malloc_drop_in",
    "malloc_setting",
    "memory_thp",
    "pool_at_boot",
    "pool_in_grub",
    "pool_now",
    "pool_on_command_line",
    "pool_parameters",
    "postgresql_huge_pages",
    "qemu_memory",
    "thp_at_boot",
    "thp_now",
    "thp_off_command",
]
