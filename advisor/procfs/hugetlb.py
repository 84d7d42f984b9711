"""hugetlb pools, host-wide and by node (Documentation/admin-guide/mm/hugetlbpage.rst)."""

from __future__ import annotations

import re

from advisor.procfs.errors import IncompleteError, MissingError
from advisor.procfs.facts import HugetlbPool
from advisor.procfs.fs import KernelFs
from advisor.procfs.text import list_optional, page_bytes_of_folder, parse_value, read_optional

POOLS_FOLDER = "kernel/mm/hugepages"
NODES_FOLDER = "devices/system/node"

_NODE = re.compile(r"node([0-9]{1,9})")


def list_nodes(fs: KernelFs) -> list[int]:
    """NUMA node numbers in order; they need not be dense. Raises MissingError on a kernel without NUMA."""
    matches = (_NODE.fullmatch(name) for name in fs.list_sys(NODES_FOLDER))
    return sorted(int(match.group(1)) for match in matches if match)


def read_pools(fs: KernelFs, problems: dict[str, str] | None = None) -> list[HugetlbPool]:
    """The host-wide pools, smallest page first, then those of each node. Only what exists is read.

    Raises MissingError where the kernel has no hugetlb. A pool that cannot be read whole is noted in
    `problems` (path below sysfs -> reason) and left out; without `problems` its error is raised.
    """
    try:
        nodes = list_nodes(fs)
    except MissingError:
        nodes = []
    pools = _read_folder(fs, POOLS_FOLDER, None, problems)
    for node in nodes:
        pools += _read_folder(fs, f"{NODES_FOLDER}/node{node}/hugepages", node, problems)
    if not pools:
        fs.list_sys(POOLS_FOLDER)
    return pools


def _read_folder(fs: KernelFs, folder: str, node: int | None, problems: dict[str, str] | None) -> list[HugetlbPool]:
    names = list_optional(fs, folder, problems)
    sizes = {size: name for name in names if (size := page_bytes_of_folder(name)) is not None}
    pools = (_read_pool(fs, f"{folder}/{sizes[size]}", size, node, problems) for size in sorted(sizes))
    return [pool for pool in pools if pool is not None]


def _read_pool(
    fs: KernelFs, folder: str, page_bytes: int, node: int | None, problems: dict[str, str] | None
) -> HugetlbPool | None:
    def count(name: str) -> int | None:
        return read_optional(fs, f"{folder}/{name}", parse_value, problems)

    total, free, surplus = count("nr_hugepages"), count("free_hugepages"), count("surplus_hugepages")
    if total is None or free is None or surplus is None:
        if problems is None:
            raise IncompleteError("a pool without its total, free or surplus count", path=fs.sys_path(folder))
        problems.setdefault(folder, IncompleteError.reason)
        return None
    host_wide = node is None
    return HugetlbPool(
        page_bytes=page_bytes,
        node=node,
        total=total,
        free=free,
        surplus=surplus,
        reserved=count("resv_hugepages") if host_wide else None,
        overcommit=count("nr_overcommit_hugepages") if host_wide else None,
    )
