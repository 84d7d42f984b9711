"""What each look at a host needs: docs/security.md prints it, remedies name it, host tests try all of it."""

from __future__ import annotations

from dataclasses import dataclass

READ = ("CAP_DAC_READ_SEARCH", "CAP_DAC_OVERRIDE")
"""One of them opens for reading what the mode of a file keeps for its owner."""

WRITE = ("CAP_DAC_OVERRIDE",)
"""Opens for writing what the mode of a file keeps for its owner."""

LOOK = ("CAP_SYS_PTRACE", "CAP_PERFMON", "CAP_SYS_ADMIN")
"""One of them reads the mappings of others; the last two since Linux 6.15 (kernel/fork.c, may_access_mm)."""

TRACE = ("CAP_SYS_PTRACE",)

Clauses = tuple[tuple[str, ...], ...]
"""Of each, one capability is needed."""


@dataclass(frozen=True)
class Need:
    """One look. others: what it needs at processes of other users, or at the host. own: at one's own processes;
    None where it is of no process. root: user id 0 is needed, and no capability stands for it. used_by: who looks.
    without: what is then unknown.
    """

    what: str
    files: str
    others: Clauses
    own: Clauses | None
    used_by: str
    without: str
    source: str
    root: bool = False

    @property
    def least(self) -> tuple[str, ...]:
        """The capabilities that are enough, those that do no more than this first."""
        return tuple(clause[0] for clause in self.others)

    @property
    def words(self) -> str:
        """The same for a sentence."""
        return " and ".join(self.least)


ALL = "report, record, tui"
MODES = "modes of the files"
PTRACE_READ = "ptrace(2), PTRACE_MODE_READ; fs/proc/base.c"
MM_ACCESS = "fs/proc/task_mmu.c proc_maps_open; kernel/fork.c may_access_mm"

NEEDS: dict[str, Need] = {
    "processes": Need(
        "who is there",
        "/proc/PID/stat, status, cmdline, cgroup, limits",
        others=(),
        own=(),
        used_by=ALL,
        without="the process, where /proc is mounted with hidepid",
        source="proc_pid_stat(5); " + MODES,
    ),
    "mappings": Need(
        "mappings, sizes, what is huge",
        "/proc/PID/smaps, smaps_rollup, maps",
        others=(LOOK,),
        own=(),
        used_by=ALL,
        without="what is huge, mapped and running there",
        source=MM_ACCESS,
    ),
    "placement": Need(
        "memory by NUMA node",
        "/proc/PID/numa_maps",
        others=(LOOK,),
        own=(),
        used_by=f"{ALL}, with several nodes",
        without="which nodes a pool must be on",
        source=MM_ACCESS,
    ),
    "program": Need(
        "the program and its libraries",
        "/proc/PID/exe, root",
        others=(TRACE,),
        own=(),
        used_by=ALL,
        without="version, allocator, segments; the application may go unrecognised",
        source=PTRACE_READ,
    ),
    "buffers": Need(
        "buffers of io_uring",
        "/proc/PID/fd, fdinfo",
        others=(TRACE, READ),
        own=(),
        used_by=ALL,
        without="which pages are pinned",
        source=f"{PTRACE_READ}; {MODES}",
    ),
    "pages": Need(
        "how full huge page slots are",
        "/proc/PID/pagemap, PAGEMAP_SCAN",
        others=(LOOK, READ),
        own=(),
        used_by=ALL,
        without="how much THP would add: only a bound",
        source=f"fs/proc/task_mmu.c pagemap_open; {MODES}",
    ),
    "frames": Need(
        "page frames: which folios pages are of, whom khugepaged refused",
        "/proc/PID/pagemap, frame numbers",
        others=(("CAP_SYS_ADMIN",), READ),
        own=(("CAP_SYS_ADMIN",),),
        used_by=f"{ALL}, on a host with mTHP; report --trace",
        without="memory in mTHP by size; whose slots were refused",
        source="Documentation/admin-guide/mm/pagemap.rst; fs/proc/task_mmu.c show_pfn",
    ),
    "flags": Need(
        "flags of physical pages",
        "/proc/kpageflags",
        others=(READ,),
        own=None,
        used_by="report, tui",
        without="how many gigantic pages there could be, and what compaction could make",
        source="fs/proc/page.c; " + MODES,
    ),
    "pagetypes": Need(
        "free memory by kind",
        "/proc/pagetypeinfo",
        others=(READ,),
        own=None,
        used_by=ALL,
        without="how much free memory compaction could win",
        source="mm/vmstat.c; " + MODES,
    ),
    "clear": Need(
        "clearing accessed and soft-dirty bits",
        "/proc/PID/clear_refs",
        others=(WRITE,),
        own=(),
        used_by="report --probe",
        without="the probe",
        source="fs/proc/task_mmu.c clear_refs_write: no check but the " + MODES,
    ),
    "tracing": Need(
        "hearing khugepaged",
        "instances in tracefs",
        others=(WRITE,),
        own=None,
        used_by="report --trace",
        without="why khugepaged refused",
        source="Documentation/trace/ftrace.rst; " + MODES,
    ),
    "io": Need(
        "bytes and calls of a process",
        "/proc/PID/io",
        others=(TRACE, READ),
        own=(),
        used_by="trial --pid",
        without="that proxy of its speed",
        source=f"fs/proc/base.c do_io_accounting; {MODES}",
    ),
    "collapse": Need(
        "collapsing memory of a running process",
        "process_madvise(2), MADV_COLLAPSE",
        others=(LOOK, ("CAP_SYS_NICE",)),
        own=(("CAP_SYS_NICE",),),
        used_by="trial --pid; the live trial of the tui",
        without="the live trial",
        source="mm/madvise.c, process_madvise",
    ),
    "switches": Need(
        "THP switches and pools",
        "/sys/kernel/mm/transparent_hugepage, /sys/kernel/mm/hugepages",
        others=(WRITE,),
        own=None,
        used_by="trial, apply.sh of a plan",
        without="the policies that need them",
        source=MODES,
    ),
    "sysctl": Need(
        "sysctls of memory",
        "/proc/sys/vm/nr_hugepages and others",
        others=(),
        own=None,
        used_by="trial, apply.sh of a plan",
        without="the same; `trial` changes settings as root alone",
        source="fs/proc/proc_sysctl.c test_perm: the user id decides, no capability does",
        root=True,
    ),
    "ways": Need(
        "switches inside a program",
        "GLIBC_TUNABLES, options of a JVM, PR_SET_THP_DISABLE",
        others=(),
        own=(),
        used_by="trial",
        without="nothing",
        source="PR_SET_THP_DISABLE(2const): of the caller, inherited",
    ),
}
"""By the name that remedies use."""

WATCHING = ("CAP_SYS_PTRACE", "CAP_DAC_READ_SEARCH")
"""All that watching a host needs: every row used by `record`, but for page frames on a host with mTHP."""


def table() -> str:
    """As Markdown."""
    rows = ["| What | Files or calls | Own processes | Others, or the host | Used by | Without it |"]
    rows.append("| --- | --- | --- | --- | --- | --- |")
    for need in NEEDS.values():
        others = "root (user id 0)" if need.root else _words(need.others)
        own = "" if need.own is None else _words(need.own)
        rows.append(f"| {need.what} | {need.files} | {own} | {others} | {need.used_by} | {need.without} |")
    return "\n".join(rows)


def sources() -> str:
    """As a list in Markdown."""
    return "\n".join(f"- {need.what}: {need.source}" for need in NEEDS.values())


def _words(clauses: Clauses) -> str:
    return "; and ".join(" or ".join(f"`{name}`" for name in clause) for clause in clauses) or "nothing"
