"""Which processes /proc does not show to whom. Sources: proc(5) (hidepid), pid_namespaces(7)."""

from __future__ import annotations

import re

from advisor.procfs.fs import KernelFs

INITIAL_PID_NAMESPACE = 0xEFFFFFFC
"""Inode number. Source: PROC_PID_INIT_INO, include/linux/proc_ns.h, fixed since 3.8 (98f842e675f9)."""

_PROC = re.compile(rb"(?m)^\S+ /proc proc (\S+) ")
_HIDEPID = re.compile(rb"(?:^|,)hidepid=(?!0\b|off\b)")
_NAMESPACE = re.compile(r"pid:\[([0-9]{1,19})\]")


def parse_hidepid(mounts: bytes) -> bool | None:
    """Whether /proc hides processes from those who may not trace them, by /proc/mounts.

    The last mount counts, as it lies over the others; None where there is none.
    """
    options = _PROC.findall(mounts)
    return bool(_HIDEPID.search(options[-1])) if options else None


def in_pid_namespace(fs: KernelFs, pid: int) -> bool | None:
    """Whether this process lives in a PID namespace of its own (a container's), which others' processes are not in.

    None where another kind of link is there. Raises as `KernelFs.link_of_process`.
    """
    found = _NAMESPACE.fullmatch(fs.link_of_process(pid, "ns/pid"))
    return None if found is None else int(found[1]) != INITIAL_PID_NAMESPACE
