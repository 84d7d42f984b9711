"""Advice as configuration text that can be pasted, each with its undo. Pure functions, no I/O.

In: numbers and names (small structs: PoolChange, ThpChange), and what the host's configuration says. Out: `Artefact`.
A name or value that could be read as something else raises ValueError: leave that artefact out and say so. May not
touch: collecting, the host, rendering.

pools, boot         a hugetlb pool now, at every boot, by the kernel command line; a cgroup's share of it
thp, tuned          the host's THP switches and khugepaged, also as a profile of a running tuned
mounts              hugetlbfs as a unit or a line of fstab
services            a service's THP switch, glibc's malloc; environment and drop_ins: other allocators, limits
virtual_machines    libvirt and QEMU
databases, jvm, dpdk, kubernetes, settings      applications
"""

from advisor.artefacts.boot import (
    pool_in_default_grub,
    pool_in_grub,
    pool_in_kernel_cmdline,
    pool_on_command_line,
    pool_parameters,
    pool_with_grubby,
)
from advisor.artefacts.conflicts import tuned_is_silenced
from advisor.artefacts.databases import (
    memcached_large_pages,
    mysql_large_pages,
    postgresql_huge_pages,
    redis_without_thp,
)
from advisor.artefacts.dpdk import dpdk_memory, ovs_memory
from advisor.artefacts.drop_ins import locked_memory, memory_limit
from advisor.artefacts.environment import (
    allocator_off,
    allocator_settings,
    environment_command,
    environment_drop_in,
)
from advisor.artefacts.jvm import jvm_flags, openj9_options
from advisor.artefacts.kubernetes import pod_resources
from advisor.artefacts.model import Artefact, KernelValue
from advisor.artefacts.mounts import mount_in_fstab, mount_unit, usual_mount_point
from advisor.artefacts.pools import PoolChange, cgroup_limit, pool_at_boot, pool_now, shared_memory_group
from advisor.artefacts.services import (
    MEMORY_THP_SINCE,
    malloc_command,
    malloc_drop_in,
    malloc_setting,
    memory_thp,
    thp_off_command,
    thp_off_start,
)
from advisor.artefacts.settings import application_settings, numbers_for
from advisor.artefacts.thp import ThpChange, khugepaged_at_boot, khugepaged_now, thp_at_boot, thp_now
from advisor.artefacts.tuned import tuned_profile
from advisor.artefacts.virtual_machines import libvirt_memory, qemu_memory

__all__ = [
    "MEMORY_THP_SINCE",
    "Artefact",
    "KernelValue",
    "PoolChange",
    "ThpChange",
    "allocator_off",
    "allocator_settings",
    "application_settings",
    "cgroup_limit",
    "dpdk_memory",
    "environment_command",
    "environment_drop_in",
    "jvm_flags",
    "khugepaged_at_boot",
    "khugepaged_now",
    "libvirt_memory",
    "locked_memory",
    "malloc_command",
    "malloc_drop_in",
    "malloc_setting",
    "memcached_large_pages",
    "memory_limit",
    "memory_thp",
    "mount_in_fstab",
    "mount_unit",
    "mysql_large_pages",
    "numbers_for",
    "openj9_options",
    "ovs_memory",
    "pod_resources",
    "pool_at_boot",
    "pool_in_default_grub",
    "pool_in_grub",
    "pool_in_kernel_cmdline",
    "pool_now",
    "pool_on_command_line",
    "pool_parameters",
    "pool_with_grubby",
    "postgresql_huge_pages",
    "qemu_memory",
    "redis_without_thp",
    "shared_memory_group",
    "thp_at_boot",
    "thp_now",
    "thp_off_command",
    "thp_off_start",
    "tuned_is_silenced",
    "tuned_profile",
    "usual_mount_point",
]
