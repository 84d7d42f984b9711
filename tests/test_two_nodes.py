"""The plan for a constructed host with two NUMA nodes, from its files to the pool of each node.

The machine that tests run on has one node, so files of a kernel with two are written by hand.
"""

from __future__ import annotations

from pathlib import Path

import pytest

from advisor.advise import advise
from advisor.collect.options import SamplerOptions
from advisor.collect.sampler import Sampler
from advisor.collect.session import make_header
from advisor.procfs.fs import KernelFs
from advisor.profile.model import Profile
from advisor.recommendation import Wish, Wishes
from advisor.report.plan import HostPlan
from advisor.rules import Policy
from advisor.units import GIB
from tests.fake_proc import FakeProc
from tests.procfs.test_smaps import entry

PMD = 2 << 20
BOUND, FREE = 10, 20
STATUS = "Name:\tworker\nUid:\t0\t0\t0\t0\nVmRSS:\t2097152 kB\nRssAnon:\t2097152 kB\nTHP_enabled:\t1\nSigQ:\t0/1\n"
NUMA_MAPS = "7f0000000000 {policy} anon=524288 dirty=524288 N1=524288 kernelpagesize_kB=4\n"


def write_pool(folder: Path, total: int, free: int, *, whole: bool) -> None:
    folder.mkdir(parents=True)
    counts = {"nr_hugepages": total, "free_hugepages": free, "surplus_hugepages": 0}
    counts |= {"resv_hugepages": 0, "nr_overcommit_hugepages": 0} if whole else {}
    for name, count in counts.items():
        (folder / name).write_text(f"{count}\n")


@pytest.fixture
def host(tmp_path: Path) -> FakeProc:
    """Two nodes of 32 GiB, 200 pool pages on each, those of node 0 in use; two processes with 2 GiB each."""
    proc = FakeProc(tmp_path)
    (proc.procfs / "meminfo").write_text(f"MemTotal: {64 << 20} kB\nMemAvailable: {50 << 20} kB\n")
    write_pool(proc.sysfs / "kernel/mm/hugepages/hugepages-2048kB", 400, 200, whole=True)
    for node in (0, 1):
        folder = proc.sysfs / f"devices/system/node/node{node}"
        write_pool(folder / "hugepages/hugepages-2048kB", 200, 200 * node, whole=False)
        free = 26 << 20
        (folder / "meminfo").write_text(
            f"Node {node} MemTotal: {32 << 20} kB\nNode {node} MemFree: {free} kB\nNode {node} Active(file): 0 kB\n"
        )
    for pid in (BOUND, FREE):
        proc.add(pid, rss=524288)
        proc.folder(pid).joinpath("smaps").write_text(
            entry(0x7F0000000000, 2 << 20, Rss=2 << 20, Anonymous=2 << 20) + entry(0x7FFC00000000, 132)
        )
        proc.folder(pid).joinpath("status").write_text(f"{STATUS}Mems_allowed_list:\t0-1\n")
        proc.folder(pid).joinpath("numa_maps").write_text(NUMA_MAPS.format(policy="default"))
    return proc


def plan_of(proc: FakeProc) -> HostPlan:
    sampler = Sampler(KernelFs(str(proc.procfs), str(proc.sysfs)), SamplerOptions(deadline_s=5.0))
    sample = sampler.tick()
    pool = Wish(Policy.HUGETLB)
    return advise(
        Profile(make_header(sampler, redacted=True), [sample]), wishes=Wishes({BOUND: pool, FREE: pool})
    ).plan


def pages(plan: HostPlan) -> dict[int | None, tuple[int, int | None]]:
    return {pool.node: (pool.pages, pool.current_pages) for pool in plan.pools}


def by_cpuset(proc: FakeProc) -> None:
    proc.folder(BOUND).joinpath("status").write_text(f"{STATUS}Mems_allowed_list:\t1\n")


def by_policy(proc: FakeProc) -> None:
    proc.folder(BOUND).joinpath("numa_maps").write_text(NUMA_MAPS.format(policy="bind:1"))


def test_pages_go_to_both_nodes_where_nobody_is_bound(host: FakeProc) -> None:
    plan = plan_of(host)
    assert pages(plan) == {None: (200 + 2048 + 20, 400)}
    assert [node.pool_after_bytes for node in plan.memory.nodes] == [1134 * PMD, 1134 * PMD]


@pytest.mark.parametrize("bind", [by_cpuset, by_policy])
def test_pages_of_who_is_bound_come_from_its_node(host: FakeProc, bind: object) -> None:
    bind(host)  # type: ignore[operator]
    plan = plan_of(host)
    assert pages(plan) == {0: (200 + 512 + 5, 200), 1: (1024 + 512 + 15, 200)}
    writes = [artefact.text for artefact in plan.artefacts if artefact.id.startswith("pool-now")]
    assert any("node/node1/hugepages/hugepages-2048kB/nr_hugepages" in text and "1551" in text for text in writes)
    after = {node.node: node for node in plan.memory.nodes}
    assert after[1].pool_after_bytes == 1551 * PMD
    assert after[1].available_before_bytes == 26 * GIB
    assert "reservations-not-by-node" in [risk.id for risk in plan.risks]
