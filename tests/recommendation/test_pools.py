"""Pools by size and node: every page has its reason, sums add up, limits and risks are found with their numbers."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from advisor.procfs.facts import CgroupHugetlb, HugetlbPool
from advisor.profile.model import HostState
from advisor.recommendation import Plan, Wish, Wishes, recommend
from advisor.rules import Policy
from advisor.units import GIB, MIB
from tests.recommendation.planted_rows import program
from tests.rules.rows import PMD, Values, frame

POOL = Wish(Policy.HUGETLB)


def guest(pid: int, size: int = 4 * GIB, **values: object) -> Values:
    return program(
        pid, **{"application_id": "qemu", "is_vmm": True, "guest_ram_bytes": size, "anon_bytes": size, "name": "qemu",
                "slotted_anon_bytes": size, "slot_bytes": size, "host_memory_total_bytes": 64 * GIB,
                "host_memory_available_bytes": 50 * GIB, "swap_bytes": 0, **values},
    )  # fmt: skip


def two_nodes(
    pools: Sequence[HugetlbPool] = (), available: tuple[int, int] = (20 * GIB, 20 * GIB), **sections: Any
) -> HostState:
    meminfo = {
        node: {"MemTotal": 32 * GIB, "MemFree": size, "Active(file)": 0, "Inactive(file)": 0, "SReclaimable": 0}
        for node, size in enumerate(available)
    }
    return HostState(node_meminfo=meminfo, pools=list(pools) or pool(0, 0, 0, 0), **sections)


def pool(
    total: int, free: int, first: int, first_free: int, reserved: int = 0, surplus: int = 0
) -> list[HugetlbPool]:
    """The PMD pool of the host and its two nodes; the second has what the first has not."""
    return [
        HugetlbPool(PMD, None, total, free, 0, reserved, 0),
        HugetlbPool(PMD, 0, first, first_free, 0),
        HugetlbPool(PMD, 1, total - first, free - first_free, 0),
    ]


def plan_of(*rows: Values, state: HostState | None = None, **host: object) -> Plan:
    return recommend(frame(*({**row, **host} for row in rows)), state=state)[1]


def sizes(plan: Plan) -> dict[int | None, int]:
    return {one.node: one.pages for one in plan.pools if one.page_bytes == PMD}


def risks(plan: Plan) -> dict[str, str]:
    return {risk.id: risk.message for risk in plan.risks}


def test_who_is_bound_to_a_node_gets_its_pages_there_and_the_rest_is_spread() -> None:
    plan = plan_of(guest(1, numa_nodes="1"), guest(2), state=two_nodes())
    assert sizes(plan) == {0: 1024 + 10, 1: 2048 + 1024 + 30}
    assert any("on node 1: 0 in use or reserved + 2048 for pid 1 + 1024 for pid 2" in line for line in plan.summary)
    assert "reservations-not-by-node" in risks(plan)
    after = {node.node: node for node in plan.memory.nodes}
    assert after[1].pool_after_bytes == 3102 * PMD
    assert after[0].available_after_bytes == 20 * GIB - 1034 * PMD + 2 * GIB
    assert after[1].available_after_bytes == 20 * GIB - 3102 * PMD + 4 * GIB + 2 * GIB


def test_without_bound_memory_the_pool_is_the_hosts_and_spread_by_the_kernel() -> None:
    plan = plan_of(guest(1), state=two_nodes())
    assert sizes(plan) == {None: 2048 + 20}
    assert [node.pool_after_bytes for node in plan.memory.nodes] == [1034 * PMD, 1034 * PMD]


def test_pages_in_use_stay_on_their_nodes_and_reserved_ones_where_they_are_free() -> None:
    state = two_nodes(pool(total=300, free=100, first=200, first_free=100, reserved=60))
    plan = plan_of(guest(1, numa_nodes="0"), state=state)
    terms = {(one.node, term.kind): term.pages for one in plan.pools if one.page_bytes == PMD for term in one.terms}
    assert terms[0, "in-use"] == 100 + 60
    assert terms[1, "in-use"] == 100
    assert terms[0, "new"] == 2048
    assert sizes(plan) == {0: 160 + 2048 + 20, 1: 100}


def test_a_node_without_room_refuses_what_is_bound_to_it() -> None:
    bound = guest(1, numa_nodes="1", anon_bytes=GIB, slotted_anon_bytes=GIB)
    advice, plan = recommend(frame(bound), state=two_nodes(available=(40 * GIB, 5 * GIB)))
    assert advice[0].recommendation.policy != "hugetlb"
    assert "no room" in str(plan.tenants[0].loses)
    assert recommend(frame({**bound, "numa_nodes": None}), state=two_nodes(available=(40 * GIB, 5 * GIB)))[1].pools


def test_surplus_pages_are_named_and_undone_as_such() -> None:
    state = HostState(pools=[HugetlbPool(PMD, None, 300, 0, 200, 0, 500)])
    user = program(3, hugetlb_bytes=600 * MIB, hugetlb_mapped_bytes=600 * MIB, hugetlb_page_bytes=PMD)
    plan = plan_of(user, guest(4, GIB), state=state, host_memory_available_bytes=50 * GIB)
    (one,) = plan.pools
    assert (one.pages, one.current_pages, one.surplus_pages) == (300 + 512 + 5, 300, 200)
    undo = next(artefact.undo for artefact in plan.artefacts if artefact.id.startswith("pool-now"))
    assert "echo 100 > " in undo
    assert "200 of 300 pages of 2 MiB are surplus" in risks(plan)["pool-on-overcommit"]


def test_a_cgroup_that_may_not_use_the_pool_is_raised_by_what_is_short() -> None:
    limit = CgroupHugetlb("/machine.slice", 2, PMD, 2 * GIB, GIB)
    bound = {"cgroup_pmd_pool_room_bytes": GIB, "cgroup_pool_limited_by": "/machine.slice"}
    plan = plan_of(guest(1, **bound), state=HostState(cgroup_hugetlb=[limit]))
    (change,) = plan.cgroups
    assert (change.limit_bytes, change.needed_bytes, change.required) == (2 * GIB, 5 * GIB, True)
    assert "4 GiB are asked for and the limit leaves 1 GiB: 2 GiB + 3 GiB = 5 GiB." in change.reason
    assert "cgroup-limit-too-low" in risks(plan)
    assert not plan_of(guest(1, **{**bound, "cgroup_pmd_pool_room_bytes": 4 * GIB})).cgroups


def test_a_memory_limit_can_be_lowered_by_what_moves_as_pools_are_outside_of_it() -> None:
    bound = {"cgroup_memory_limit_bytes": 6 * GIB, "cgroup_memory_room_bytes": GIB,
             "cgroup_memory_limited_by": "/kubepods/pod1/c"}  # fmt: skip
    (change,) = plan_of(guest(1, **bound)).cgroups
    assert (change.controller, change.needed_bytes, change.required) == ("memory", 2 * GIB, False)
    assert "pod's resources" in change.reason
    assert not plan_of(guest(1, **bound), host_hugetlb_in_memcg=True).cgroups, "what moves stays inside the limit"
    idle = {**bound, "anon_bytes": GIB, "slotted_anon_bytes": GIB}
    (raised,) = plan_of(guest(1, **idle), host_hugetlb_in_memcg=True).cgroups
    assert (raised.required, raised.needed_bytes) == (True, 6 * GIB + 2 * GIB)


def test_mappings_without_reservation_are_a_risk_while_the_pool_has_no_page_for_them() -> None:
    user = program(
        3, hugetlb_bytes=512 * MIB, hugetlb_mapped_bytes=GIB, hugetlb_page_bytes=PMD, hugetlb_noreserve_bytes=GIB,
        hugetlb_noreserve_resident_bytes=512 * MIB, host_pool_pmd_total=256,
    )  # fmt: skip
    plan = plan_of(user)
    assert "512 MiB of 2 MiB pages are mapped without a reservation" in risks(plan)["hugetlb-without-reservation"]
    assert sizes(plan) == {None: 512}
    roomy = {"host_pool_pmd_total": 512, "host_pool_pmd_unused_pages": 256}
    assert "hugetlb-without-reservation" not in risks(plan_of({**user, **roomy}))


def test_private_pool_pages_shared_since_a_fork_get_headroom_for_their_copies() -> None:
    user = {"hugetlb_bytes": 512 * MIB, "hugetlb_mapped_bytes": 512 * MIB, "hugetlb_page_bytes": PMD,
            "hugetlb_copied_on_write_bytes": 512 * MIB, "host_pool_pmd_total": 256}  # fmt: skip
    plan = plan_of(program(3, **user), program(4, **user, hugetlb_sharing_leader=None))
    (one,) = plan.pools
    headroom = [term for term in one.terms if term.kind == "headroom"]
    assert [(term.pages, term.why) for term in headroom] == [(256, "for copies of private pages after fork")]
    assert "private-pool-after-fork" in risks(plan)


def test_memory_that_runs_out_is_said_before_it_does() -> None:
    tight = plan_of(guest(1, 8 * GIB), host_memory_available_bytes=13 * GIB, host_swap_total_bytes=0)
    assert "While the processes still run" in risks(tight)["pools-before-restart"]
    short = program(3, hugetlb_bytes=2 * MIB, hugetlb_mapped_bytes=8 * GIB, hugetlb_page_bytes=PMD,
                    host_pool_pmd_total=1, host_memory_available_bytes=9 * GIB, host_swap_total_bytes=0)  # fmt: skip
    assert "no swap, so the OOM killer" in risks(plan_of(short))["little-memory-left"]
    assert risks(plan_of(guest(1, 2 * GIB))) == {}


def test_more_pages_than_are_free_in_one_piece_may_be_granted_in_part() -> None:
    pieces = plan_of(guest(1), host_pmd_supply_pages=100, host_pmd_supply_compacted_pages=9000)
    assert "fewer-pages-granted" in risks(pieces)
    assert [pool.compact_first for pool in pieces.pools] == [True]
    assert [pool.compact_first for pool in plan_of(guest(1), host_pmd_supply_pages=9000).pools] == [False]


def test_guests_are_judged_on_both_sides() -> None:
    pooled = {"hugetlb_bytes": 4 * GIB, "hugetlb_mapped_bytes": 4 * GIB, "hugetlb_page_bytes": GIB, "anon_bytes": 0}
    base, huge = plan_of(guest(1)).guests[0], plan_of(guest(2, **pooled)).guests[0]
    assert (base.backing, base.planned_backing, base.page_bytes) == ("base", "hugetlb", PMD)
    assert "Inside" in base.inside
    assert (huge.backing, huge.planned_backing, huge.page_bytes) == ("hugetlb", "hugetlb", GIB)
    assert "1 GiB inside pay only here" in huge.inside


NODES = st.sampled_from([None, "0", "1", "0,1", "7", "nonsense"])


@settings(max_examples=40, deadline=None)
@given(
    st.lists(st.tuples(NODES, st.integers(1, 6), st.booleans()), min_size=1, max_size=5),
    st.integers(0, 400), st.integers(0, 400), st.integers(0, 100), st.booleans(),
)  # fmt: skip
def test_sums_add_up_on_every_host(
    guests: list[tuple[str | None, int, bool]], first: int, second: int, reserved: int, known: bool
) -> None:
    free = min(reserved, first)
    state = two_nodes(pool(first + second, free, first, free, reserved=free)) if known else None
    rows = [
        guest(pid, size * GIB, numa_nodes=nodes, allocator=None) for pid, (nodes, size, _) in enumerate(guests, 1)
    ]
    table = frame(*rows)
    wishes = Wishes({pid: POOL for pid, (_, _, asked) in enumerate(guests, 1) if asked})
    advice, plan = recommend(table, wishes=wishes, state=state)
    new = sum(term.pages for one in plan.pools for term in one.terms if term.kind == "new" and one.page_bytes == PMD)
    assert new == sum(
        one.recommendation.pages or 0
        for one in advice
        if one.recommendation.policy == "hugetlb" and one.recommendation.page_bytes == PMD
    )
    for one in plan.pools:
        assert one.pages == sum(term.pages for term in one.terms)
        assert all(term.pages >= 0 for term in one.terms)
    before, after = plan.memory.before, plan.memory.after
    growth = sum((one.pages - (one.current_pages or 0)) * one.page_bytes for one in plan.pools)
    assert (after.pool_bytes or 0) - (before.pool_bytes or 0) == growth
    if plan.memory.nodes:
        grown = sum(node.pool_after_bytes - node.pool_before_bytes for node in plan.memory.nodes)
        assert grown == growth
    if state is not None and any(one.node is not None for one in plan.pools):
        used = sum(term.pages for one in plan.pools for term in one.terms if term.kind == "in-use")
        assert used == first + second, "what is in use or reserved is counted once, wherever it is"


@pytest.mark.parametrize("pages", [1, 99, 100, 512, 100_000])
def test_headroom_is_never_more_than_two_percent_of_what_was_asked(pages: int) -> None:
    plan = plan_of(guest(1, pages * PMD), host_memory_total_bytes=1 << 50, host_memory_available_bytes=1 << 49)
    advised = sum(term.pages for one in plan.pools for term in one.terms if term.kind == "new")
    headroom = sum(term.pages for one in plan.pools for term in one.terms if term.kind == "headroom")
    assert headroom <= 0.02 * advised
    assert headroom * PMD <= 64 * MIB
