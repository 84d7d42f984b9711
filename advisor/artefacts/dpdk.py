"""Huge pages of DPDK programs: EAL options, and Open vSwitch's keys for them."""

from __future__ import annotations

from collections.abc import Sequence

from advisor.artefacts.model import Artefact, count, lines, size_label, slug
from advisor.artefacts.quoting import comment
from advisor.units import MIB


def dpdk_memory(name: str, page_bytes: int, by_node: Sequence[int], *, directory: str) -> Artefact:
    """EAL options that take memory from the pool of this page size. by_node: bytes for each NUMA node, in order.

    directory: the hugetlbfs mount of that size. Source: DPDK, "EAL parameters": --numa-mem was --socket-mem before
    24.11, which newer releases still take.
    """
    megabytes = ",".join(str(-(-count(size, "memory") // MIB)) for size in by_node)
    options = f"--socket-mem {megabytes} --huge-dir {directory}"
    return Artefact(
        id=f"dpdk-{slug(name)}",
        kind="dpdk",
        title=f"Memory of {comment(name)} on pages of {size_label(page_bytes)}",
        path=None,
        text=lines(
            '# EAL options, before the "--" of the command line; MiB by NUMA node. Without them DPDK takes what it',
            "# finds in the pool and leaves its files in the mount after a crash: --huge-unlink takes them away.",
            options,
        ),
        undo=lines(f"# take out: {options}"),
        by_hand=True,
    )


def ovs_memory(page_bytes: int, by_node: Sequence[int], *, directory: str) -> Artefact:
    """The same for Open vSwitch. Source: ovs-vswitchd.conf.db(5); needs a restart of ovs-vswitchd."""
    megabytes = ",".join(str(-(-count(size, "memory") // MIB)) for size in by_node)
    keys = f'other_config:dpdk-socket-mem="{megabytes}" other_config:dpdk-hugepage-dir={directory}'
    return Artefact(
        id="ovs-dpdk",
        kind="dpdk",
        title=f"Memory of Open vSwitch on pages of {size_label(page_bytes)}",
        path=None,
        text=lines(
            "# MiB by NUMA node; in force after a restart of ovs-vswitchd, which interrupts traffic.",
            f"ovs-vsctl --no-wait set Open_vSwitch . {keys}",
        ),
        undo=lines(
            "# or the values that were there",
            "ovs-vsctl --no-wait remove Open_vSwitch . other_config dpdk-socket-mem",
            "ovs-vsctl --no-wait remove Open_vSwitch . other_config dpdk-hugepage-dir",
        ),
        by_hand=True,
    )
