"""Limitations as rules: what could not be seen, what that means for the advice, and what would show it."""

from __future__ import annotations

import polars as pl

from advisor.rules.conditions import LARGE_BYTES, SMALL_BYTES, TRANSHUGE, col
from advisor.rules.engine import Confidence, Scope, Severity, rule

THEME = "limits"
"""Theme of every rule in this file."""

RATE_SAMPLES = 2
"""Samples. Source: arithmetic. Reason: a rate is a difference of two."""

SHORT_SECONDS = 10.0
"""Seconds. Source: own choice. Reason: khugepaged sleeps ten seconds between scans by default, and PSI's
shortest average covers ten; a shorter window can miss both."""

PTRACE = "proc_pid_smaps(5): needs ptrace access, or CAP_PERFMON since 6.15"


@rule(
    id="no-smaps-access",
    title="The mappings of this process could not be read",
    theme=THEME,
    severity=Severity.INFO,
    confidence=Confidence.HIGH,
    message="{rss_bytes} is resident, and its mappings are {slot_bytes}: eligibility, alignment and advice "
    "cannot be judged.",
    remedy="Run as the same user, as root, or with CAP_SYS_PTRACE (CAP_PERFMON since 6.15).",
    sources=(PTRACE,),
    known_problems="A read that hung or was put off by the cost budget looks the same; the skipped list tells which.",
)
def no_smaps_access() -> pl.Expr:
    """What it does: matches a process of at least 32 MiB of which no mappings are known.

    Why it matters: its advice rests on counters only, so most rules cannot tell.

    Example: a database of another user, watched without privileges.
    """
    return (col("rss_bytes") >= SMALL_BYTES) & col("slot_bytes").is_null()


@rule(
    id="not-privileged",
    title="The host was watched without privileges",
    theme=THEME,
    scope=Scope.HOST,
    severity=Severity.INFO,
    confidence=Confidence.HIGH,
    message="Privileged: {host_privileged}. Processes of other users, and the supply of gigantic pages, are "
    "only partly known.",
    remedy="Run as root, or with CAP_SYS_PTRACE and CAP_DAC_READ_SEARCH.",
    sources=(PTRACE, "Documentation/admin-guide/mm/pagemap.rst"),
    known_problems="A single capability may be enough for what you look for.",
)
def not_privileged() -> pl.Expr:
    """What it does: matches a profile that was made without root rights or the equal capabilities.

    Why it matters: what was not visible is missing from the host's plan.

    Example: a report by an ordinary user.
    """
    return ~col("host_privileged")


@rule(
    id="processes-hidden",
    title="Processes of other users cannot be seen at all",
    theme=THEME,
    scope=Scope.HOST,
    severity=Severity.INFO,
    confidence=Confidence.HIGH,
    message="/proc hides processes (hidepid: {host_hidepid}) and the report was made without privileges "
    "(privileged: {host_privileged}): others than those listed may run here.",
    remedy="Run as root, with CAP_SYS_PTRACE, or as a member of the group that /proc is mounted for (gid=).",
    sources=("proc(5): mount option hidepid",),
    known_problems="A member of that group sees everybody and reads this all the same.",
)
def processes_hidden() -> pl.Expr:
    """What it does: matches a host whose /proc is mounted with hidepid, watched without CAP_SYS_PTRACE.

    Why it matters: who is not seen is in no sum and no plan, and no counter tells that somebody is missing.

    Example: a report by an ordinary user on a hardened host.
    """
    return col("host_hidepid") & ~col("host_privileged")


@rule(
    id="one-container-only",
    title="Only processes of this container can be seen",
    theme=THEME,
    scope=Scope.HOST,
    severity=Severity.INFO,
    confidence=Confidence.HIGH,
    message="In a PID namespace of its own: {host_in_pid_namespace}. The host's other processes are not listed, "
    "while memory, pools and THP settings are those of the whole host.",
    remedy="Run `report` on the host itself, or in a container with the host's PID namespace (docker: --pid=host, "
    "Kubernetes: hostPID: true).",
    sources=("pid_namespaces(7)",),
    known_problems="A sandbox that a user made alone looks the same.",
)
def one_container_only() -> pl.Expr:
    """What it does: matches a profile that was made in another than the initial PID namespace.

    Why it matters: pages of a pool and memory that is free are shared with processes that this plan knows nothing of.

    Example: `report` in a container.
    """
    return col("host_in_pid_namespace")


@rule(
    id="one-sample-only",
    title="There is one sample only",
    theme=THEME,
    scope=Scope.HOST,
    severity=Severity.INFO,
    confidence=Confidence.HIGH,
    message="{host_samples} sample: rates of faults, CPU use, collapses and stalls are unknown.",
    remedy="Watch for some seconds: --duration 10.",
    sources=("arithmetic: a rate needs two samples",),
    known_problems="Counters since boot or since the start of a process are known all the same.",
)
def one_sample_only() -> pl.Expr:
    """What it does: matches a profile with less than two samples.

    Why it matters: who is busy and who is idle cannot be told, so all memory counts alike.

    Example: a captured tree.
    """
    return col("host_samples") < RATE_SAMPLES


@rule(
    id="window-too-short",
    title="The host was watched for a short time",
    theme=THEME,
    scope=Scope.HOST,
    severity=Severity.INFO,
    confidence=Confidence.HIGH,
    message="{host_samples} samples in {host_duration_s}: rare events and khugepaged's rounds may be missed.",
    remedy="Watch longer, best while the host does its normal work.",
    sources=(TRANSHUGE,),
    known_problems="For sizes and coverage one moment is enough.",
)
def window_too_short() -> pl.Expr:
    """What it does: matches two or more samples within less than ten seconds.

    Why it matters: a rate of zero may only mean that nothing happened just then.

    Example: --duration 2.
    """
    return (col("host_samples") >= RATE_SAMPLES) & (col("host_duration_s") < SHORT_SECONDS)


@rule(
    id="mthp-not-visible",
    title="Smaller huge pages (mTHP) are enabled and not visible in smaps",
    theme=THEME,
    scope=Scope.HOST,
    severity=Severity.INFO,
    confidence=Confidence.HIGH,
    message="mTHP enabled: {host_mthp_enabled}. Memory shown as on base pages may be on pages between base "
    "and PMD size.",
    remedy="Read the per-size stats under transparent_hugepage/, or page flags (/proc/kpageflags; CAP_SYS_ADMIN and "
    "CAP_DAC_READ_SEARCH, or root).",
    sources=(f"{TRANSHUGE}: AnonHugePages counts PMD-mapped pages only",),
    known_problems="None known.",
)
def mthp_not_visible() -> pl.Expr:
    """What it does: matches a host on which a huge page size other than the PMD's may be used.

    Why it matters: such pages shorten faults, and the TLB of some processors uses them; coverage is then
    understated.

    Example: hugepages-64kB/enabled is madvise.
    """
    return col("host_mthp_enabled")


@rule(
    id="tlb-geometry-unknown",
    title="This processor's TLB is not known",
    theme=THEME,
    scope=Scope.HOST,
    severity=Severity.INFO,
    confidence=Confidence.HIGH,
    message="TLB reach with PMD pages: {tlb_reach_pmd_bytes}. Whether gigantic pages would help cannot be told.",
    remedy="Name the processor's TLB entries by page size in the project's table of geometries.",
    sources=("vendor TLB tables",),
    known_problems="Hypervisors may show a processor that is not the real one.",
)
def tlb_geometry_unknown() -> pl.Expr:
    """What it does: matches a host whose TLB reach with PMD pages is unknown.

    Why it matters: the choice between PMD and gigantic pages is arithmetic on that reach.

    Example: a processor newer than the table.
    """
    return col("tlb_reach_pmd_bytes").is_null()


@rule(
    id="inside-a-guest",
    title="This host is itself a virtual machine",
    theme=THEME,
    scope=Scope.HOST,
    severity=Severity.INFO,
    confidence=Confidence.HIGH,
    message="Virtualized: {host_virtualized}. The full gain of huge pages needs them in the hypervisor below, too.",
    remedy="Hand this to whoever runs the hypervisor: 'Please back the RAM of this guest with huge pages (libvirt: "
    "<memoryBacking><hugepages/></memoryBacking>; QEMU: -object memory-backend-memfd,hugetlb=on,prealloc=on), or "
    "leave THP at madvise or always there; its RAM should be a whole number of those pages.'",
    sources=(f"{TRANSHUGE}: both stages must be huge for the full gain",),
    known_problems="What backs the guest is not visible from inside.",
)
def inside_a_guest() -> pl.Expr:
    """What it does: matches a host that runs on a hypervisor.

    Why it matters: the TLB caches the combination of both translations at the smaller of their page sizes.

    Example: a cloud instance.
    """
    return col("host_virtualized")


@rule(
    id="large-with-unknown-cpu",
    title="The CPU use of this large process is unknown",
    theme=THEME,
    severity=Severity.INFO,
    confidence=Confidence.HIGH,
    message="It holds {resident_memory_bytes}; its CPU use is {cpu_cores}, so what it could gain is not weighed.",
    remedy="Watch it for at least two samples.",
    sources=("proc_pid_stat(5): utime, stime",),
    known_problems="None known.",
)
def large_with_unknown_cpu() -> pl.Expr:
    """What it does: matches a large process seen in one sample only, so that its CPU use is not known.

    Why it matters: huge pages save CPU time, and an idle process has none to save.

    Example: a process that started between the last two samples.
    """
    return (col("resident_memory_bytes") >= LARGE_BYTES) & col("cpu_cores").is_null()


RULES = (
    no_smaps_access,
    not_privileged,
    processes_hidden,
    one_container_only,
    one_sample_only,
    window_too_short,
    mthp_not_visible,
    tlb_geometry_unknown,
    inside_a_guest,
    large_with_unknown_cpu,
)
