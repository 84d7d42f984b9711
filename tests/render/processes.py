"""Hand-made processes of every kind, for the report of `conftest`."""

from __future__ import annotations

from typing import Any

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
    WhyNotHuge,
)
from advisor.report.reasons import Reason
from advisor.units import GIB, KIB, MIB


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
