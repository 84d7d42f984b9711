"""A close-up that belongs to a process of a report: made up, with one mapping of every kind of backing."""

from __future__ import annotations

from advisor.report.close_up import CloseUp, CloseUpFeature, CloseUpMoment, CloseUpVma
from advisor.report.process import ProcessEntry
from advisor.units import GIB, MIB


def vma(start: int | None, size: int, **fields: object) -> CloseUpVma:
    """A mapping that holds nothing but what is said."""
    known: dict[str, object] = {"vmas": 1, "kind": "anon", "name": "", "page_bytes": 4096, "thp_eligible": True}
    known |= dict.fromkeys(("rss_bytes", "base_bytes", "anon_huge_bytes", "file_huge_bytes", "hugetlb_bytes"), 0)
    known |= {"swap_bytes": 0, "mthp_bytes": 0, "advice": ""}
    return CloseUpVma(start=start, size_bytes=size, **{**known, **fields})  # type: ignore[arg-type]  # by name


def maps() -> list[CloseUpVma]:
    """One mapping of each kind, by address; what is too small comes last."""
    thp, mthp = {"anon_huge_bytes": 32 * MIB, "advice": "hugepage"}, {"mthp_bytes": 16 * MIB, "advice": "nohugepage"}
    shared, pool = {"kind": "shmem", "name": "/dev/shm/a b"}, {"kind": "hugetlb", "name": "/anon_hugepage"}
    return [
        vma(0x10000000, 64 * MIB, rss_bytes=40 * MIB, base_bytes=8 * MIB, **thp),
        vma(0x20000000, 16 * GIB, thp_eligible=None),
        vma(0x7F0000000000, 64 * MIB, rss_bytes=64 * MIB, base_bytes=48 * MIB, **mthp),
        vma(0x7F1000000000, 32 * MIB, rss_bytes=32 * MIB, file_huge_bytes=32 * MIB, **shared),
        vma(0x7F2000000000, 32 * MIB, page_bytes=2 * MIB, hugetlb_bytes=32 * MIB, **pool),
        vma(0x7F3000000000, 64 * MIB, rss_bytes=8 * MIB, base_bytes=8 * MIB, swap_bytes=56 * MIB, mthp_bytes=None),
        vma(None, 9 * MIB, vmas=41, kind="file", rss_bytes=3 * MIB, base_bytes=3 * MIB, thp_eligible=False),
    ]


def history() -> list[CloseUpMoment]:
    """Coverage that rises while faults fall, over ten seconds; the third sample missed the process."""
    return [
        CloseUpMoment(0.0, 100 * MIB, 0.1, None, None, None),
        CloseUpMoment(2.0, 120 * MIB, 0.3, 4000.0, 0.0, 1.5),
        CloseUpMoment(4.0, None, None, None, None, None),
        CloseUpMoment(6.0, 140 * MIB, 0.6, 1000.0, 0.0, 1.0),
        CloseUpMoment(10.0, 147 * MIB, 0.9, 0.0, 2.5, 0.25),
    ]


def close_up_of(process: ProcessEntry, vmas: list[CloseUpVma] | None = None, missing: str | None = None) -> CloseUp:
    """Of this process; vmas: by default `maps()`, none where `missing` says why."""
    features = [
        CloseUpFeature("guest_ram_bytes", 48 * GIB, "bytes", "RAM of a guest.", "no guest", "process"),
        CloseUpFeature("huge_coverage", 0.25, "share 0..1", "On huge pages.", "not read", "process"),
        CloseUpFeature("minor_faults_per_s", 1.5, "faults/s", "Faults without I/O.", "one sample", "process"),
        CloseUpFeature("tlb_reach_bytes", None, "bytes", "Reach of the TLB.", "the CPU is not known", "host"),
    ]
    return CloseUp(
        pid=process.pid,
        start_ticks=process.start_ticks,
        vmas=None if missing else maps() if vmas is None else vmas,
        vmas_missing=missing,
        vmas_age_s=None if missing else 4.0,
        vmas_newest=True,
        features=features,
        history=history(),
    )
