"""Every look of `advisor.privilege.needs` under sets of capabilities: `python -m tests.host.looks PID`, as root.

PID is a process of user OTHER. For each set a child of user WATCHER (or OTHER, or root without any) tries all looks;
stdout says which worked. Nothing is changed: switches are opened and closed, accessed bits of PID cleared.
"""

from __future__ import annotations

import ctypes
import json
import os
import subprocess
import sys
from collections.abc import Callable
from contextlib import suppress

from advisor.collect.khugepaged_trace import KhugepagedTrace
from advisor.privilege import capabilities
from advisor.privilege.capabilities import bits
from advisor.privilege.needs import NEEDS
from advisor.procfs.errors import KernelTextError
from advisor.procfs.fs import KernelFs, list_folder, read_file
from advisor.procfs.pagemap_scan import ENTRY_FRAME, PRESENT, PagemapScanner, parse_reachable
from advisor.trial.collapse import CollapseError, Target

OTHER, WATCHER, ROOT = 61234, 61235, 0
"""User ids that nobody has."""

PR_SET_DUMPABLE, PR_SET_KEEPCAPS, PR_SET_THP_DISABLE = 4, 8, 41
CLONE_NEWNS, MS_REC, MS_PRIVATE = 0x20000, 0x4000, 1 << 18

fs = KernelFs()
libc = ctypes.CDLL(None, use_errno=True)


def looks(pid: int) -> dict[str, Callable[[], object]]:
    """By the name of the need; one that is denied raises."""

    def process(*names: str) -> Callable[[], object]:
        return lambda: [fs.read_process(pid, name) for name in names]

    def entries() -> PagemapScanner:
        return PagemapScanner(fs, pid)

    def pages() -> object:
        vmas = parse_reachable(fs.read_process(pid, "maps"))
        with entries() as scanner:
            return list(scanner.regions(vmas[0].start, vmas[-1].end, all_of=PRESENT))

    def frames() -> None:
        vmas = parse_reachable(fs.read_process(pid, "maps"))
        with entries() as scanner:
            if not any((scanner.entries(*vma) & ENTRY_FRAME).any() for vma in vmas[:-3]):
                raise PermissionError("no frame numbers")

    def collapse() -> None:
        with Target(pid) as target:
            target.check()

    def tracing() -> None:
        with KhugepagedTrace(fs):
            pass

    def thp_disable() -> None:
        if libc.prctl(PR_SET_THP_DISABLE, 1, 0, 0, 0):
            raise OSError(ctypes.get_errno(), "PR_SET_THP_DISABLE")

    return {
        "processes": process("stat", "status", "cmdline", "cgroup", "limits"),
        "mappings": process("smaps", "smaps_rollup", "maps"),
        "placement": process("numa_maps"),
        "program": lambda: [os.close(os.open(f"/proc/{pid}/{name}", os.O_PATH)) for name in ("exe", "root")],
        "buffers": lambda: [read_file(f"/proc/{pid}/fdinfo/{name}") for name in list_folder(f"/proc/{pid}/fd")],
        "pages": pages,
        "frames": frames,
        "flags": opened("/proc/kpageflags"),
        "pagetypes": lambda: fs.read_proc("pagetypeinfo"),
        "clear": lambda: write(f"/proc/{pid}/clear_refs", b"1"),
        "tracing": tracing,
        "io": process("io"),
        "collapse": collapse,
        "switches": opened("/sys/kernel/mm/transparent_hugepage/enabled", os.O_WRONLY),
        "sysctl": opened("/proc/sys/vm/nr_hugepages", os.O_WRONLY),
        "ways": thp_disable,
    }


def opened(path: str, flags: int = os.O_RDONLY) -> Callable[[], object]:
    return lambda: os.close(os.open(path, flags))


def write(path: str, data: bytes) -> None:
    descriptor = os.open(path, os.O_WRONLY)
    try:
        os.write(descriptor, data)
    finally:
        os.close(descriptor)


def worked(pid: int, user: int, held: int) -> list[str]:
    """Names of the looks that a process of this user with these capabilities can make."""
    reader, writer = os.pipe()
    child = os.fork()
    if child == 0:
        done = []
        try:
            become(user, held)
            for name, look in looks(pid).items():
                with suppress(KernelTextError, CollapseError, OSError):
                    look()
                    done.append(name)
        finally:
            os.write(writer, json.dumps(done).encode())
            os._exit(0)
    os.close(writer)
    with open(reader, "rb") as answer:
        names: list[str] = json.loads(answer.read())
    os.waitpid(child, 0)
    return names


def become(user: int, held: int) -> None:
    libc.prctl(PR_SET_KEEPCAPS, 1, 0, 0, 0)
    os.setgroups([])
    os.setresgid(user, user, user)
    os.setresuid(user, user, user)
    assert capabilities._set(held, held)
    libc.prctl(PR_SET_DUMPABLE, 1, 0, 0, 0)  # as after exec: its own /proc files are its own


def mount_tracefs() -> None:
    """In a mount namespace of this program alone, where the host has none mounted."""
    if "tracefs" in read_file("/proc/mounts").decode():
        return
    if libc.unshare(CLONE_NEWNS) == 0 and libc.mount(b"none", b"/", None, MS_REC | MS_PRIVATE, None) == 0:
        subprocess.run(["mount", "-t", "tracefs", "tracefs", "/sys/kernel/tracing"], stderr=subprocess.DEVNULL)


def main() -> None:
    """Answers {"all": [...], "own": [...], "root": [...], "CAP_A": ..., "CAP_A CAP_B": ..., "-CAP_A CAP_B": ...}."""
    pid = int(sys.argv[1])
    mount_tracefs()
    held = capabilities._held()
    assert held is not None
    everything = held[1]
    answers = {
        "": worked(pid, WATCHER, 0),
        "all": worked(pid, WATCHER, everything),
        "own": worked(pid, OTHER, 0),
        "root": worked(pid, ROOT, 0),
    }
    for need in NEEDS.values():
        for place, clause in enumerate(need.others):
            without = "-" + " ".join(clause)
            if without not in answers:
                answers[without] = worked(pid, WATCHER, everything & ~bits(clause))
            for one in clause:
                names = (*need.least[:place], one, *need.least[place + 1 :])
                if (key := " ".join(names)) not in answers:
                    answers[key] = worked(pid, WATCHER, bits(names) & everything)
        for clause in need.own or ():
            if (key := "own " + clause[0]) not in answers:
                answers[key] = worked(pid, OTHER, bits((clause[0],)))
    print(json.dumps(answers))


if __name__ == "__main__":
    main()
