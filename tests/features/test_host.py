from __future__ import annotations

from typing import Any

import pytest

from advisor.features import feature_table
from advisor.features.host_thp import effective_enabled, effective_shmem_enabled, is_mthp_enabled
from advisor.procfs.facts import BuddyZone, Cpu, HugetlbPool, Pressure, PressureLine, ThpSize
from advisor.profile.model import HostState, Sample
from advisor.units import GIB, KIB, MIB
from tests.features.factory import BASE_PAGE, PMD, host_state, mapping, process, profile, sample, thp


def row(*hosts: HostState, maps: list[Any] | None = None, **facts: Any) -> dict[str, Any]:
    """The row of one process; the hosts are sampled every 10 s."""
    records = [process(maps=maps)]
    samples: list[Sample] = []
    for number, host in enumerate(hosts):
        samples.append(sample(*records, t_s=10.0 * number, host=host))
    return feature_table(profile(*samples, **facts)).row(0, named=True)


def test_memory_of_the_host_is_that_of_meminfo() -> None:
    meminfo = {"MemTotal": 8 * GIB, "MemAvailable": 2 * GIB, "SwapTotal": GIB, "SwapFree": MIB, "AnonHugePages": PMD}
    found = row(host_state(meminfo=meminfo))
    expected = {
        "host_memory_total_bytes": 8 * GIB,
        "host_memory_available_share": 0.25,
        "host_swap_used_bytes": GIB - MIB,
        "host_huge_anon_total_bytes": PMD,
        "host_base_page_bytes": BASE_PAGE,
        "host_numa_nodes": 1,
        "host_privileged": True,
        "host_samples": 1,
        "host_duration_s": 0.0,
    }
    assert {name: found[name] for name in expected} == expected


def test_what_a_host_does_not_say_is_null_and_never_0() -> None:
    found = row(HostState(), base_page_bytes=None, nodes=None)
    for name, value in found.items():
        if name.startswith("host_") and name not in (
            "host_privileged",
            "host_processes",
            "host_samples",
            "host_duration_s",
        ):
            assert value is None, name


@pytest.mark.parametrize(
    ("own", "top", "mode"),
    [
        ("inherit", "madvise", "madvise"),
        (None, "never", "never"),
        ("always", "never", "always"),
        ("never", "always", "never"),
    ],
)
def test_the_switch_of_the_pmd_size_decides_unless_it_inherits(own: str | None, top: str, mode: str) -> None:
    assert effective_enabled(thp(enabled=top, sizes=[ThpSize(64 * KIB, "madvise"), ThpSize(PMD, own)])) == mode


@pytest.mark.parametrize(
    ("own", "top", "mode"),
    [
        ("inherit", "within_size", "within_size"),
        (None, "advise", "advise"),
        ("always", "never", "always"),
        ("always", "deny", "deny"),
        ("inherit", "force", "force"),
        ("always", "force", "never"),
    ],
)
def test_deny_and_force_at_the_top_overrule_the_shmem_switch_of_a_size(own: str | None, top: str, mode: str) -> None:
    assert effective_shmem_enabled(thp(shmem_enabled=top, sizes=[ThpSize(PMD, None, own)])) == mode


@pytest.mark.parametrize(
    ("top", "sizes", "enabled"),
    [
        ("always", [], False),
        ("always", [ThpSize(PMD, "always")], False),
        ("never", [ThpSize(64 * KIB, "madvise")], True),
        ("never", [ThpSize(64 * KIB, "inherit")], False),
        ("madvise", [ThpSize(64 * KIB, "inherit")], True),
        ("always", [ThpSize(64 * KIB, "never"), ThpSize(8 * KIB, None)], False),
    ],
)
def test_smaller_thp_sizes_are_on_by_their_own_switch_or_by_inheriting(
    top: str, sizes: list[ThpSize], enabled: bool
) -> None:
    assert is_mthp_enabled(thp(enabled=top, sizes=sizes)) is enabled


def test_rates_of_host_counters_need_two_samples() -> None:
    first = {
        "thp_fault_alloc": 100,
        "thp_fault_fallback": 100,
        "compact_stall": 5,
        "compact_success": 1,
        "compact_fail": 1,
    }
    last = {
        "thp_fault_alloc": 130,
        "thp_fault_fallback": 110,
        "compact_stall": 25,
        "compact_success": 2,
        "compact_fail": 4,
    }
    found = row(host_state(vmstat=first), host_state(vmstat=last))
    expected = {
        "host_thp_fault_alloc_per_s": 3.0,
        "host_thp_fault_fallback_per_s": 1.0,
        "host_thp_fault_fallback_share": 0.25,
        "host_thp_fault_fallback_share_since_boot": 110 / 240,
        "host_compact_stalls_per_s": 2.0,
        "host_compact_success_share": 0.25,
        "host_thp_splits_per_s": None,
    }
    assert {name: found[name] for name in expected} == expected
    once = row(host_state(vmstat=last))
    assert [once[name] for name in expected] == [None, None, None, 110 / 240, None, None, None]


def test_a_window_without_faults_has_no_fallback_share() -> None:
    quiet = host_state(vmstat={"thp_fault_alloc": 7, "thp_fault_fallback": 0})
    found = row(quiet, quiet)
    assert (found["host_thp_fault_alloc_per_s"], found["host_thp_fault_fallback_share"]) == (0.0, None)
    assert found["host_thp_fault_fallback_share_since_boot"] == 0.0


def test_a_counter_that_went_backwards_gives_no_rate() -> None:
    found = row(host_state(vmstat={"compact_stall": 9}), host_state(vmstat={"compact_stall": 2}))
    assert found["host_compact_stalls_per_s"] is None


def test_splits_are_found_under_the_name_that_old_kernels_used() -> None:
    found = row(host_state(vmstat={"thp_split": 0}), host_state(vmstat={"thp_split": 20}))
    assert found["host_thp_splits_per_s"] == 2.0


def test_pressure_is_read_as_an_average_and_as_a_rate() -> None:
    def pressed(total_us: int) -> HostState:
        return host_state(pressure={"memory": Pressure(PressureLine(1.5, 0, 0, total_us))})

    found = row(pressed(1_000_000), pressed(3_000_000))
    assert (found["host_memory_pressure_some_avg10"], found["host_memory_pressure_some_rate"]) == (1.5, 0.2)


def test_khugepaged_is_measured_by_its_progress_and_by_how_far_it_can_get() -> None:
    settings = {"pages_to_scan": 4096, "scan_sleep_millisecs": 10_000, "max_ptes_none": 511}

    def scanned(pages: int, scans: int, ticks: int) -> HostState:
        counters = {"pages_collapsed": pages, "full_scans": scans}
        return host_state(thp=thp(khugepaged=settings | counters), khugepaged_ticks=ticks)

    maps = [mapping("anon", 16 * MIB, eligible=1), mapping("heap", 8 * MIB, eligible=0)]
    found = row(scanned(5, 1, 100), scanned(25, 2, 200), maps=maps)
    expected = {
        "host_khugepaged_collapsed_per_s": 2.0,
        "host_khugepaged_full_scans_per_s": 0.1,
        "host_khugepaged_cpu_share": 0.1,
        "host_khugepaged_pages_to_scan": 4096,
        "host_khugepaged_scan_sleep_ms": 10_000.0,
        "host_khugepaged_max_ptes_none": 511,
        "host_khugepaged_scan_bytes_per_s": 1.6 * MIB,
        "host_khugepaged_pass_s": 10.0,
        "host_collapsible_bytes": 0,
    }
    assert {name: found[name] for name in expected} == expected


def test_a_khugepaged_that_never_sleeps_has_no_rate_that_settings_bound() -> None:
    settings = {"pages_to_scan": 4096, "scan_sleep_millisecs": 0}
    found = row(host_state(thp=thp(khugepaged=settings)), maps=[mapping("anon", 4 * MIB, eligible=1)])
    assert (found["host_khugepaged_scan_bytes_per_s"], found["host_khugepaged_pass_s"]) == (None, None)


def test_contiguity_is_that_of_all_zones_at_the_order_of_the_pmd_page() -> None:
    zones = [BuddyZone(0, "DMA32", [512, *[0] * 10]), BuddyZone(0, "Normal", [*[0] * 9, 1, 1])]
    found = row(host_state(buddyinfo=zones))
    assert found["host_pmd_supply_pages"] == 3
    assert found["host_pmd_unusable_index"] == pytest.approx(0.25, abs=0.001)
    assert found["host_gigantic_supply_pages"] is None


def test_contiguity_follows_the_page_sizes_of_the_host() -> None:
    zones = [BuddyZone(0, "Normal", [*[0] * 13, 2])]
    found = row(host_state(buddyinfo=zones, thp=thp(pmd_bytes=512 * MIB)), base_page_bytes=64 * KIB)
    assert (found["host_pmd_supply_pages"], found["host_pmd_unusable_index"]) == (2, 0.0)


def test_pools_of_the_pmd_size_and_of_the_next_larger_one_are_told_apart() -> None:
    pools = [
        HugetlbPool(64 * KIB, None, 16, 16, 0, 0, 0),
        HugetlbPool(PMD, None, 100, 40, 7, 30, 9),
        HugetlbPool(PMD, 0, 100, 40, 7),
        HugetlbPool(GIB, None, 4, 3, 0, 1, 0),
        HugetlbPool(16 * GIB, None, 0, 0, 0, 0, 0),
    ]
    found = row(host_state(pools=pools))
    expected = {
        "host_pool_pmd_total": 100,
        "host_pool_pmd_free": 40,
        "host_pool_pmd_reserved": 30,
        "host_pool_pmd_surplus": 7,
        "host_pool_pmd_overcommit": 9,
        "host_pool_pmd_unused_pages": 10,
        "host_pool_gigantic_page_bytes": GIB,
        "host_pool_gigantic_total": 4,
        "host_pool_gigantic_free": 3,
        "host_pool_gigantic_reserved": 1,
        "host_pool_gigantic_unused_pages": 2,
        "host_pool_bytes": MIB + 100 * PMD + 4 * GIB,
        "host_pool_unused_bytes": MIB + 10 * PMD + 2 * GIB,
    }
    assert {name: found[name] for name in expected} == expected


def test_a_host_without_pools_has_no_pool_memory_but_an_unread_one_is_unknown() -> None:
    assert row(host_state(pools=[]))["host_pool_bytes"] == 0
    assert row(host_state())["host_pool_bytes"] is None
    assert row(host_state(pools=[HugetlbPool(PMD, None, 3, 3, 0)]))["host_pool_unused_bytes"] is None


@pytest.mark.parametrize(
    ("virtualization", "flag", "virtual"),
    [("kvm", None, True), ("none", True, False), (None, True, True), (None, False, False), (None, None, None)],
)
def test_a_guest_is_told_by_its_hypervisor_or_by_the_flag_of_its_cpu(
    virtualization: str | None, flag: bool | None, virtual: bool | None
) -> None:
    found = row(host_state(), virtualization=virtualization, cpu=Cpu(hypervisor_flag=flag))
    assert found["host_virtualized"] is virtual
