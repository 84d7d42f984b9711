"""What is concluded from rounds of status and looks at smaps; and the budget of the looks."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from advisor.procfs.errors import GoneError
from advisor.procfs.fs import KernelFs
from advisor.procfs.smaps import SmapsParser
from advisor.trial.tree import ProcessTree
from advisor.trial.watch import (
    BUDGET_SHARE,
    FREE_LOOKS_S,
    UNSEEN_BUDGET_SHARE,
    UNSEEN_GROWTH,
    HugeMemory,
    LookTimes,
    ProcessMemory,
    Record,
    Watch,
    look_at,
    read_memory,
    worth_a_look,
)
from advisor.units import MIB
from tests.fake_proc import FakeProc, mapping

SIZE_2M, SIZE_1G = 2 << 20, 1 << 30


def memory(anon: int = 0, *, pid: int = 1, shmem: int = 0, file: int = 0, hugetlb: int = 0) -> ProcessMemory:
    return ProcessMemory(pid, anon * MIB, shmem * MIB, file * MIB, hugetlb * MIB)


def test_private_memory_adds_up_and_shared_memory_counts_once() -> None:
    record = Record()
    record.add_round(0.1, [memory(100, shmem=50, file=7), memory(30, pid=2, shmem=50, file=9)])
    seen = record.seen(0.0).memory
    assert (seen.peak_anon_bytes, seen.peak_shmem_bytes, seen.peak_rss_bytes) == (130 * MIB, 50 * MIB, 189 * MIB)


def test_memory_is_settled_when_nearly_all_of_the_peak_was_first_there() -> None:
    record = Record()
    for now_s, size in [(0.0, 1), (0.1, 500), (0.2, 949), (0.3, 951), (0.4, 1000), (0.5, 3), (0.6, 1000)]:
        record.add_round(now_s, [memory(size)])
    assert record.seen(0.0).settled_s == 0.3


def test_pool_pages_are_part_of_what_settles() -> None:
    record = Record()
    record.add_round(0.1, [memory(1)])
    record.add_round(0.7, [memory(1, hugetlb=100)])
    assert record.seen(0.0).settled_s == 0.7


def test_nothing_seen_is_unknown_never_nought() -> None:
    seen = Record().seen(0.5)
    assert seen.memory.peak_rss_bytes is None
    assert seen.memory.coverage is None
    assert seen.thp_share is None
    assert seen.settled_s is None
    assert seen.cpu_s == 0.5


def test_coverage_is_taken_where_the_largest_process_is_largest() -> None:
    record = Record()
    record.add_look([(memory(100), HugeMemory(anon_thp=100 * MIB))])
    record.add_look([(memory(400), HugeMemory(anon_thp=100 * MIB)), (memory(300, pid=2), HugeMemory())])
    record.add_look([(memory(50), HugeMemory(anon_thp=50 * MIB))])
    seen = record.seen(0.0)
    assert seen.memory.coverage == seen.thp_share == 0.25
    assert seen.memory.smaps_reads == 3


def test_what_was_seen_only_while_it_was_small_was_not_seen() -> None:
    record = Record()
    record.add_round(0.1, [memory(10), memory(5, pid=2)])
    record.add_look([(memory(10), HugeMemory())])
    assert record.seen(0.0).thp_share == 0
    record.add_round(0.2, [memory(20)])
    seen = record.seen(0.0)
    assert (seen.thp_share, seen.memory.coverage, seen.memory.smaps_reads) == (None, None, 1)
    assert seen.problem == "most of it was there too shortly to be looked at"
    record.add_look([(memory(20), HugeMemory(anon_thp=20 * MIB))])
    assert (record.seen(0.0).thp_share, record.seen(0.0).problem) == (1, None)


def test_at_the_same_size_the_last_look_counts() -> None:
    record = Record()
    record.add_look([(memory(1000), HugeMemory())])
    record.add_look([(memory(990), HugeMemory(anon_thp=990 * MIB))])
    assert record.seen(0.0).memory.coverage == 1.0


def test_pool_pages_count_by_size_and_a_lone_process_may_have_shared_ones() -> None:
    record = Record()
    huge = HugeMemory(hugetlb_private={SIZE_2M: 512 * MIB}, hugetlb_shared={SIZE_1G: 1024 * MIB})
    record.add_look([(memory(512, hugetlb=1536), huge)])
    seen = record.seen(0.0)
    assert seen.memory.peak_hugetlb_bytes == {str(SIZE_2M): 512 * MIB, str(SIZE_1G): 1024 * MIB}
    assert seen.hugetlb_share == {SIZE_2M: 0.25, SIZE_1G: 0.5}
    assert seen.memory.coverage == 0.75


def test_shared_pool_pages_of_several_processes_count_once() -> None:
    record = Record()
    one = HugeMemory(hugetlb_private={SIZE_2M: 2 * MIB}, hugetlb_shared={SIZE_2M: 100 * MIB})
    record.add_look([(memory(hugetlb=102), one), (memory(hugetlb=102, pid=2), one)])
    assert record.seen(0.0).memory.peak_hugetlb_bytes == {str(SIZE_2M): 104 * MIB}


def test_the_largest_and_those_with_a_relevant_share_are_looked_at() -> None:
    assert worth_a_look([]) == []
    many = [memory(1, pid=pid) for pid in range(2, 50)]
    assert [one.pid for one in worth_a_look([*many, memory(900, pid=1)])] == [1]
    assert [one.pid for one in worth_a_look([memory(40, pid=1), memory(60, pid=2)])] == [2, 1]
    assert len(worth_a_look(many)) == 1


@given(st.lists(st.tuples(st.floats(0.0001, 0.2), st.integers(1, 1 << 40)), min_size=10, max_size=60))
def test_looks_stay_within_their_budget_after_the_first(rounds: list[tuple[float, int]]) -> None:
    times, now_s = LookTimes(), 0.0
    for cost_s, footprint in rounds:
        now_s += 0.02
        if times.is_due(now_s, footprint):
            unseen = footprint >= UNSEEN_GROWTH * times.last_footprint
            share = UNSEEN_BUDGET_SHARE if unseen else BUDGET_SHARE
            assert times.count < len(FREE_LOOKS_S) or times.spent_s + times.last_cost_s <= share * now_s
            times.took(now_s, cost_s, footprint)
        now_s += cost_s


def test_a_short_program_that_grows_is_seen_again() -> None:
    times = LookTimes()
    times.took(0.02, 0.0005, 10 * MIB)
    times.took(0.10, 0.0005, 10 * MIB)
    assert times.is_due(0.25, 1024 * MIB), "10 ms are within a twentieth"
    assert not times.is_due(0.25, 4096 * MIB), "40 ms are not yet"
    assert times.is_due(1.0, 4096 * MIB)


def test_what_ended_before_it_could_be_looked_at_was_not_seen(monkeypatch: pytest.MonkeyPatch) -> None:
    def gone(*_: object) -> tuple[ProcessMemory, HugeMemory]:
        raise GoneError("ended")

    watch = Watch(KernelFs(), ProcessTree(KernelFs()), 0, clock=lambda: 0.2)
    monkeypatch.setattr("advisor.trial.watch.look_at", gone)
    for _ in range(3):
        watch._look_if_due([memory(100)])
    assert (watch._looks.count, watch._looks.last_footprint) == (3, 0), (
        "looked for again as soon as it is there again"
    )


def test_looks_come_at_doubling_times_and_after_growth() -> None:
    times = LookTimes()
    taken = []
    for tick in range(1, 500):
        if times.is_due(tick * 0.02, 1000):
            times.took(tick * 0.02, 1e-6, 1000)
            taken.append(round(tick * 0.02, 2))
    assert taken == [0.02, 0.1, 0.2, 0.4, 0.8, 1.6, 3.2, 6.4]
    assert not times.is_due(10.0, 1249)
    assert times.is_due(10.0, 1250)


def test_status_says_how_large_a_process_is(tmp_path: Path) -> None:
    proc = FakeProc(tmp_path)
    proc.add(7)
    (proc.folder(7) / "status").write_text(
        "Name:\tx\nUid:\t0\t0\t0\t0\nVmRSS:\t 9 kB\nRssAnon:\t 4 kB\nRssFile:\t 3 kB\nRssShmem:\t 2 kB\n"
        "HugetlbPages:\t 2048 kB\n"
    )
    fs = KernelFs(str(proc.procfs), str(proc.sysfs))
    assert read_memory(fs, 7) == ProcessMemory(7, 4 << 10, 2 << 10, 3 << 10, 2 << 20)
    (proc.folder(7) / "status").write_text("Name:\tzombie\nUid:\t0\t0\t0\t0\n")
    assert read_memory(fs, 7) is None
    assert read_memory(fs, 8) is None


def test_pool_pages_that_came_after_status_are_told_by_size(tmp_path: Path) -> None:
    proc = FakeProc(tmp_path)
    proc.add(7)
    pool = mapping(0x7F1000000000, 4096, Private_Hugetlb=4096, KernelPageSize=2048)
    (proc.folder(7) / "smaps").write_text(pool)
    (proc.folder(7) / "smaps_rollup").write_text(mapping(0x7F1000000000, 4096, Private_Hugetlb=4096))
    fs = KernelFs(str(proc.procfs), str(proc.sysfs))
    held, huge = look_at(fs, memory(1, pid=7), SmapsParser())
    assert (held.footprint, huge.hugetlb(SIZE_2M)) == (4 * MIB, 4 * MIB), "all by the same reading"


def test_smaps_says_what_is_huge_by_page_size(tmp_path: Path) -> None:
    proc = FakeProc(tmp_path)
    proc.add(7)
    text = mapping(0x7F0000000000, 4096, Rss=4096, Anonymous=4096, AnonHugePages=2048)
    text += mapping(0x7F1000000000, 4096, Private_Hugetlb=4096, KernelPageSize=2048)
    text += mapping(0x7F2000000000, 1 << 20, Shared_Hugetlb=1 << 20, KernelPageSize=1 << 20)
    (proc.folder(7) / "smaps").write_text(text)
    fs = KernelFs(str(proc.procfs), str(proc.sysfs))
    held, huge = look_at(fs, memory(pid=7, hugetlb=1028), SmapsParser())
    assert held == memory(4, pid=7, hugetlb=1028), "by the same reading, whatever status said before"
    assert huge == HugeMemory(SIZE_2M, 0, {SIZE_2M: 4 << 20}, {SIZE_1G: 1 << 30})
    assert look_at(fs, memory(4, pid=7), SmapsParser())[1].thp == SIZE_2M, "without smaps_rollup smaps is read"
    (proc.folder(7) / "smaps_rollup").write_text("")
    with pytest.raises(GoneError):
        look_at(fs, memory(4, pid=7), SmapsParser())
