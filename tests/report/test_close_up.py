"""One process from near: its map adds up to its memory, whatever is summed; its history tells what samples say."""

from __future__ import annotations

from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from advisor.advise import advise, see
from advisor.collect.options import SamplerOptions
from advisor.collect.sampler import Sampler
from advisor.collect.session import make_header
from advisor.features import FEATURES
from advisor.procfs.facts import Stat, Status
from advisor.procfs.fs import KernelFs
from advisor.profile.codec import load_profile
from advisor.profile.model import Mapping, ProcessRecord, Profile, Skipped
from advisor.profile.pages import FolioCounts, FolioScan, FolioSize, FolioVma
from advisor.profile.timeline import ProcessState, fold_samples
from advisor.report.build_close_up import NOT_YET, build_close_up
from advisor.report.build_history import build_history, huge_coverage
from advisor.report.build_vmas import build_vmas
from advisor.report.close_up import CloseUp, CloseUpVma
from advisor.units import MIB
from tests.fake_proc import FakeProc, mapping
from tests.procfs.test_smaps import entry

SAMPLES = Path(__file__).resolve().parents[2] / "sample_profiles"
PMD = 2 << 20
FIELDS = ("Rss", "Anonymous", "AnonHugePages", "ShmemPmdMapped", "FilePmdMapped", "Shared_Hugetlb", "Private_Hugetlb")
FIELDS = (*FIELDS, "Swap")
SUMMED = ("size", "rss", "anon_huge", "file_huge", "hugetlb", "swap")


def profile_of(proc: FakeProc, ticks: int = 1) -> Profile:
    sampler = Sampler(KernelFs(str(proc.procfs), str(proc.sysfs)), SamplerOptions())
    return Profile(make_header(sampler, redacted=True), [sampler.tick() for _ in range(ticks)])


def close_up_of(profile: Profile, pid: int) -> CloseUp:
    seen = see(profile)
    place = next(n for n, one in enumerate(seen.observed.processes) if one.pid == pid)
    process = seen.observed.processes[place]
    return build_close_up(
        process,
        seen.frame.row(place, named=True),
        build_history(profile, process.identity),
        last_t_s=seen.observed.timeline.last_t_s,
        skipped=profile.samples[-1].skipped,
    )


def a_mapping(
    start: int | None,
    size: int,
    count: int = 1,
    *,
    kind: str = "anon",
    name: str = "",
    values: list[int] | None = None,
) -> Mapping:
    filled = values or [size, size, 0, 0, 0, 0, 0, 0]
    return Mapping(kind, count, start, size, 4096, "", 1, False, True, False, None, name, None, filled)


def state_of(*maps: Mapping, folios: FolioScan | None = None) -> ProcessState:
    return ProcessState(7, 70, 0.0, maps=list(maps), maps_t_s=0.0, smaps_fields=FIELDS, folios=folios)


def map_of(*maps: Mapping, folios: FolioScan | None = None) -> list[CloseUpVma]:
    return build_vmas(state_of(*maps, folios=folios)) or []


def total(vmas: list[CloseUpVma], name: str) -> int:
    return sum(getattr(vma, f"{name}_bytes") or 0 for vma in vmas)


def test_the_map_of_a_process_adds_up_to_its_memory_in_the_report(tmp_path: Path) -> None:
    proc = FakeProc(tmp_path)
    proc.add(10)
    text = mapping(0x7F0000000000, 65536, Rss=40960, Anonymous=40960, AnonHugePages=20480, Swap=12)
    text += entry(0x7F1000000000, 8192, "rw-s 00000000 00:01 9                          /memfd:x", Rss=4096)
    text += entry(0x7F2000000000, 64, "r-xp 00000000 00:01 9                          /lib/a.so", Rss=64)
    text += entry(0x7F3000000000, 64, "r-xp 00000000 00:01 9                          /lib/b.so", Rss=32)
    (proc.folder(10) / "smaps").write_text(text)
    profile = profile_of(proc)
    (process,) = advise(profile).processes
    vmas = close_up_of(profile, 10).vmas
    assert vmas is not None
    assert [(vma.start, vma.kind, vma.name, vma.vmas) for vma in vmas] == [
        (0x7F0000000000, "anon", "", 1),
        (0x7F1000000000, "shmem", "/memfd:x", 1),
        (None, "file", "", 2),
    ]
    for name in ("rss", "anon_huge", "hugetlb", "swap"):
        assert total(vmas, name) == (getattr(process.memory, f"{name}_bytes") or 0), name
    assert vmas[0].base_bytes == 20 * MIB
    assert total(vmas, "base") + total(vmas, "anon_huge") == process.memory.rss_bytes


@pytest.mark.parametrize("path", sorted(SAMPLES.glob("*.zst")), ids=lambda path: path.name)
def test_maps_and_coverage_of_real_programs_are_those_of_the_feature_table(path: Path) -> None:
    profile = load_profile(path)
    for position in (1, len(profile.samples)):
        so_far = replace(profile, samples=profile.samples[:position])
        seen = see(so_far)
        for process, row in zip(seen.observed.processes, seen.frame.iter_rows(named=True), strict=True):
            assert huge_coverage(process) == row["huge_coverage"]
            vmas = build_vmas(process)
            if vmas is None or row["memory_source"] != "maps":
                continue
            assert total(vmas, "rss") == row["rss_bytes"]
            assert total(vmas, "anon_huge") == row["anon_huge_bytes"]
            assert total(vmas, "file_huge") == row["shmem_huge_bytes"] + row["file_huge_bytes"]
            assert total(vmas, "hugetlb") == row["hugetlb_bytes"]
            assert sum(vma.vmas for vma in vmas) == row["vma_count"]


processes = st.tuples(
    st.tuples(*[st.none() | st.integers(0, 5)] * 3),
    st.none() | st.dictionaries(st.sampled_from(FIELDS), st.integers(0, 5)),
    st.none() | st.lists(st.tuples(st.sampled_from(("anon", "shmem", "hugetlb", "file")), st.integers(0, 3))),
    st.booleans(),
)
"""What status, smaps_rollup and smaps say, and whether the last was read last."""


@settings(deadline=None, max_examples=30)
@example([((None, None, 0), {"Anonymous": 3}, [], False)], {"AnonHugePages"})
@given(st.lists(processes, min_size=1, max_size=20), st.sets(st.sampled_from(FIELDS[2:]), max_size=2))
def test_coverage_is_that_of_the_feature_table_whatever_was_read(described: list[Any], lacks: set[str]) -> None:
    fields = [name for name in FIELDS if name not in lacks]
    earlier, later = [], []
    for pid, ((anon, shmem, hugetlb), rollup, maps, maps_are_newer) in enumerate(described, 1):
        said = Status("x", rss_anon_bytes=anon, rss_shmem_bytes=shmem, hugetlb_bytes=hugetlb)
        made = [a_mapping(None, 9, kind=kind, values=[2 * n + 1, *[n] * (len(fields) - 1)]) for kind, n in maps or ()]
        walks = [
            ProcessRecord(pid, 70, status=said, maps=None if maps is None else made),
            ProcessRecord(pid, 70, rollup=rollup),
        ]
        earlier.append(walks.pop(maps_are_newer))
        later.append(walks.pop())
    profile = load_profile(SAMPLES / "idle.jsonl.zst")
    samples = [
        replace(profile.samples[0], t_s=t_s, smaps_fields=fields, processes=records, gone=[], skipped=[])
        for t_s, records in ((0.0, earlier), (1.0, later))
    ]
    seen = see(replace(profile, samples=samples))
    assert [huge_coverage(one) for one in seen.observed.processes] == seen.frame["huge_coverage"].to_list()


sizes = st.integers(1, 1 << 40)
maps_of_many = st.lists(
    st.tuples(st.booleans(), sizes, st.integers(1, 50), st.lists(st.integers(0, 1 << 40), min_size=8, max_size=8)),
    max_size=120,
)


@given(maps_of_many, st.integers(16, 60))
def test_summing_small_mappings_loses_nothing(described: list[tuple[bool, int, int, list[int]]], most: int) -> None:
    made = [
        a_mapping(n << 41, size, values=values)
        if is_single
        else a_mapping(None, size, count, kind=("anon", "file", "shmem")[n % 3], values=values)
        for n, (is_single, size, count, values) in enumerate(described)
    ]
    vmas = build_vmas(state_of(*reversed(made)), most)
    everything = build_vmas(state_of(*made), 10**6)
    assert vmas is not None and everything is not None
    assert len(vmas) <= most
    assert sum(vma.vmas for vma in vmas) == sum(one.count for one in made)
    for name in (*SUMMED, "base"):
        assert total(vmas, name) == total(everything, name)
    starts = [vma.start for vma in vmas if vma.start is not None]
    assert starts == sorted(set(starts))
    assert all(one.start is not None or two.start is None for one, two in pairwise(vmas))
    singles = [vma for vma in everything if vma.start is not None]
    if singles:
        largest = max(singles, key=lambda vma: vma.rss_bytes + (vma.hugetlb_bytes or 0) + (vma.swap_bytes or 0))
        assert any(vma.rss_bytes >= largest.rss_bytes for vma in vmas)


def test_the_largest_keep_a_place_of_their_own() -> None:
    small = [a_mapping(n * PMD * 4, PMD) for n in range(1000)]
    large = a_mapping(500 * PMD * 4, 3 * PMD, name="[anon:heap]")
    vmas = map_of(*small[:500], large, *small[501:])
    assert len(vmas) <= 200
    assert [vma.vmas for vma in vmas if vma.name] == [1]
    assert sum(vma.vmas for vma in vmas) == 1000
    assert {vma.kind for vma in vmas} == {"anon"}


def folios(*vmas: FolioVma, whole: int, complete: bool = True) -> FolioScan:
    total = FolioCounts(0, 0, 0, 0, [FolioSize(65536, whole, 0, whole, 0, 0, 0)])
    return FolioScan(4096, total, list(vmas), complete, 0.1, 0.1)


def folio_vma(start: int, whole: int) -> FolioVma:
    return FolioVma(start, 4 * PMD, FolioCounts(0, 0, 0, 0, [FolioSize(65536, whole, 0, whole, 0, 0, 0)]))


def test_mthp_is_told_where_it_is_known_and_only_there() -> None:
    maps = a_mapping(PMD, 4 * PMD), a_mapping(9 * PMD, PMD), a_mapping(None, PMD, 30)
    unlooked = map_of(*maps)
    assert [vma.mthp_bytes for vma in unlooked] == [None, None, None]
    assert [vma.base_bytes for vma in unlooked] == [4 * PMD, PMD, PMD]
    all_told = map_of(*maps, folios=folios(folio_vma(PMD, MIB), whole=MIB))
    assert [vma.mthp_bytes for vma in all_told] == [MIB, 0, 0]
    assert all_told[0].base_bytes == 4 * PMD - MIB
    more_elsewhere = map_of(*maps, folios=folios(folio_vma(PMD, MIB), whole=2 * MIB))
    assert [vma.mthp_bytes for vma in more_elsewhere] == [MIB, None, None]
    cut_short = map_of(*maps, folios=folios(folio_vma(PMD, MIB), whole=MIB, complete=False))
    assert [vma.mthp_bytes for vma in cut_short] == [MIB, None, None]
    outgrown = map_of(maps[0], folios=folios(folio_vma(PMD, 64 * PMD), whole=64 * PMD))
    assert (outgrown[0].mthp_bytes, outgrown[0].base_bytes) == (4 * PMD, 0)


def test_what_a_kernel_does_not_print_is_unknown() -> None:
    old = ProcessState(7, 70, 0.0, maps=[a_mapping(PMD, PMD, values=[PMD])], maps_t_s=0.0, smaps_fields=("Rss",))
    (vma,) = build_vmas(old) or []
    assert (vma.base_bytes, vma.anon_huge_bytes, vma.file_huge_bytes, vma.swap_bytes) == (None, None, None, None)
    assert vma.hugetlb_bytes == 0
    pool = replace(old.maps[0], kind="hugetlb") if old.maps else None
    assert pool is not None
    old.maps = [pool]
    (vma,) = build_vmas(old) or []
    assert vma.hugetlb_bytes is None


def test_advice_and_eligibility_of_unlike_mappings_are_not_told() -> None:
    one, two = a_mapping(None, PMD, 3), replace(a_mapping(None, PMD, 4), advice="hg", eligible=0)
    (vma,) = map_of(one, two)
    assert (vma.vmas, vma.advice, vma.thp_eligible) == (7, None, None)
    (vma,) = map_of(two, replace(two, writable=False))
    assert (vma.vmas, vma.advice, vma.thp_eligible) == (8, "hugepage", False)


def test_a_map_that_was_not_read_says_why() -> None:
    row = dict.fromkeys(FEATURES)
    unread = ProcessState(7, 70, 0.0)
    assert build_close_up(unread, row, [], last_t_s=1.0).vmas_missing == NOT_YET
    denied = ProcessState(7, 70, 0.0, problems={"smaps": "denied"})
    assert "as root" in (build_close_up(denied, row, [], last_t_s=1.0).vmas_missing or "")
    skipped = [Skipped(7, "x", "walk-too-long")]
    close_up = build_close_up(unread, row, [], last_t_s=1.0, skipped=skipped)
    assert close_up.vmas is None and close_up.vmas_age_s is None
    assert "for seconds" in (close_up.vmas_missing or "")


def test_every_declared_feature_is_there_with_unit_and_meaning() -> None:
    profile = load_profile(SAMPLES / "numpy-gather.jsonl.zst")
    seen = see(profile)
    pid = seen.observed.processes[-1].pid
    features = close_up_of(profile, pid).features
    assert [one.name for one in features] == list(FEATURES)
    assert all(one.meaning and one.unit and one.null_meaning for one in features)
    values = {one.name: one.value for one in features}
    assert values["rss_bytes"] == seen.frame["rss_bytes"][-1]


def test_a_history_has_a_moment_for_each_sample_and_rates_from_the_second_on() -> None:
    profile = load_profile(SAMPLES / "malloc-churn-always.jsonl.zst")
    timeline = fold_samples(profile)
    busiest = max(timeline.processes.values(), key=lambda one: one.stat.minor_faults if one.stat else 0)
    moments = build_history(profile, busiest.identity)
    assert [moment.t_s for moment in moments] == [sample.t_s for sample in profile.samples]
    assert (moments[0].minor_faults_per_s, moments[0].cpu_cores) == (None, None)
    assert all((moment.cpu_cores or 0) > 0.5 for moment in moments[1:])
    first, last = busiest.first_stat, busiest.stat
    assert first is not None and last is not None
    faults = sum((two.minor_faults_per_s or 0) * (two.t_s - one.t_s) for one, two in pairwise(moments))
    assert faults == pytest.approx(last.minor_faults - first.minor_faults)
    assert moments[-1].huge_coverage == see(profile).frame.filter(pid=busiest.pid)["huge_coverage"][0]
    known = {moment.t_s: moment.huge_coverage for moment in moments}
    assert build_history(profile, busiest.identity, known) == moments


def stats(faults: list[int | None]) -> Profile:
    """Process 7 with so many faults at each second; None: it hung."""
    profile = load_profile(SAMPLES / "idle.jsonl.zst")
    stat = Stat("x", "R", 1, 0, 0, 0, 0, 0, 0, 70, 1 << 20, 1)
    samples = [
        replace(
            profile.samples[0],
            t_s=float(n),
            processes=[] if count is None else [ProcessRecord(7, 70, stat=replace(stat, minor_faults=count))],
            gone=[],
            skipped=[Skipped(7, "x", "hung")] if count is None else [],
        )
        for n, count in enumerate(faults)
    ]
    return replace(profile, samples=samples)


def test_a_sample_that_missed_the_process_is_a_gap_and_the_rate_behind_it_spans_it() -> None:
    moments = build_history(stats([10, None, 30, 30]), (7, 70))
    assert [moment.minor_faults_per_s for moment in moments] == [None, None, 10.0, 0.0]
    assert [moment.rss_bytes for moment in moments] == [4096, None, 4096, 4096]


def test_a_long_history_is_thinned_evenly_and_keeps_its_ends() -> None:
    profile = stats([n * n for n in range(1000)])
    moments = build_history(profile, (7, 70), most=11)
    assert len(moments) == 11
    assert (moments[0].t_s, moments[-1].t_s) == (0.0, 999.0)
    covered = sum((two.minor_faults_per_s or 0) * (two.t_s - one.t_s) for one, two in pairwise(moments))
    assert covered == pytest.approx(999 * 999)
    assert len(build_history(profile, (7, 70), most=2)) == 2
    assert build_history(profile, (7, 71)) == []
