"""A hugetlb pool of any page size, at run time and at every boot, and the share of it that a cgroup may use."""

from __future__ import annotations

import re
import shlex

from msgspec import Struct

from advisor.artefacts.conflicts import conflicts, pool_file
from advisor.artefacts.model import (
    MARK,
    Artefact,
    KernelValue,
    count,
    echo,
    kib,
    lines,
    plain_path,
    size_label,
    slug,
    with_warnings,
)
from advisor.artefacts.writes import KernelWrite, write_at_boot, write_now
from advisor.procfs.configuration import HostConfiguration

SYSCTL_PATH = "/etc/sysctl.d/zz-hugepage-advisor-pool.conf"
"""Sorts after the files of packages, some of which set vm.nr_hugepages for their own use, and after 99-sysctl.conf,
which is /etc/sysctl.conf on Debian (sysctl.d(5): the last one wins)."""


SHM_GROUP_PATH = "/etc/sysctl.d/zz-hugepage-advisor-shm-group.conf"

COMPACT = f"{echo(1, '/proc/sys/vm/compact_memory')}    # too few pages are free in one piece: joins what is free"
"""Compacts all zones, in seconds of kernel CPU (Documentation/admin-guide/sysctl/vm.rst); nothing is to be undone."""

WRITES_AFTER_COMPACTING = 3
"""How often the number is written. Source: seen on 6.18. Reason: one write gives up at the first page that takes long
to make (mm/hugetlb.c alloc_pool_huge_folio), the next goes on from there: 3,370 pages, then 4,866."""

OWNER = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.-]{0,31}")
"""Names and numbers of users and groups that need no quoting (useradd(8))."""


class PoolChange(Struct, frozen=True):
    """The pool of one page size as it should be.

    pages: the whole pool, pages in use included; previous_pages: the whole pool now, None where unknown;
    node: one NUMA node, None for the host; default_page_bytes: the host's default pool size (meminfo Hugepagesize).
    compact_first: fewer are free in one piece than are missing.
    """

    page_bytes: int
    pages: int
    previous_pages: int | None
    node: int | None = None
    default_page_bytes: int | None = None
    compact_first: bool = False


def pool_now(change: PoolChange) -> Artefact:
    """Commands that resize the pool at once, through the folder of its page size."""
    compacting = change.compact_first
    return write_now(
        f"pool-now-{_suffix(change)}",
        f"Pool of {change.pages} pages of {size_label(change.page_bytes)}{_where(change)}, now",
        [_write(change)],
        "The kernel grants what it finds in one piece and reports no error for the rest: read the number again.",
        check=True,
        before=[COMPACT] if compacting else [],
        times=WRITES_AFTER_COMPACTING if compacting else 1,
    )


def pool_at_boot(change: PoolChange, configuration: HostConfiguration | None = None) -> Artefact:
    """A file that resizes the pool early at every boot, and says which other files of the host set it, too.

    sysctl.d where the pool has the default page size and is not bound to a node, as vm.nr_hugepages means just that;
    otherwise tmpfiles.d, which names the folder of the page size.
    """
    is_default = change.node is None and change.page_bytes == change.default_page_bytes
    made = _pool_sysctl(change) if is_default else _pool_tmpfiles(change)
    files = {nr_hugepages(change), pool_file(change.page_bytes)}
    return with_warnings(made, conflicts(configuration, made.path or "", files, change.default_page_bytes))


def shared_memory_group(user: str) -> Artefact:
    """Commands that let the group of a user put SysV shared memory into pools (shmget with SHM_HUGETLB, shmget(2)).

    There is one such group for the host. Raises ValueError for a name that needs quoting.
    """
    if not OWNER.fullmatch(user):
        raise ValueError(f"not the name of a user: {user!r}")
    return Artefact(
        id="shared-memory-group",
        kind="shell",
        title=f"SysV shared memory in pools for the group of {user}",
        path=None,
        text=lines(
            "# One group of the host may do so: what was set for another program stops being in force.",
            f"group=$(id -g {user})",
            f'echo "vm.hugetlb_shm_group = $group" > {SHM_GROUP_PATH}',
            f"sysctl -p {SHM_GROUP_PATH}",
        ),
        undo=lines(f"rm {SHM_GROUP_PATH}", "sysctl -w vm.hugetlb_shm_group=0    # or the group that was there"),
    )


def _pool_tmpfiles(change: PoolChange) -> Artefact:
    return write_at_boot(
        f"pool-boot-{_suffix(change)}",
        f"Pool of {change.pages} pages of {size_label(change.page_bytes)}{_where(change)}, at every boot",
        f"hugepage-advisor-pool-{_suffix(change)}",
        [_write(change)],
        "The kernel may grant less: read the number again after a boot.",
    )


def _pool_sysctl(change: PoolChange) -> Artefact:
    label = size_label(change.page_bytes)
    if change.previous_pages is None:
        back = "# the number of pages before is not known; it comes back with the next boot"
    else:
        back = f"sysctl -w vm.nr_hugepages={count(change.previous_pages, 'pages')}"
    return Artefact(
        id=f"pool-boot-{_suffix(change)}",
        kind="sysctl",
        title=f"Pool of {change.pages} pages of {label}, at every boot",
        path=SYSCTL_PATH,
        text=lines(
            MARK,
            f"# In force at every boot, and at once with: sysctl -p {SYSCTL_PATH}",
            f"# Counts pages of the default size, which is {label} on this host: default_hugepagesz= changes it.",
            "# The kernel may grant less: read the number again.",
            f"vm.nr_hugepages = {count(change.pages, 'pages')}",
        ),
        undo=lines(f"rm {SYSCTL_PATH}", back),
    )


def cgroup_limit(cgroup: str, page_bytes: int, limit_bytes: int, previous_bytes: int | None) -> Artefact:
    """Commands that let a version 2 cgroup use a pool up to a limit.

    cgroup: path below /sys/fs/cgroup, as /proc/PID/cgroup gives it; previous_bytes: None is no limit ("max").
    Raises ValueError for a path that leaves the hierarchy.
    """
    folder = f"/sys/fs/cgroup{plain_path(cgroup)}"
    label = f"{size_label(page_bytes)}B"
    count(limit_bytes, "limit")
    before = "max" if previous_bytes is None else str(count(previous_bytes, "limit"))
    files = [f"{folder}/hugetlb.{label}.rsvd.max", f"{folder}/hugetlb.{label}.max"]
    return Artefact(
        id=f"cgroup-limit-{kib(page_bytes)}kB-{slug(cgroup)}",
        kind="shell",
        title=f"Limit of {size_label(page_bytes)} pages for cgroup {cgroup}, as long as it is there",
        path=None,
        text=lines(
            "# Over rsvd.max a mapping fails cleanly; over max alone the process is killed by SIGBUS.",
            *(f"echo {limit_bytes} > {shlex.quote(file)}" for file in files),
        ),
        undo=lines(*(f"echo {before} > {shlex.quote(file)}" for file in reversed(files))),
        writes=[KernelValue(file) for file in files],
    )


def _write(change: PoolChange) -> KernelWrite:
    previous = None if change.previous_pages is None else str(count(change.previous_pages, "pages"))
    return KernelWrite(nr_hugepages(change), str(count(change.pages, "pages")), previous)


def nr_hugepages(change: PoolChange) -> str:
    """The kernel file of this pool."""
    base = "/sys/kernel/mm" if change.node is None else f"/sys/devices/system/node/node{count(change.node, 'node')}"
    return f"{base}/hugepages/hugepages-{kib(change.page_bytes)}kB/nr_hugepages"


def _suffix(change: PoolChange) -> str:
    return f"{kib(change.page_bytes)}kB" + ("" if change.node is None else f"-node{count(change.node, 'node')}")


def _where(change: PoolChange) -> str:
    return "" if change.node is None else f" on node {change.node}"
