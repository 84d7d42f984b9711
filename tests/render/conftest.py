"""One hand-made report with every kind of process."""

from __future__ import annotations

import pytest

from advisor.report.document import (
    SCHEMA,
    Limitation,
    Report,
    SkippedProcess,
    Source,
    SourceCost,
    Tool,
)
from advisor.report.host import (
    Host,
    Khugepaged,
    Listened,
    Pool,
    SlotLooks,
    Supply,
    ThpSizeState,
    ThpState,
    Tlb,
)
from advisor.report.plan import (
    Artefact,
    HostPlan,
    MemoryState,
    PlanCgroup,
    PlanGuest,
    PlanMemory,
    PlanPageTables,
    PlanPool,
    PlanRisk,
    PlanTenant,
    PlanThp,
)
from advisor.report.process import (
    ProcessEntry,
    Totals,
)
from advisor.units import GIB, KIB, MIB
from tests.render.processes import make_processes, reason


def make_host() -> Host:
    fallback = reason(
        "thp-faults-fall-back", "medium", "31 % of the faults that could take a huge page while watching fell back."
    )
    return Host(
        hostname="db01",
        kernel="6.12.9",
        arch="x86_64",
        cpu_model="AMD EPYC 9354 32-Core Processor",
        virtualization="none",
        base_page_bytes=4 * KIB,
        memory_total_bytes=256 * GIB,
        memory_available_bytes=112 * GIB,
        thp=ThpState(
            enabled="madvise",
            defrag="madvise",
            shmem_enabled="never",
            pmd_bytes=2 * MIB,
            sizes=[ThpSizeState(64 * KIB, "never", "never"), ThpSizeState(2 * MIB, "inherit", "inherit")],
            effective_enabled="madvise",
            effective_shmem_enabled="never",
            in_use_bytes=13 * GIB,
            fault_alloc_per_s=120.5,
            fault_fallback_share=0.31,
            fault_fallback_share_since_boot=0.08,
        ),
        khugepaged=Khugepaged(
            0.2,
            0.0,
            0.001,
            4096,
            10000.0,
            511,
            1_677_721.6,
            66000.0,
            Listened(
                30.0,
                [
                    SlotLooks("not_suitable_page_count", 16, "pinned", "pinned for I/O"),
                    SlotLooks("succeeded", 7, None, None),
                    SlotLooks("vma_check_failed", 1, None, None),
                ],
                16,
                0,
            ),
        ),
        pools=[
            Pool(2 * MIB, None, 3072, 1024, 0, 0, 0),
            Pool(2 * MIB, 0, 1536, 512, None, 0, None),
            Pool(2 * MIB, 1, 1536, 512, None, 0, None),
            Pool(GIB, None, 0, 0, 0, 0, 0),
        ],
        supply=[
            Supply(2 * MIB, 0, 8123, "6004 are free in one piece", 6004, 9000, 40000, "memory"),
            Supply(2 * MIB, 1, 411, "411 are free in one piece", 411, 500, 41000, "memory"),
            Supply(GIB, None, None, "unknown: larger than buddyinfo's largest block", None, None, 80, "memory"),
        ],
        tlb=[
            Tlb(1, 4 * KIB, 72, 288 * KIB, "AMD Zen 4"),
            Tlb(2, 4 * KIB, 3072, 12 * MIB, "AMD Zen 4"),
            Tlb(2, 2 * MIB, 3072, 6 * GIB, "AMD Zen 4"),
            Tlb(2, GIB, 64, 64 * GIB, "AMD Zen 4"),
        ],
        cpus=64,
        numa_nodes=2,
        swap_total_bytes=0,
        swap_used_bytes=0,
        memory_pressure_some_avg10=0.4,
        unusable_index=0.27,
        findings=[fallback],
    )


def make_plan() -> HostPlan:
    return HostPlan(
        summary="6 of 16 processes should change: 4 to hugetlb, 1 to THP, 1 to THP off. On the host: resize 2 pools.",
        thp=PlanThp("madvise", "defer+madvise", "never", {"max_ptes_none": 64}, ["defrag"], "Stalls stay few."),
        pools=[
            PlanPool(2 * MIB, None, 6144, "runtime", [4100], 3072),
            PlanPool(GIB, None, 48, "boot", [2211], 0),
        ],
        memory=PlanMemory(
            MemoryState(6 * GIB, 17 * GIB, 100 * GIB, 112 * GIB), MemoryState(60 * GIB, 95 * GIB, 22 * GIB, 114 * GIB)
        ),
        page_table_bytes=PlanPageTables(GIB + 512 * MIB, 30 * MIB),
        artefacts=[
            Artefact(
                "pool-1G-boot",
                "kernel-command-line",
                "Pool of 1G pages at boot",
                "/etc/default/grub.d/hugepages.cfg",
                'GRUB_CMDLINE_LINUX="$GRUB_CMDLINE_LINUX hugepagesz=1G hugepages=48"\n',
                "rm /etc/default/grub.d/hugepages.cfg && update-grub\n",
                True,
            ),
            Artefact("pool-2M-now", "shell", "Pool of 2M pages now", None, "echo 6144 > /sys/x\n",
                     "echo 3072 > /sys/x\n", False),
        ],
        arithmetic=[
            "16 processes: 10 leave, 1 thp, 1 thp-off, 4 hugetlb.",
            "Pool of 2 MiB pages: 2048 in use or reserved + 4096 for pid 4100 = 6144, today 3072: +3072 = 6 GiB.",
            "Pool of 1 GiB pages: 0 in use or reserved + 48 for pid 2211 = 48, today 0: +48 pages = 48 GiB, at boot.",
        ],
        tenants=[
            PlanTenant([2211], "qemu-system-x86", "machine.slice", "pool", GIB, True, "application",
                       "Its own configuration switches that on.", None, True, ["pool-1G-boot"]),
            PlanTenant([5001], "evil|\x1b[31m`x`", None, "thp", 2 * MIB, False, None,
                       "The program would have to ask for them (madvise).", "Huge pages for 4 GiB.", False, []),
            PlanTenant([9001, 9002, 9003, 9004], "cache", "cache.service", "base-pages", None, True, "memory-thp",
                       "MemoryTHP=disable of its service, whatever the host's mode.", None, True, []),
            PlanTenant([7001], "numpy-job", None, "thp", 2 * MIB, True, "already", "It has them.", None, False, []),
        ],
        risks=[
            PlanRisk("pools-before-restart", "medium", "While the processes still run, the pools take 54 GiB.",
                     "Stop the processes first."),
        ],
        cgroups=[
            PlanCgroup("/evil`|slice", "memory", None, 64 * GIB, 16 * GIB, False, [2211],
                       "Pool pages do not count in it: 64 GiB - 48 GiB = 16 GiB."),
        ],
        guests=[
            PlanGuest(2211, "qemu-system-x86", 48 * GIB, "base", "hugetlb", GIB, "Inside, use huge pages as well."),
        ],
    )  # fmt: skip


def make_report(processes: list[ProcessEntry] | None = None) -> Report:
    processes = make_processes() if processes is None else processes
    return Report(
        schema=SCHEMA,
        generated_at="2026-01-15T10:20:30Z",
        tool=Tool("hugepage-advisor", "0.1.0"),
        source=Source(
            kind="live",
            duration_s=10.0,
            samples=6,
            privileged=True,
            cost=SourceCost(0.084, 0.31, 0.0084, 40, 12, 3, 0.01),
            observed_at="2026-01-15T10:20:29Z",
            interval_s=2.0,
            truncated=False,
            redacted=True,
        ),
        host=make_host(),
        plan=make_plan(),
        processes=processes,
        totals=Totals(len(processes), 124 * GIB, 98 * GIB, 12 * GIB, 0, 0, 4 * GIB, 64 * MIB, 200 * MIB,
                      {"anon_bytes": 1, "anon_huge_bytes": 1}),
        limitations=[
            Limitation("smaps-denied", "Reading smaps of 1 process was denied.", "Run with CAP_SYS_PTRACE."),
            Limitation("no-model", "No gain is predicted: no model took part.", None),
        ],
        skipped=[SkippedProcess(99, None, "gone"),
                 SkippedProcess(12, "sh", "gone"), SkippedProcess(13, "db", "hung")],
    )  # fmt: skip


@pytest.fixture
def report() -> Report:
    """A host with one process of every kind of advice; names are partly hostile."""
    return make_report()
