"""One hand-made report with every kind of process."""

from __future__ import annotations

from typing import Any

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
    Alternative,
    Application,
    BloatAt,
    BloatForecast,
    Component,
    ExpectedGain,
    Memory,
    MthpSize,
    ProcessEntry,
    RecommendationEntry,
    Totals,
    WhyNotHuge,
)
from advisor.report.reasons import Reason

KIB, MIB, GIB = 1 << 10, 1 << 20, 1 << 30


def reason(rule: str, severity: str, message: str, **evidence: int | float | str | None) -> Reason:
    return Reason(
        rule=rule,
        status="matched",
        severity=severity,  # type: ignore[arg-type]
        message=message,
        evidence=dict(evidence),
        sources=["Documentation/admin-guide/mm/transhuge.rst", "https://docs.kernel.org/mm/transhuge.html"],
        title=rule.replace("-", " "),
        confidence="high",
        remedy=None,
    )


def advice(policy: str, why: Reason, **fields: object) -> RecommendationEntry:
    defaults: dict[str, object] = {
        "page_bytes": None,
        "pages": None,
        "expected_gain": None,
        "confidence": "high",
        "decided_by": "rules",
        "override_reason": None,
        "bloat_bytes": None,
        "reasons": [why],
        "alternatives": [],
        "artefacts": [],
        "pages_basis": None,
        "changes": policy != "leave",
    }
    return RecommendationEntry(policy=policy, **{**defaults, **fields})  # type: ignore[arg-type]


def memory(rss: int | None, anon: int | None = 0, huge: int | None = 0, **fields: Any) -> Memory:
    unseen = dict.fromkeys(("mthp", "mthp_partial_bytes", "mthp_complete"))
    known = dict.fromkeys(Memory.__struct_fields__, 0) | {"measured_by": "maps"} | unseen
    coverage = None if not anon or huge is None else huge / anon
    given = {"rss_bytes": rss, "anon_bytes": anon, "anon_huge_bytes": huge, "huge_coverage": coverage, **fields}
    return Memory(**{**known, **given})  # type: ignore[arg-type]


WITH_MTHP: dict[str, Any] = {
    "mthp": [MthpSize(64 * KIB, 96 * MIB, 95 * MIB, 12 * MIB), MthpSize(128 * KIB, 0, 0, 4 * MIB)],
    "mthp_partial_bytes": 3 * MIB,
    "mthp_complete": True,
}
"""What is known of the large folios of one process."""


def process(pid: int, name: str, size: Memory, recommended: RecommendationEntry, **fields: object) -> ProcessEntry:
    defaults: dict[str, object] = {
        "start_time": 1_760_000_000 + pid,
        "user": "root",
        "cgroup": f"/system.slice/{name}.service",
        "application": None,
        "why_not_huge": [],
        "start_ticks": pid * 100,
        "executable": f"/usr/bin/{name}",
        "command_line": [f"/usr/bin/{name}", "--password=***"],
        "allocator": "glibc",
        "runtime": None,
        "thp_disabled": False,
        "cpu_cores": 0.5,
        "at_stake_bytes": 0,
    }
    fields = {**defaults, **fields}
    return ProcessEntry(pid=pid, name=name, memory=size, recommendation=recommended, **fields)  # type: ignore[arg-type]


def make_processes() -> list[ProcessEntry]:
    guest = reason(
        "guest-memory-beyond-pmd-reach",
        "high",
        "The guest's 48 GiB are on base pages and 8 times what the TLB reaches with PMD pages; with pages of 1 GiB "
        "it reaches 64 GiB.",
        guest_ram_bytes=48 * GIB,
        memory_to_pmd_reach=8.03,
        host_privileged=None,
    )
    shared = reason(
        "shared-memory-heavy-page-tables",
        "high",
        "42 processes map the same 8 GiB and spend 1.3 GiB on page tables for it and their own memory.",
        sharing_processes=42,
        shared_object_bytes=8 * GIB,
    )
    heap = reason(
        "large-anon-not-advised",
        "medium",
        "24 GiB of anonymous memory could be huge, 1.2 GiB is: the host's THP mode is madvise and the process "
        "advises 1.2 GiB of it.",
    )
    sparse = reason(
        "sparse-memory-would-bloat",
        "medium",
        "6 GiB of anonymous memory could grow by up to 18 GiB under THP mode always.",
    )
    sized = reason("hugetlb-right-sized", "low", "4 GiB of 4 GiB mapped are resident in hugetlb pages of 2 MiB.")
    covered = reason("thp-already-covers", "low", "11 GiB of anonymous memory, 97 % of it, is on huge pages.")
    denied = reason("no-smaps-access", "info", "5 GiB is resident, and its mappings are unknown.")
    small = reason("small-process", "info", "Only 4 MiB is resident: too little for page walks to matter.")
    no_thp = Alternative(
        "thp",
        2 * MIB,
        None,
        "less is at stake for large-anon-not-advised",
        bloat_bytes=40 * MIB,
        bloat_basis="pages",
        page_table_bytes_after=98 * MIB,
    )
    backends = [
        process(
            4100 + number,
            "postgres",
            memory(8 * GIB, 40 * MIB, 0, shmem_rss_bytes=8 * GIB, huge_coverage=0.0, page_table_bytes=32 * MIB),
            advice("hugetlb", shared, page_bytes=2 * MIB, confidence="medium"),
            user="postgres",
            application=Application("postgresql", "PostgreSQL", "high", "15.18", "avoid-always"),
            components=[Component("glibc-malloc", "glibc malloc", "2.36"), Component("ucx", "UCX (MPI)", None)],
            at_stake_bytes=8 * GIB - number,
        )
        for number in range(3)
    ]
    tiny = [process(9000 + n, f"agent{n}", memory(4 * MIB, 2 * MIB, 0), advice("leave", small)) for n in range(6)]
    return [
        process(
            2211,
            "qemu-system-x86",
            memory(50 * GIB, 48 * GIB, 0, page_table_bytes=98 * MIB),
            advice(
                "hugetlb",
                guest,
                page_bytes=GIB,
                pages=48,
                pages_basis="the guest's RAM",
                bloat_bytes=0,
                alternatives=[no_thp],
                artefacts=["pool-1G-boot"],
                expected_gain=ExpectedGain(0.12, 0.05, 0.19, 0.9),
                decided_by="both",
            ),
            application=Application("qemu", "QEMU", "high"),
            why_not_huge=[
                WhyNotHuge("not-advised", 48 * GIB, 1, "Let the program call madvise(MADV_HUGEPAGE)."),
                WhyNotHuge(
                    "swapped",
                    12 * MIB,
                    2,
                    "Lock it, or raise max_ptes_swap.",
                    title="swapped out beyond max_ptes_swap",
                    beside_bytes=GIB,
                    note="max_ptes_swap is 64 of 512 pages",
                ),
                WhyNotHuge("khugepaged-not-yet", MIB, 1, "MADV_COLLAPSE does it.", "too early", wait_s=5400.0),
                WhyNotHuge("not-populated", 0, 3, "Nothing to do.", "holds nothing yet", beside_bytes=2 * GIB),
            ],
            at_stake_bytes=48 * GIB,
        ),
        process(
            3302,
            "java",
            memory(26 * GIB, 24 * GIB, GIB + 200 * MIB),
            advice("thp", heap, page_bytes=2 * MIB, bloat_bytes=2 * GIB, bloat_basis="smaps"),
            user="app",
            runtime="JVM",
            at_stake_bytes=22 * GIB,
        ),
        process(
            5120,
            "sparse-cache",
            memory(6 * GIB, 6 * GIB, 512 * MIB, swap_bytes=64 * MIB, **WITH_MTHP),
            advice("thp-off", sparse, bloat_bytes=18 * GIB, bloat_basis="pages", confidence="medium"),
            bloat_forecast=BloatForecast(
                fault_bytes=18 * GIB,
                khugepaged_bytes=18 * GIB,
                max_ptes_none=511,
                basis="pagemap-scan",
                complete=True,
                by_max_ptes_none=[
                    BloatAt(0, 0),
                    BloatAt(64, 12 * MIB),
                    BloatAt(128, 12 * MIB),
                    BloatAt(256, 3 * GIB),
                    BloatAt(409, 18 * GIB),
                    BloatAt(511, 18 * GIB),
                ],
                reclaimable_bytes=0,
                unscanned_bytes=0,
                fault_most_bytes=18 * GIB,
            ),
            at_stake_bytes=18 * GIB,
        ),
        *backends,
        process(
            6001,
            "dpdk-fwd",
            memory(200 * MIB, 90 * MIB, 0, hugetlb_bytes=4 * GIB, huge_coverage=0.98),
            advice("hugetlb", sized, page_bytes=2 * MIB, pages=2048, changes=False),
        ),
        process(7001, "numpy-job", memory(12 * GIB, 11 * GIB + 300 * MIB, 11 * GIB), advice("leave", covered)),
        process(
            7777,
            "vault",
            memory(5 * GIB, None, None, huge_coverage=None, hugetlb_bytes=None, measured_by="counters"),
            advice("leave", denied, confidence="low"),
            user="vault",
            command_line=None,
        ),
        process(8001, "evil|\x1b[31m`x`[red]", memory(9 * GIB, 8 * GIB, 0), advice("leave", covered), user="nobody"),
        *tiny,
    ]


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
