"""The forecast of page tables against those that the same program then has on a pool."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from advisor.collect.options import SamplerOptions
from advisor.collect.sampler import Sampler
from advisor.collect.session import make_header
from advisor.features import feature_table
from advisor.procfs.fs import KernelFs
from advisor.procfs.process import parse_status
from advisor.profile.model import Profile
from advisor.recommendation import Wish, Wishes, recommend
from advisor.rules import Policy
from tests.host.knobs import pool

pytestmark = pytest.mark.host

PROGRAM = Path(__file__).parents[1] / "backends.py"


@contextmanager
def backends(mib: int, processes: int, step: int, pages: str) -> Iterator[list[int]]:
    """Pids of all its processes, the parent first.

    Without address space randomisation: it moves the mappings of each start, and with them by some pages the tables
    that a process has for itself, which is most of what is left on a pool.
    """
    program = [sys.executable, str(PROGRAM), str(mib), str(processes), str(step), pages]
    command = ["setarch", "--addr-no-randomize", *program]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        assert process.stdin is not None
        word, *pids = process.stdout.readline().split()
        assert word == "ready"
        yield [process.pid, *map(int, pids)]
        process.stdin.close()


def tables(pids: list[int]) -> list[int]:
    """VmPTE of each, bytes."""
    found = [KernelFs().parse_process(pid, "status", parse_status).vm_pte_bytes for pid in pids]
    return [value for value in found if value is not None]


def pool_is_wanted(pids: list[int]) -> tuple[list[int | None], int | None]:
    """Page tables of each process, and of all, as forecast for a pool."""
    sampler = Sampler(KernelFs(), SamplerOptions(pids=frozenset(pids)))
    sample = sampler.tick()
    profile = Profile(make_header(sampler, redacted=True), [sample])
    wishes = Wishes({pids[0]: Wish(Policy.HUGETLB)})
    advice, plan = recommend(feature_table(profile), wishes=wishes)
    after = {one.pid: one.page_table_bytes_after for one in advice}
    return [after[pid] for pid in pids], plan.page_table_bytes.after


@pytest.mark.parametrize(("mib", "processes", "step"), [(256, 40, 1), (512, 20, 7), (1024, 6, 300)])
def test_page_tables_of_many_processes_are_as_forecast(mib: int, processes: int, step: int) -> None:
    with pool(2048, mib // 2):
        with backends(mib, processes, step, "base") as pids:
            before = tables(pids)
            each, all_together = pool_is_wanted(pids)
        with backends(mib, processes, step, "hugetlb") as pids:
            measured = tables(pids)
    assert sum(before) > 2 * sum(measured)
    assert all_together == pytest.approx(sum(measured), rel=0.1)
    for forecast, found in zip(each, measured, strict=True):
        assert forecast == pytest.approx(found, rel=0.15)
