"""Tenants with opposite needs: everyone gets its own by a named means, or is named as who loses what."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from advisor.procfs.facts import Thp, ThpSize
from advisor.profile.model import HostState
from advisor.recommendation import Plan, recommend
from advisor.recommendation.model import Tenant
from advisor.units import GIB, MIB
from tests.recommendation.planted_rows import program
from tests.rules.rows import PMD, Values, frame

BIG: Values = {"anon_bytes": 4 * GIB, "slotted_anon_bytes": 4 * GIB, "slot_bytes": 4 * GIB}
THIN: Values = {"anon_bytes": 60 * MIB, "slotted_anon_bytes": 50 * MIB, "huge_page_growth_bytes": 8 * GIB}
MODES = ("always", "madvise", "never")


def plan_of(*rows: Values, **host: object) -> Plan:
    return recommend(frame(*({**row, **host} for row in rows)))[1]


def by_pid(plan: Plan) -> dict[int, Tenant]:
    return {pid: tenant for tenant in plan.tenants for pid in tenant.pids}


def numerics(pid: int, mode: str, **values: object) -> Values:
    """A glibc program with much dense memory: on huge pages under always, on base pages otherwise."""
    huge = {"anon_huge_bytes": 4 * GIB, "thp_eligible_anon_rss_bytes": 4 * GIB} if mode == "always" else {}
    return program(pid, **{**BIG, **huge, **values}, host_thp_enabled=mode)


def cache(pid: int, mode: str, **values: object) -> Values:
    """Memory so thinly used that huge pages would multiply it."""
    return program(pid, **{**THIN, **values}, host_thp_enabled=mode)


@pytest.mark.parametrize("mode", MODES)
def test_one_wants_huge_pages_and_one_must_not_have_them(mode: str) -> None:
    plan = plan_of(numerics(1, mode), cache(2, mode))
    got = by_pid(plan)
    assert (got[1].needs, got[1].met, got[1].loses) == ("thp", True, None)
    assert (got[2].needs, got[2].met, got[2].loses) == ("base-pages", True, None)
    assert plan.thp.enabled == {"always": "always", "madvise": "madvise", "never": "madvise"}[mode]
    assert got[1].gets_by == {"always": "already", "madvise": "allocator", "never": "allocator"}[mode]
    assert got[2].gets_by == {"always": "prctl", "madvise": "prctl", "never": "already"}[mode]
    texts = {artefact.id for artefact in plan.artefacts}
    for tenant in (got[1], got[2]):
        assert set(tenant.artefacts) <= texts
        assert bool(tenant.artefacts) is (tenant.gets_by != "already")


@pytest.mark.parametrize("mode", ["madvise", "never"])
def test_a_program_that_cannot_ask_gets_always_and_the_other_a_switch_of_its_own(mode: str) -> None:
    plan = plan_of(numerics(1, mode, allocator="musl"), cache(2, mode))
    got = by_pid(plan)
    assert plan.thp.enabled == "always"
    assert (got[1].gets_by, got[1].met) == ("host-mode", True)
    assert (got[2].gets_by, got[2].met) == ("prctl", True)
    order = [artefact.id for artefact in plan.artefacts]
    assert order.index(got[2].artefacts[0]) < order.index("thp-now"), "switched off before the mode is opened"


def test_what_would_let_bystanders_grow_is_not_done_and_the_loser_is_named() -> None:
    bystander = program(3, anon_bytes=4 * GIB, huge_page_growth_bytes=4 * GIB, cpu_cores=0.0)
    plan = plan_of(numerics(1, "madvise", allocator="musl"), cache(2, "madvise"), bystander)
    loser = by_pid(plan)[1]
    assert plan.thp.enabled == "madvise"
    assert (loser.met, loser.gets_by) == (False, None)
    assert loser.loses == "Huge pages for 4 GiB."
    assert "madvise" in loser.how
    assert "4 GiB" in loser.how
    assert "pid 1" in plan.thp.reason


def test_too_many_programs_to_switch_off_keep_the_mode() -> None:
    sparse = [cache(pid, "never", name=f"worker{pid}") for pid in range(2, 12)]
    plan = plan_of(numerics(1, "never", allocator="musl"), *sparse)
    assert plan.thp.enabled == "never"
    assert by_pid(plan)[1].met is False


def test_who_switched_thp_off_itself_keeps_that_under_every_mode() -> None:
    redis = program(2, **BIG, application_id="redis", allocator="jemalloc", thp_disabled_by_process=True)
    for mode in MODES:
        one = by_pid(plan_of(numerics(1, mode), {**redis, "host_thp_enabled": mode}))[2]
        assert (one.needs, one.gets_by, one.restart) == ("base-pages", "already", False)


def test_a_service_is_switched_off_by_systemd_where_it_knows_how() -> None:
    row = cache(2, "always", cgroup="/system.slice/cache.service")
    new, old, unknown = (by_pid(plan_of({**row, "host_systemd_version": v}))[2] for v in (260, 252, None))
    assert (new.gets_by, new.service, new.artefacts) == ("memory-thp", "cache.service", ("thp-cache.service",))
    assert (old.gets_by, unknown.gets_by) == ("prctl", "prctl")


def test_redis_switches_itself_off_where_its_version_knows_how() -> None:
    row = cache(2, "always", application_id="redis", allocator="jemalloc")
    versions = {"7.0.15": "application", None: "application", "6.0.16": "allocator"}
    for version, means in versions.items():
        assert by_pid(plan_of({**row, "application_version": version}))[2].gets_by == means
    assert by_pid(plan_of({**row, "application_id": None, "allocator": "glibc"}))[2].gets_by == "prctl"


@pytest.mark.parametrize(("own", "folder"), [("inherit", ""), ("never", "hugepages-2048kB/")])
def test_the_switch_that_decides_is_the_one_that_is_set(own: str, folder: str) -> None:
    state = HostState(thp=Thp("madvise", "madvise", "never", pmd_bytes=PMD, sizes=[ThpSize(PMD, own)]))
    row = numerics(1, "never")
    plan = recommend(frame(row), state=state)[1]
    text = next(artefact.text for artefact in plan.artefacts if artefact.id == "thp-now")
    assert f"echo madvise > /sys/kernel/mm/transparent_hugepage/{folder}enabled" in text


def test_processes_alike_are_one_tenant() -> None:
    plan = plan_of(*(cache(pid, "always") for pid in (5, 6, 7)))
    (tenant,) = plan.tenants
    assert tenant.pids == (5, 6, 7)


def test_a_refused_pool_is_told_to_who_loses_it() -> None:
    guest = program(
        7, application_id="qemu", is_vmm=True, guest_ram_bytes=12 * GIB, anon_bytes=2 * GIB, slot_bytes=12 * GIB,
        slotted_anon_bytes=2 * GIB, host_memory_available_bytes=6 * GIB, host_memory_available_share=0.25,
    )  # fmt: skip
    tenant = by_pid(plan_of(guest))[7]
    assert tenant.needs != "pool"
    assert tenant.loses is not None
    assert "no room" in tenant.loses


ROWS = st.fixed_dictionaries(
    {
        "anon_bytes": st.sampled_from([8 * MIB, 300 * MIB, 4 * GIB]),
        "huge": st.booleans(),
        "huge_page_growth_bytes": st.sampled_from([0, 100 * MIB, 3 * GIB, 40 * GIB, None]),
        "advised_bytes": st.sampled_from([0, 4 * GIB, None]),
        "advised_against_anon_bytes": st.sampled_from([0, 4 * GIB]),
        "thp_disabled_by_process": st.sampled_from([False, True, None]),
        "allocator": st.sampled_from(["glibc", "jemalloc", "musl", "go", None]),
        "runtime": st.sampled_from(["jvm", "go", None]),
        "application_id": st.sampled_from(["redis", "postgresql", "qemu", "java", None]),
        "cgroup": st.sampled_from(["/system.slice/a.service", "/user.slice/x", None]),
        "cpu_cores": st.sampled_from([0.0, 1.0, None]),
    }
)
HOSTS = st.fixed_dictionaries(
    {
        "host_thp_enabled": st.sampled_from([*MODES, None]),
        "host_shmem_enabled": st.sampled_from(["never", "advise", "within_size", None]),
        "host_systemd_version": st.sampled_from([None, 252, 260]),
        "host_memory_available_bytes": st.sampled_from([1 * GIB, 18 * GIB, None]),
    }
)


def row_of(pid: int, drawn: Values) -> Values:
    values = {key: value for key, value in drawn.items() if key != "huge"}
    size = values["anon_bytes"]
    huge = size // PMD * PMD if drawn["huge"] else 0
    vmm = values["application_id"] == "qemu"
    return program(
        pid, **values, anon_huge_bytes=huge, slotted_anon_bytes=size, slot_bytes=size, is_vmm=vmm,
        guest_ram_bytes=size if vmm else 0, advised_anon_rss_bytes=min(size, values["advised_bytes"] or 0),
    )  # fmt: skip


@settings(max_examples=60, deadline=None)
@given(st.lists(ROWS, min_size=1, max_size=5), HOSTS)
def test_every_need_is_met_by_a_named_means_or_named_as_lost(rows: list[Values], host: Values) -> None:
    table = frame(*({**row_of(pid, row), **host} for pid, row in enumerate(rows, 1)))
    advice, plan = recommend(table)
    tenants = [pid for tenant in plan.tenants for pid in tenant.pids]
    assert len(tenants) == len(set(tenants)), "nobody is listed twice"
    changes = {one.pid for one in advice if one.recommendation.policy != "leave"}
    assert changes <= set(tenants), "who is advised a change is told how it gets it"
    order = ("never", "madvise", "always")
    now, then = host["host_thp_enabled"], plan.thp.enabled
    assert (now is None and then is None) or order.index(then) >= order.index(now), "no mode takes anything away"
    for tenant in plan.tenants:
        assert tenant.met is (tenant.gets_by is not None)
        assert tenant.met or tenant.loses, "a loser is told what it loses"
        assert tenant.how
        if tenant.needs == "base-pages" and tenant.met and then == "always":
            by = ("already", "prctl", "memory-thp", "application", "allocator")
            assert tenant.gets_by in by, "a generous mode reaches it otherwise"
        if tenant.needs == "thp" and tenant.met and then == "madvise":
            assert tenant.gets_by in ("already", "own-advice", "allocator", "application")
        assert not (tenant.needs == "thp" and tenant.met and then in ("never", None))
