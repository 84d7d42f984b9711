"""The decision for one process: what wins, what is forbidden, what is not known."""

from __future__ import annotations

import pytest

from advisor.recommendation import Recommendation, recommend
from advisor.units import GIB, MIB
from tests.recommendation.planted_rows import program
from tests.rules.application_examples import REDIS as REDIS_ROW
from tests.rules.rows import HOST, PMD, Values, frame

BIG = {"anon_bytes": 4 * GIB, "slotted_anon_bytes": 4 * GIB, "slot_bytes": 4 * GIB}

REDIS = {name: value for name, value in REDIS_ROW.items() if name.startswith("application_")}


def advice_for(row: Values) -> Recommendation:
    return recommend(frame(row))[0][0].recommendation


def guest(**values: object) -> Values:
    size = values.pop("size", 8 * GIB)
    return program(
        7,
        name="qemu-system-x86",
        executable="qemu-system-x86_64",
        application_id="qemu",
        is_vmm=True,
        guest_ram_bytes=size,
        anon_bytes=size,
        slotted_anon_bytes=size,
        slot_bytes=size,
        host_memory_total_bytes=64 * GIB,
        host_memory_available_bytes=40 * GIB,
        **values,
    )


def test_a_guest_on_base_pages_gets_a_pool_for_its_whole_ram() -> None:
    one = advice_for(guest(memory_to_pmd_reach=1.0, tlb_reach_pmd_bytes=16 * GIB))
    assert (one.policy, one.page_bytes, one.pages, one.pages_basis) == ("hugetlb", PMD, 4096, "the guest's RAM")
    assert "thp" in [alternative.policy for alternative in one.alternatives]
    assert "qemu-qemu-system-x86-64-7" in one.artefacts


def test_a_guest_beyond_the_reach_of_pmd_pages_gets_gigantic_ones() -> None:
    one = advice_for(guest(size=16 * GIB, host_gigantic_supply_pages=0))
    assert (one.policy, one.page_bytes, one.pages) == ("hugetlb", GIB, 16)
    assert one.alternatives[0].policy == "hugetlb"
    assert one.alternatives[0].page_bytes == PMD
    assert (one.alternatives[0].pages, one.alternatives[0].bloat_bytes) == (8192, 0)
    assert one.artefacts[0] == "pool-command-line"


def test_a_guest_on_a_tight_host_gets_thp_because_no_pool_can_be_set_aside() -> None:
    one = advice_for({**guest(), "host_memory_available_share": 0.05})
    assert one.policy == "thp"
    barred = [alternative for alternative in one.alternatives if alternative.policy == "hugetlb"]
    assert barred
    assert all(alternative.why_not.startswith("no-memory-for-a-pool: ") for alternative in barred)


def test_page_sizes_are_those_of_the_host() -> None:
    arm = {"host_pmd_bytes": 512 * MIB, "host_base_page_bytes": 64 * 1024, "host_pool_gigantic_page_bytes": 16 * GIB}
    assert advice_for(program(1, **BIG, **arm)).page_bytes == 512 * MIB


def test_nothing_but_counters_known_means_leave_with_what_would_tell() -> None:
    counters = {
        **HOST,
        "pid": 1,
        "start_ticks": 1,
        "rss_bytes": 4 * GIB,
        "resident_memory_bytes": 4 * GIB,
        "anon_bytes": 4 * GIB,
        "shmem_rss_bytes": 0,
        "hugetlb_bytes": 0,
    }
    one = advice_for(counters)
    assert (one.policy, one.confidence) == ("leave", "low")
    assert one.reasons[0].status == "cannot-tell"
    assert "slotted_anon_bytes" in one.reasons[0].evidence
    assert "slotted_anon_bytes" in one.reasons[0].message
    assert "no-smaps-access" in [reason.rule for reason in one.reasons]


def test_nothing_known_at_all_is_no_error() -> None:
    one = advice_for({"pid": 1, "start_ticks": 1})
    assert (one.policy, one.page_bytes, one.pages, one.bloat_bytes) == ("leave", None, None, None)
    assert one.confidence == "low"


def test_nothing_proposed_is_said_to_be_so() -> None:
    calm = {"minor_faults_per_s": 10.0, "rss_growth_bytes_per_s": 0.0, "cpu_cores": 1.0, "children_cores": 0.0}
    memory = {"anon_bytes": 300 * MIB, "unslotted_anon_bytes": 100 * MIB, "slotted_anon_bytes": 100 * MIB}
    one = advice_for(program(1, **memory, **calm))
    assert (one.policy, one.confidence) == ("leave", "medium")
    assert one.reasons[0].rule == "no-rule-proposes"
    assert one.reasons[0].message == "No rule proposes a change."


def test_a_rule_that_cannot_tell_and_might_forbid_lowers_confidence() -> None:
    sure = advice_for(program(1, **BIG))
    unsure = advice_for(program(1, **BIG, thp_disabled_by_process=None))
    assert (sure.policy, sure.confidence) == ("thp", "high")
    assert (unsure.policy, unsure.confidence) == ("thp", "medium")
    assert [reason.rule for reason in unsure.reasons if reason.status == "cannot-tell"] == ["thp-disabled-by-process"]


def test_an_idle_process_is_left_with_thp_as_alternative() -> None:
    one = advice_for(program(1, **BIG, cpu_cores=0.0))
    assert (one.policy, one.confidence) == ("leave", "low")
    assert one.reasons[0].rule == "cpu-idle-process"
    assert one.alternatives[0].policy == "thp"
    assert one.alternatives[0].why_not == "less is at stake for large-anon-not-advised than for cpu-idle-process"


def test_an_application_that_avoids_thp_is_not_talked_into_it() -> None:
    one = advice_for(program(1, **BIG, **REDIS, allocator="jemalloc"))
    assert one.policy == "leave"
    assert one.reasons[0].rule == "application-avoids-thp"
    assert one.reasons[0].sources[0] == REDIS["application_source"]


def test_a_jvm_gets_its_own_flag_and_the_pool_as_alternative() -> None:
    one = advice_for(program(9, **BIG, application_id="java", runtime="jvm", executable="java"))
    assert one.policy == "thp"
    assert [alternative.policy for alternative in one.alternatives] == ["hugetlb"]
    assert len(one.artefacts) == 1
    assert one.artefacts[0].startswith("jvm")


def test_sparse_memory_of_a_service_under_always_gets_a_drop_in() -> None:
    row = program(
        5,
        anon_bytes=300 * MIB,
        slotted_anon_bytes=290 * MIB,
        huge_page_growth_bytes=6 * GIB,
        host_thp_enabled="always",
        cgroup="/system.slice/indexer.service",
        host_systemd_version=260,
    )
    advice, plan = recommend(frame(row))
    one = advice[0].recommendation
    assert one.policy == "thp-off"
    assert one.artefacts == ["thp-indexer.service"]
    assert plan.thp.khugepaged == {}, "khugepaged passes over a process that is switched off"


@pytest.mark.parametrize("program_name", ["", "\x1b[2J", None])
def test_a_program_whose_name_cannot_be_shown_gets_advice_without_text(program_name: str | None) -> None:
    row = program(1, **BIG)
    one = advice_for({**row, "executable": program_name, "name": program_name})
    assert (one.policy, one.artefacts) == ("thp", [])


def test_more_cpu_puts_more_at_stake_up_to_one_cpu() -> None:
    rows = [program(pid, **BIG, cpu_cores=cpu) for pid, cpu in enumerate((0.0, 0.5, 1.0, 2.0, None), start=1)]
    stakes = [one.at_stake_bytes for one in recommend(frame(*rows))[0]]
    assert stakes == [4 * GIB // 100, 2 * GIB, 4 * GIB, 4 * GIB, 4 * GIB]
