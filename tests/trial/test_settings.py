"""Modes and pools: only what is needed is written, and never at the cost of the host's last memory."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from unittest.mock import patch

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from advisor.procfs.fs import KernelFs
from advisor.trial.journal import Journal
from advisor.trial.knob import write_value
from advisor.trial.settings import LEAST_LEFT_BYTES, LEAST_LEFT_SHARE, HostSettings, SettingError, TightMemoryError
from advisor.units import MIB

PAGE = 2 * MIB


class Kernel(Journal):
    """A constructed tree that answers a change as the kernel does, and notes what was asked."""

    def __init__(self, root: Path) -> None:
        super().__init__(root / "state", roots=(root,))
        self.root = root
        self.asked: list[tuple[str, str]] = []
        self.grants = 1 << 40
        thp = root / "sys/kernel/mm/transparent_hugepage"
        thp.mkdir(parents=True, exist_ok=True)
        (thp / "enabled").write_text("always [madvise] never\n")
        (thp / "shmem_enabled").write_text("always within_size advise [never] deny force\n")
        self.pool = root / "sys/kernel/mm/hugepages/hugepages-2048kB"
        self.pool.mkdir(parents=True, exist_ok=True)
        (root / "proc").mkdir(exist_ok=True)
        self.set_memory(16 << 30, 8 << 30)
        self.set_pool(total=0, free=0, reserved=0, surplus=0)

    def set_memory(self, total: int, available: int) -> None:
        text = f"MemTotal: {total >> 10} kB\nMemAvailable: {available >> 10} kB\n"
        (self.root / "proc/meminfo").write_text(text)

    def set_pool(self, *, total: int, free: int, reserved: int, surplus: int) -> None:
        numbers = {"nr": total, "free": free, "resv": reserved, "surplus": surplus}
        for name, number in numbers.items():
            (self.pool / f"{name}_hugepages").write_text(f"{number}\n")

    def number(self, name: str) -> int:
        return int((self.pool / f"{name}_hugepages").read_text())

    def change(self, path: Path, value: str, also: Sequence[Path] = ()) -> None:
        self.asked.append((path.name, value))
        with patch("advisor.trial.journal.write_value", self._write):
            super().change(path, value, also)

    def _write(self, path: Path, value: str) -> None:
        """mm/hugetlb.c set_max_huge_pages: surplus pages are adopted first, then new ones are found."""
        if path.name != "nr_hugepages":
            write_value(path, value)
            return
        total, surplus = self.number("nr"), self.number("surplus")
        adopted = min(surplus, max(0, int(value) - (total - surplus)))
        grown = min(self.grants, max(0, int(value) - total))
        self.set_pool(
            total=total + grown,
            free=self.number("free") + grown,
            reserved=self.number("resv"),
            surplus=surplus - adopted,
        )

    def host(self) -> HostSettings:
        return HostSettings(self, KernelFs(str(self.root / "proc"), str(self.root / "sys")))


@pytest.fixture
def kernel(tmp_path: Path) -> Kernel:
    return Kernel(tmp_path)


def test_modes_are_set_and_put_back(kernel: Kernel) -> None:
    with kernel:
        kernel.host().thp_enabled("always")
        kernel.host().shmem_enabled("advise")
        thp = kernel.root / "sys/kernel/mm/transparent_hugepage"
        assert (thp / "enabled").read_text() == "always\n"
        assert [one.before for one in kernel.restore()] == ["never", "madvise"]


def test_a_mode_that_is_so_already_is_not_touched(kernel: Kernel) -> None:
    with kernel:
        kernel.host().thp_enabled("madvise")
        assert not (kernel.root / "state").exists()
        assert kernel.restore() == []


def test_a_kernel_without_thp_is_named(kernel: Kernel) -> None:
    path = kernel.root / "sys/kernel/mm/transparent_hugepage/enabled"
    path.unlink()
    with kernel, pytest.raises(SettingError, match="this kernel does not have it"):
        kernel.host().thp_enabled("always")


def test_a_pool_grows_by_what_is_missing(kernel: Kernel) -> None:
    kernel.set_pool(total=10, free=6, reserved=4, surplus=0)
    with kernel:
        assert kernel.host().pool(PAGE, 8) == 8
        assert kernel.asked == [("nr_hugepages", "16")]
        assert kernel.host().pool(PAGE, 5) == 8, "never smaller than before"
        assert len(kernel.asked) == 1


def test_a_pool_that_suffices_is_not_touched(kernel: Kernel) -> None:
    kernel.set_pool(total=10, free=10, reserved=2, surplus=0)
    with kernel:
        assert kernel.host().pool(PAGE, 8) == 8
    assert not kernel.asked


def test_what_the_kernel_could_not_find_is_not_answered(kernel: Kernel) -> None:
    kernel.grants = 3
    with kernel:
        assert kernel.host().pool(PAGE, 8) == 3


def test_a_page_size_without_a_pool_is_named(kernel: Kernel) -> None:
    with kernel, pytest.raises(SettingError, match="hugepages-1048576kB"):
        kernel.host().pool(1 << 30, 1)


def test_a_tight_host_is_refused_with_the_arithmetic(kernel: Kernel) -> None:
    kernel.set_memory(8 << 30, 2048 * MIB)
    with kernel:
        with pytest.raises(TightMemoryError) as caught:
            kernel.host().pool(PAGE, 800)
        assert str(caught.value) == (
            "800 more pages of 2048 KiB take 1600 MiB of 2048 MiB available and would leave 448 MiB; "
            "at least 512 MiB must stay"
        )
    assert not kernel.asked


def test_unknown_memory_is_no_leave_to_take_it(kernel: Kernel) -> None:
    (kernel.root / "proc/meminfo").write_text("MemTotal: 1000 kB\n")
    with kernel, pytest.raises(SettingError, match="MemAvailable"):
        kernel.host().pool(PAGE, 1)


counts = st.integers(0, 300)


@given(
    used=counts, reserved=counts, spare=counts, surplus=counts, wanted=counts, mib=st.integers(0, 2000), found=counts
)
@settings(max_examples=60, deadline=None)
def test_whatever_the_pool_holds(
    tmp_path_factory: pytest.TempPathFactory,
    used: int,
    reserved: int,
    spare: int,
    surplus: int,
    wanted: int,
    mib: int,
    found: int,
) -> None:
    """Others keep what they have, the floor stays, the pool never shrinks, and afterwards it is as it was."""
    kernel = Kernel(tmp_path_factory.mktemp("kernel"))
    total = used + reserved + spare
    surplus = min(surplus, used)
    kernel.set_pool(total=total, free=reserved + spare, reserved=reserved, surplus=surplus)
    kernel.set_memory(4 << 30, mib * MIB)
    kernel.grants = found
    floor = max(LEAST_LEFT_BYTES, int((4 << 30) * LEAST_LEFT_SHARE))
    growth = max(0, wanted - spare)
    with kernel:
        if growth and mib * MIB - growth * PAGE < floor:
            with pytest.raises(TightMemoryError):
                kernel.host().pool(PAGE, wanted)
            assert not kernel.asked
        else:
            assert kernel.host().pool(PAGE, wanted) == spare + min(growth, found)
            assert kernel.number("nr") >= total
            assert len(kernel.asked) == (growth > 0)
        changes = kernel.restore()
        assert all(one.restored for one in changes)
        assert [one.before for one in changes] == [str(total - surplus)] * (growth > 0 and bool(kernel.asked))
