from __future__ import annotations

import time
from pathlib import Path

import numpy as np
import pytest

from advisor.collect import probes as probes_module
from advisor.collect.page_slots import IN_RAM, IS_HUGE, NUMBER, Shape, SlotTally
from advisor.collect.probe_clear import LONGEST_CLEAR_S, TooCostlyError, huge_bytes, refuse_if_costly
from advisor.collect.probe_density import BINS, FULL, _density
from advisor.collect.probes import PROBES, Prober, UnknownProbeError, check_names
from advisor.procfs.fs import KernelFs
from advisor.procfs.pagemap_scan import Vma
from advisor.profile.model import Cost, HostState, Sample
from advisor.profile.probes import DENSITY_EDGES
from advisor.units import GIB, MIB
from tests.fake_proc import FakeProc

PMD = 2 * MIB


def prober(fs: KernelFs, *names: str, deadline_s: float = 5.0) -> Prober:
    return Prober(fs, names, PMD, 4096, deadline_s)


def empty_sample() -> Sample:
    return Sample(t_s=0.0, wall_time=0.0, host=HostState(), cost=Cost(0.0, 0.0))


def test_probes_run_in_one_order_each_once_and_each_says_what_it_costs() -> None:
    assert check_names(["soft-dirty", "density", "density", "referenced"]) == tuple(PROBES)
    assert all(" s" in cost for cost in PROBES.values())


def test_an_unknown_name_is_answered_with_the_known_ones() -> None:
    with pytest.raises(UnknownProbeError, match=r"'heat'; there are referenced, density, soft-dirty"):
        prober(KernelFs(), "heat")


def test_no_name_no_probe() -> None:
    assert prober(KernelFs()).probe(1).costs == {}


def test_a_captured_tree_is_not_probed(tmp_path: Path) -> None:
    proc = FakeProc(tmp_path)
    proc.add(10)
    found = prober(KernelFs(str(proc.procfs), str(proc.sysfs)), "density").probe(10)
    assert found.density is None
    assert found.problems["density"].startswith("captured-tree")


def test_a_process_that_ended_is_left_out_of_the_sample() -> None:
    sample = empty_sample()
    assert prober(KernelFs(), "density").add_to(sample, [2**22 + 1]) == sample


def test_a_process_whose_faults_would_stand_still_for_long_is_refused() -> None:
    refuse_if_costly({"Rss": 9 * GIB})
    refuse_if_costly({"Rss": 900 * GIB, "AnonHugePages": 895 * GIB, "FilePmdMapped": GIB})
    with pytest.raises(TooCostlyError, match=r"0\.3\d s") as caught:
        refuse_if_costly({"Rss": 14 * GIB, "AnonHugePages": 0})
    assert caught.value.reason == "too-costly"
    assert LONGEST_CLEAR_S < 1


def test_pmd_mapped_memory_is_unknown_where_the_kernel_prints_none_of_it() -> None:
    assert huge_bytes({"Rss": 1}) is None
    assert huge_bytes({"AnonHugePages": PMD, "ShmemPmdMapped": PMD}) == 2 * PMD


def test_a_probe_that_hangs_is_told_and_the_next_one_runs(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(probes_module, "probe_referenced", lambda fs, pid: time.sleep(0.5))
    monkeypatch.setattr(probes_module, "probe_soft_dirty", lambda fs, pid, pmd: [])
    found = prober(KernelFs(), "referenced", "soft-dirty", deadline_s=0.05).probe(1)
    assert found.problems["referenced"].startswith("hung")
    assert found.soft_dirty == []
    assert found.costs["soft-dirty"].lock_s == 0


def test_slots_are_counted_by_their_populated_share() -> None:
    shape = Shape(PMD, 4096)
    pages = [1, 4, 5, 256, 511, 512, 512]
    one = SlotTally(Vma(0, 8 * PMD), shape)
    slots = np.zeros((5, len(pages)), np.int64)
    slots[NUMBER], slots[IN_RAM], slots[IS_HUGE, -1] = range(len(pages)), pages, 1
    one.add(slots)
    density = _density([one], shape, complete=True)
    assert density.slots == [2, 1, 0, 0, 0, 0, 1, 1, 1]
    assert density.slot_bytes[FULL] == PMD
    assert sum(density.slot_bytes) == sum(pages[:-1]) * 4096
    assert (density.huge_slots, density.empty_slots, density.outside_bytes) == (1, 1, 0)
    assert len(density.slots) == BINS == len(DENSITY_EDGES) + 2
