"""A hugetlb pool of any page size: at run time, at every boot, and reserved by the kernel command line."""

from __future__ import annotations

import re
import shlex
from collections.abc import Sequence

from msgspec import Struct

from advisor.artefacts.model import MARK, Artefact, KernelValue, count, kib, lines, plain_path, size_label
from advisor.artefacts.writes import KernelWrite, write_at_boot, write_now

SYSCTL_PATH = "/etc/sysctl.d/99-hugepage-advisor-pool.conf"
"""Sorts after the files of packages, some of which set vm.nr_hugepages for their own use (sysctl.d(5): last wins)."""

GRUB_PATH = "/etc/default/grub.d/99-hugepage-advisor.cfg"
"""Read after /etc/default/grub by grub-mkconfig of Debian and Ubuntu."""

PARAMETER = re.compile(
    r"(default_hugepagesz|hugepagesz)=[0-9]{1,12}[KMGkmg]?[Bb]?"
    r"|hugepages=[0-9]{1,12}(:[0-9]{1,12})?(,[0-9]{1,12}:[0-9]{1,12})*"
)
"""Pool parameters of the kernel command line (kernel-parameters.txt); hugepages=0:4,1:4 is by node (5.16)."""


class PoolChange(Struct, frozen=True):
    """The pool of one page size as it should be.

    pages: the whole pool, pages in use included; previous_pages: the whole pool now, None where unknown;
    node: one NUMA node, None for the host; default_page_bytes: the host's default pool size (meminfo Hugepagesize).
    """

    page_bytes: int
    pages: int
    previous_pages: int | None
    node: int | None = None
    default_page_bytes: int | None = None


def pool_now(change: PoolChange) -> Artefact:
    """Commands that resize the pool at once, through the folder of its page size."""
    return write_now(
        f"pool-now-{_suffix(change)}",
        f"Pool of {change.pages} pages of {size_label(change.page_bytes)}{_where(change)}, now",
        [_write(change)],
        "The kernel grants what it finds in one piece and reports no error for the rest: read the number again.",
        check=True,
    )


def pool_at_boot(change: PoolChange) -> Artefact:
    """A file that resizes the pool early at every boot.

    sysctl.d where the pool has the default page size and is not bound to a node, as vm.nr_hugepages means just that;
    otherwise tmpfiles.d, which names the folder of the page size.
    """
    is_default = change.node is None and change.page_bytes == change.default_page_bytes
    return _pool_sysctl(change) if is_default else _pool_tmpfiles(change)


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


def pool_parameters(changes: Sequence[PoolChange], command_line: str | None) -> str:
    """The pool parameters of the kernel command line with these changes made, page sizes in ascending order.

    command_line: of the running kernel (/proc/cmdline), None where unknown; what it reserves for page sizes that no
    change names is kept, and its default_hugepagesz too. Changes of single nodes of one size go into one parameter
    (hugepages=0:4,1:4). Raises ValueError where a size is changed both for the host and for a node.
    """
    default = next((change.default_page_bytes for change in changes if change.default_page_bytes), None)
    reserved = _reserved(command_line or "", default)
    for page_bytes in {change.page_bytes for change in changes}:
        reserved[page_bytes] = _amount([change for change in changes if change.page_bytes == page_bytes])
    unnamed = reserved.pop(None, None)
    return " ".join(
        [
            *_default_size(command_line or ""),
            *([] if unnamed is None else [f"hugepages={unnamed}"]),
            *(f"hugepagesz={size_label(size)} hugepages={reserved[size]}" for size in sorted(filter(None, reserved))),
        ]
    )


def pool_on_command_line(changes: Sequence[PoolChange], command_line: str | None) -> Artefact:
    """The parameters with commands for hosts that manage their boot entries with grubby (Fedora, RHEL, SLES 16)."""
    parameters = pool_parameters(changes, command_line)
    old = _old_parameters(command_line or "")
    remove = f" --remove-args={shlex.quote(' '.join(old))}" if old else ""
    restore = f" --args={shlex.quote(' '.join(old))}" if old else ""
    return Artefact(
        id="pool-command-line",
        kind="kernel-command-line",
        title="Pools reserved at boot, while memory is still in one piece",
        path=None,
        text=lines(
            f"# kernel parameters: {parameters}",
            *_node_note(changes),
            f"grubby --update-kernel=ALL{remove} --args={shlex.quote(parameters)}",
            "grubby --info=ALL | grep hugepages    # must show the parameters in this order",
        ),
        undo=lines(f"grubby --update-kernel=ALL --remove-args={shlex.quote(parameters)}{restore}"),
        needs_reboot=True,
    )


def pool_in_grub(changes: Sequence[PoolChange], command_line: str | None) -> Artefact:
    """The same as a file for GRUB's generator (Debian, Ubuntu); run update-grub afterwards."""
    old = _old_parameters(command_line or "")
    first = [f"# Remove from /etc/default/grub first, it is replaced here: {' '.join(old)}"] if old else []
    put_back = [f"# put back into /etc/default/grub: {' '.join(old)}"] if old else []
    return Artefact(
        id="pool-grub",
        kind="grub",
        title="Pools reserved at boot, while memory is still in one piece",
        path=GRUB_PATH,
        text=lines(
            MARK,
            "# In force after update-grub and a reboot.",
            *_node_note(changes),
            *first,
            f'GRUB_CMDLINE_LINUX="$GRUB_CMDLINE_LINUX {pool_parameters(changes, command_line)}"',
        ),
        undo=lines(f"rm {GRUB_PATH}", *put_back, "update-grub"),
        needs_reboot=True,
        after=["update-grub"],
        undo_after=["update-grub"],
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
        id=f"cgroup-limit-{kib(page_bytes)}kB",
        kind="shell",
        title=f"Limit of {label} pages for cgroup {cgroup}",
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
    return KernelWrite(_nr_hugepages(change), str(count(change.pages, "pages")), previous)


def _nr_hugepages(change: PoolChange) -> str:
    base = "/sys/kernel/mm" if change.node is None else f"/sys/devices/system/node/node{count(change.node, 'node')}"
    return f"{base}/hugepages/hugepages-{kib(change.page_bytes)}kB/nr_hugepages"


def _suffix(change: PoolChange) -> str:
    return f"{kib(change.page_bytes)}kB" + ("" if change.node is None else f"-node{count(change.node, 'node')}")


def _where(change: PoolChange) -> str:
    return "" if change.node is None else f" on node {change.node}"


def _node_note(changes: Sequence[PoolChange]) -> list[str]:
    by_node = any(change.node is not None for change in changes)
    return ["# Numbers by node (node:pages) need Linux 5.16 or later."] if by_node else []


def _amount(changes: Sequence[PoolChange]) -> str:
    """The value of hugepages= for the changes of one page size."""
    if len(changes) == 1 and changes[0].node is None:
        return str(count(changes[0].pages, "pages"))
    by_node = {change.node: count(change.pages, "pages") for change in changes if change.node is not None}
    if len(by_node) != len(changes):
        raise ValueError(f"more than one change of {size_label(changes[0].page_bytes)} pages for the same place")
    return ",".join(f"{count(node, 'node')}:{by_node[node]}" for node in sorted(by_node))


def _old_parameters(command_line: str) -> list[str]:
    """Every pool parameter of a command line, default_hugepagesz included, as it stands there."""
    return [word for word in command_line.split() if PARAMETER.fullmatch(word)]


def _default_size(command_line: str) -> list[str]:
    return [word for word in _old_parameters(command_line) if word.startswith("default_hugepagesz=")][-1:]


def _reserved(command_line: str, default_page_bytes: int | None) -> dict[int | None, str]:
    """Page size -> amount that a command line reserves; None is a default size that nobody knows.

    hugepages= belongs to the hugepagesz= before it; one that comes first means the default size.
    """
    found: dict[int | None, str] = {}
    size = default_page_bytes
    for word in [*_default_size(command_line), *_old_parameters(command_line)]:
        name, _, value = word.partition("=")
        if name == "hugepages":
            found[size] = value
        elif not (name == "default_hugepagesz" and found):
            size = _size_bytes(value)
    return found


def _size_bytes(value: str) -> int:
    """Bytes of 2M, 1G, 1GB, 2048k: what follows the unit is ignored, as memparse does."""
    unit = value.lstrip("0123456789")
    return int(value[: len(value) - len(unit)]) << {"": 0, "K": 10, "M": 20, "G": 30}[unit[:1].upper()]
