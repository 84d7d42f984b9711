"""The host plan: pools, THP switches, memory and page tables added up."""

from __future__ import annotations

from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from advisor.features import SCHEMA
from advisor.recommendation import Plan, recommend
from advisor.units import GIB, MIB
from tests.recommendation.planted_rows import TINY, program
from tests.rules.rows import PMD, Values, frame

BACKENDS = 300
BIG = {"anon_bytes": 4 * GIB, "slotted_anon_bytes": 4 * GIB, "slot_bytes": 4 * GIB}


def plan_of(*rows: Values) -> Plan:
    return recommend(frame(*rows))[1]


def backend(pid: int, **values: object) -> Values:
    """One of 300 PostgreSQL processes over 8 GiB, of which each has touched a quarter."""
    return program(
        pid,
        application_id="postgresql",
        executable="postgres",
        shmem_rss_bytes=2 * GIB,
        shmem_base_bytes=2 * GIB,
        shmem_mapped_bytes=8 * GIB,
        shared_object_bytes=8 * GIB,
        sharing_processes=BACKENDS,
        sharing_page_table_bytes=BACKENDS * 5 * MIB,
        sharing_leader=pid == 1,
        page_table_bytes=5 * MIB,
        cpu_cores=0.05,
        host_memory_total_bytes=64 * GIB,
        host_memory_available_bytes=40 * GIB,
        host_pool_pmd_total=0,
        **values,
    )


def test_shared_memory_of_many_processes_is_counted_once() -> None:
    advice, plan = recommend(frame(*(backend(pid) for pid in range(1, BACKENDS + 1))))
    assert {(one.recommendation.policy, one.recommendation.pages) for one in advice} == {("hugetlb", 4096)}
    (pool,) = plan.pools
    assert (pool.page_bytes, pool.pages, pool.when) == (PMD, 4096 + 32, "runtime"), "64 MiB of headroom at most"
    assert pool.for_pids == list(range(1, BACKENDS + 1))
    assert plan.memory.after.pool_bytes == 8 * GIB + 64 * MIB
    assert plan.memory.after.available_bytes == 40 * GIB - 8 * GIB - 64 * MIB + 2 * GIB
    assert any(artefact.id.startswith("postgresql") for artefact in plan.artefacts)


def test_what_moves_of_shared_memory_is_what_any_sharer_has_touched() -> None:
    """The leader is the lowest pid, in a server often the one that touched least."""
    idle = {**backend(1), "shmem_rss_bytes": 40 * MIB, "shmem_base_bytes": 40 * MIB}
    plan = plan_of(idle, *(backend(pid) for pid in range(2, BACKENDS + 1)))
    assert plan.memory.after.available_bytes == 40 * GIB - 8 * GIB - 64 * MIB + 2 * GIB


OTHERS = 16
"""Tables of a backend beside those of its 2 GiB: ten, and those of the 12 MiB that it has besides."""


def test_page_tables_shrink_by_those_of_what_moves_in_every_process() -> None:
    advice, plan = recommend(frame(*(backend(pid) for pid in range(1, BACKENDS + 1))))
    assert plan.page_table_bytes.before == BACKENDS * 5 * MIB
    after = plan.page_table_bytes.after
    assert after is not None
    assert after == BACKENDS * OTHERS * 4096
    assert {one.page_table_bytes_after for one in advice} == {after // BACKENDS}


def test_filled_memory_takes_one_table_for_each_range_and_keeps_the_rest() -> None:
    filled = {**backend(1), "page_table_bytes": 20 * MIB, "shared_object_bytes": 2 * GIB}
    plan = plan_of({**filled, "sharing_processes": 1, "shmem_mapped_bytes": 2 * GIB})
    assert plan.page_table_bytes.after == 20 * MIB - (2 * GIB // PMD + 1) * 4096


def test_a_process_without_advice_of_its_own_saves_with_those_whose_memory_it_shares() -> None:
    rows = [backend(1), {**backend(2), "application_id": None, "cpu_cores": 0.0}]
    advice, _ = recommend(frame(*rows))
    assert [one.page_table_bytes_after for one in advice] == [OTHERS * 4096] * 2


def test_page_tables_that_are_not_known_have_no_forecast() -> None:
    advice, plan = recommend(frame({**backend(1), "page_table_bytes": None}))
    assert (advice[0].page_table_bytes_after, plan.page_table_bytes.after) == (None, None)


def test_thp_saves_no_page_tables_because_the_kernel_keeps_a_spare_one() -> None:
    plan = plan_of(program(1, **BIG, page_table_bytes=8 * MIB))
    assert plan.page_table_bytes.before == plan.page_table_bytes.after == 8 * MIB


def test_a_pool_that_does_not_fit_is_not_advised_for_any_who_share_it() -> None:
    rows = [{**backend(pid), "host_memory_available_bytes": 9 * GIB} for pid in range(1, BACKENDS + 1)]
    advice, plan = recommend(frame(*rows))
    assert {one.recommendation.policy for one in advice} == {"thp"}
    assert (plan.pools, plan.thp.shmem_enabled) == ([], "within_size")
    why_not = {
        one.why_not for given in advice for one in given.recommendation.alternatives if one.policy == "hugetlb"
    }
    assert why_not == {"the host has no room for this pool beside those with more at stake"}


def test_new_pages_come_on_top_of_those_in_use() -> None:
    guest = program(
        2,
        is_vmm=True,
        application_id="qemu",
        guest_ram_bytes=4 * GIB,
        **BIG,
        tlb_reach_pmd_bytes=16 * GIB,
    )
    user = program(3, hugetlb_bytes=GIB, hugetlb_mapped_bytes=GIB, hugetlb_page_bytes=PMD)
    pool = {"host_pool_pmd_total": 600, "host_pool_pmd_unused_pages": 88, "host_pool_bytes": 600 * PMD}
    plan = plan_of({**guest, **pool}, {**user, **pool})
    assert [(one.pages, one.current_pages, one.for_pids) for one in plan.pools] == [(512 + 2048 + 20, 600, [2, 3])]
    assert plan.summary[2] == (
        "Pool of 2 MiB pages: 512 in use or reserved + 2048 for pid 2 + 20 headroom (1 % of the new pages, at most "
        "64 MiB) = 2580, today 600: +1980 pages = 3.9 GiB, at runtime."
    )
    assert plan.memory.after.available_bytes == 18 * GIB - 1980 * PMD + 4 * GIB


def test_a_pool_that_is_too_short_for_its_user_grows_to_what_is_mapped() -> None:
    row = program(3, hugetlb_bytes=512 * MIB, hugetlb_mapped_bytes=GIB, hugetlb_page_bytes=PMD)
    plan = plan_of({**row, "host_pool_pmd_total": 256, "host_pool_bytes": 512 * MIB})
    assert [(pool.pages, pool.current_pages) for pool in plan.pools] == [(512, 256)]
    assert {artefact.id for artefact in plan.artefacts} == {"pool-now-2048kB", "pool-boot-2048kB"}


def test_a_pool_with_many_unused_pages_shrinks_to_what_is_used() -> None:
    waste = {
        "host_pool_pmd_total": 1000,
        "host_pool_pmd_unused_pages": 900,
        "host_pool_bytes": 1000 * PMD,
        "host_pool_unused_bytes": 900 * PMD,
    }
    assert [(pool.pages, pool.when) for pool in plan_of({**TINY, **waste}).pools] == [(100, "runtime")]


def test_a_pool_with_few_unused_pages_keeps_its_headroom() -> None:
    little = {
        "host_pool_pmd_total": 1000,
        "host_pool_pmd_unused_pages": 100,
        "host_pool_bytes": 1000 * PMD,
        "host_pool_unused_bytes": 100 * PMD,
    }
    assert [pool.pages for pool in plan_of({**TINY, **little}).pools] == [1000]


def test_a_pool_on_a_fragmented_host_is_made_at_boot() -> None:
    rows = [backend(1, host_pmd_supply_pages=40, host_pmd_unusable_index=0.95)]
    assert [pool.when for pool in plan_of(*rows).pools] == ["boot"]


def test_a_pool_of_a_size_without_host_counts_is_what_processes_map() -> None:
    row = program(3, hugetlb_bytes=GIB, hugetlb_mapped_bytes=GIB, hugetlb_page_bytes=64 * 1024)
    pools = {pool.page_bytes: pool for pool in plan_of(row).pools}
    assert (pools[64 * 1024].pages, pools[64 * 1024].current_pages) == (16384, None)


def test_never_becomes_madvise_where_those_who_want_thp_can_ask() -> None:
    plan = plan_of(program(1, **BIG, host_thp_enabled="never", host_thp_defrag="never"), {**TINY})
    assert (plan.thp.enabled, plan.thp.defrag) == ("madvise", "madvise")
    assert plan.thp.changed == ["enabled", "defrag"]
    assert [artefact.id for artefact in plan.artefacts][:2] == ["thp-now", "thp-boot"]


def test_always_is_advised_only_where_nobody_else_would_grow_much() -> None:
    silent = program(1, **BIG, allocator="musl")
    quiet = program(2, anon_bytes=GIB, huge_page_growth_bytes=100 * MIB, cpu_cores=0.0)
    assert plan_of(silent, quiet).thp.enabled == "always"
    assert plan_of(silent, {**quiet, "huge_page_growth_bytes": 3 * GIB}).thp.enabled == "madvise"
    assert plan_of(silent, {**quiet, "huge_page_growth_bytes": None}).thp.enabled == "madvise"


def test_always_stays_where_it_serves() -> None:
    row = program(1, **{**BIG, "anon_huge_bytes": GIB}, host_thp_enabled="always")
    assert (plan_of(row).thp.enabled, plan_of(row).thp.changed) == ("always", [])


def test_a_starved_khugepaged_is_told_to_scan_more_and_an_eager_one_less() -> None:
    starved = plan_of({**TINY, "host_khugepaged_pass_s": 4 * 3600.0, "host_collapsible_bytes": GIB}).thp
    assert starved.khugepaged == {"pages_to_scan": 4 * 4096}
    eager = plan_of({**TINY, "host_khugepaged_cpu_share": 0.3, "host_khugepaged_scan_sleep_ms": 0.0}).thp
    assert eager.khugepaged == {"scan_sleep_millisecs": 10_000}


def test_stalls_under_always_lead_to_waiting_only_for_those_who_ask() -> None:
    plan = plan_of({**TINY, "host_thp_defrag": "always", "host_compact_stalls_per_s": 40.0})
    assert plan.thp.defrag == "defer+madvise"


def test_shmem_gets_its_own_switch() -> None:
    buffer = program(1, shmem_rss_bytes=2 * GIB, shmem_base_bytes=2 * GIB, shmem_mapped_bytes=2 * GIB)
    plan = plan_of(buffer)
    assert (plan.thp.enabled, plan.thp.shmem_enabled) == ("madvise", "within_size")
    assert plan.thp.changed == ["shmem_enabled"]


def test_no_process_means_an_empty_plan() -> None:
    advice, plan = recommend(frame())
    assert advice == []
    assert (plan.pools, plan.artefacts, plan.page_table_bytes.before) == ([], [], None)


PAGE_SIZES = {
    "host_base_page_bytes": (4096, 65536),
    "host_pmd_bytes": (PMD, 512 * MIB),
    "host_pool_gigantic_page_bytes": (GIB, 16 * GIB),
    "hugetlb_page_bytes": (PMD, GIB, 65536),
    "host_thp_enabled": ("always", "madvise", "never"),
    "host_thp_defrag": ("always", "defer", "defer+madvise", "madvise", "never"),
    "host_shmem_enabled": ("always", "within_size", "advise", "never", "deny", "force"),
    "application_id": ("postgresql", "java", "qemu", "redis"),
    "allocator": ("glibc", "jemalloc"),
    "runtime": ("jvm", "go"),
}


def possible(name: str, dtype: Any) -> st.SearchStrategy[Any]:
    """What a column can hold on some host, null included."""
    if name in ("pid", "start_ticks"):
        return st.integers(1, 1 << 22)
    if name in PAGE_SIZES:
        return st.none() | st.sampled_from(PAGE_SIZES[name])
    if dtype == SCHEMA["is_vmm"]:
        return st.none() | st.booleans()
    if dtype == SCHEMA["name"]:
        return st.none() | st.text(max_size=8)
    if dtype == SCHEMA["cpu_cores"]:
        return st.none() | st.floats(0, 1e9)
    return st.none() | st.integers(0, 1 << 50)


@settings(max_examples=25, deadline=None)
@given(st.lists(st.fixed_dictionaries({n: possible(n, t) for n, t in SCHEMA.items()}), max_size=3))
def test_every_possible_frame_gets_advice_and_a_plan(rows: list[dict[str, Any]]) -> None:
    advice, plan = recommend(frame(*rows))
    assert [one.pid for one in advice] == [row["pid"] for row in rows]
    ids = {artefact.id for artefact in plan.artefacts}
    for one in advice:
        assert set(one.recommendation.artefacts) <= ids
        assert one.recommendation.reasons
    assert all(pool.pages >= 0 for pool in plan.pools)
