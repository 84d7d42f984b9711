"""The kernel command line, read as the kernel, GRUB and grubby read it."""

from __future__ import annotations

import re
import shlex
import subprocess
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from advisor import artefacts
from advisor.artefacts import PoolChange, pool_parameters
from advisor.procfs.configuration import ConfiguredValue
from advisor.units import GIB, MIB

SIZES = {"2M": 2 * MIB, "1G": GIB}
PAGES = st.integers(0, 999)


class Kernel:
    """Pools that a command line reserves: hugepagesz_setup, default_hugepagesz_setup, hugepages_setup and
    hugetlb_init of mm/hugetlb.c (5.16 to 6.14), on a CPU with pages of 2M and 1G."""

    def __init__(self, line: str, default: int = 2 * MIB) -> None:
        self.pools: dict[int, str | None] = {}
        self.warnings: list[str] = []
        self._default, self._default_given = default, False
        self._leading: str | None = None
        self._parsed: int | None = None
        self._valid = True
        self._last: object = None
        for word in line.split():
            name, _, value = word.partition("=")
            step = {
                "hugepagesz": self._size, "default_hugepagesz": self._default_size, "hugepages": self._count
            }.get(name)  # fmt: skip
            if step is not None:
                step(value)
        self.pools.setdefault(self._default, None)
        if self._leading is not None:
            self.pools[self._default] = self._leading

    def _size(self, value: str) -> None:
        self._valid = False
        size = memparse(value)
        if size not in SIZES.values():
            self.warnings.append(f"unsupported {value}")
        elif size in self.pools:
            if self._default_given and size == self._default and self.pools[size] is None:
                self._parsed, self._valid = size, True
            else:
                self.warnings.append(f"{value} twice")
        else:
            self.pools[size] = None
            self._parsed, self._valid = size, True

    def _default_size(self, value: str) -> None:
        self._valid = False
        if self._default_given:
            self.warnings.append("default twice")
            return
        size = memparse(value)
        if size not in SIZES.values():
            self.warnings.append(f"unsupported {value}")
            return
        if size not in self.pools:
            self.pools[size] = None
            self._parsed = size
        self._valid = self._default_given = True
        self._default = size
        if self._leading is not None:
            self.pools[size], self._leading = self._leading, None

    def _count(self, value: str) -> None:
        if not self._valid:
            self.warnings.append(f"{value} without size")
            self._valid = True
            return
        place: object = "leading" if not self.pools else self._parsed
        if place == self._last:
            self.warnings.append("twice without size")
            return
        if place == "leading":
            self._leading = value
        else:
            self.pools[self._parsed or 0] = value
        self._last = place


def memparse(text: str) -> int:
    match = re.match(r"([0-9]+)([KMG]?)", text)
    assert match
    return int(match[1]) << {"": 0, "K": 10, "M": 20, "G": 30}[match[2]]


pair = st.builds(lambda size, pages: f"hugepagesz={size} hugepages={pages}", st.sampled_from(list(SIZES)), PAGES)
line = st.builds(
    lambda default, leading, pairs: " ".join(
        ["ro", *([f"default_hugepagesz={default}"] if default else []), *leading, *pairs, "quiet"]
    ),
    st.sampled_from([None, "2M", "1G"]),
    st.lists(PAGES.map(lambda pages: f"hugepages={pages}"), max_size=1),
    st.lists(pair, max_size=2, unique_by=lambda text: text.split()[0]),
)


def agree(before: str) -> bool:
    """The line names no size twice: a host that boots without the kernel's complaint."""
    return not Kernel(before).warnings


@given(line.filter(agree), st.sampled_from(sorted(SIZES.values())), PAGES)
def test_the_kernel_takes_the_change_and_keeps_every_other_pool(before: str, size: int, pages: int) -> None:
    default = Kernel(before)._default
    change = PoolChange(size, pages, None, default_page_bytes=default)
    kernel = Kernel(pool_parameters([change], before))
    assert kernel.warnings == []
    kept = {other: held for other, held in Kernel(before).pools.items() if held is not None}
    now = {other: held for other, held in kernel.pools.items() if held is not None}
    assert now == {**kept, size: str(pages)}
    assert kernel._default == default


@given(line.filter(agree))
def test_two_sizes_at_once_are_taken(before: str) -> None:
    default = Kernel(before)._default
    changes = [PoolChange(size, pages, None, None, default) for size, pages in ((2 * MIB, 64), (GIB, 4))]
    kernel = Kernel(pool_parameters(changes, before))
    assert kernel.warnings == [] and kernel.pools == {2 * MIB: "64", GIB: "4"}


def grub_variables(tmp_path: Path, default_grub: str, drop_in: str) -> str:
    """The command line that grub-mkconfig makes of both files, which it sources in a shell."""
    (tmp_path / "grub").write_text(default_grub)
    (tmp_path / "x.cfg").write_text(drop_in)
    script = '. ./grub; . ./x.cfg; echo "$GRUB_CMDLINE_LINUX $GRUB_CMDLINE_LINUX_DEFAULT"'
    return subprocess.run(["sh", "-c", script], cwd=tmp_path, capture_output=True, text=True, check=True).stdout


@pytest.mark.parametrize("variable", ["GRUB_CMDLINE_LINUX", "GRUB_CMDLINE_LINUX_DEFAULT"])
def test_grub_s_file_replaces_what_another_says_and_leaves_the_rest(tmp_path: Path, variable: str) -> None:
    said = "hugepages=512 root=UUID=x default_hugepagesz=1G hugepagesz=1G hugepages=2 quiet splash"
    configured = [ConfiguredValue("boot", "/etc/default/grub", 1, "hugepages", "512")]
    made = artefacts.pool_in_grub([PoolChange(GIB, 8, 2, default_page_bytes=2 * MIB)], said, configured)
    now = grub_variables(tmp_path, f'{variable}="{said}"\n', made.text)
    assert {"root=UUID=x", "quiet", "splash"} <= set(now.split())
    kernel = Kernel(now)
    assert kernel.warnings == []
    assert kernel.pools[GIB] == "8"


def test_grub_s_file_of_another_time_is_replaced_not_added_to(tmp_path: Path) -> None:
    own = [ConfiguredValue("boot", "/etc/default/grub.d/99-hugepage-advisor.cfg", 4, "hugepages", "4")]
    made = artefacts.pool_in_grub([PoolChange(GIB, 8, 4)], "ro hugepagesz=1G hugepages=4", own)
    assert Kernel(grub_variables(tmp_path, 'GRUB_CMDLINE_LINUX="ro"\n', made.text)).pools[GIB] == "8"


def grubby(options: str, command: str) -> str:
    """One entry's options after grubby --update-kernel: removals first, then one value for each name. A name is also
    found as the end of a longer one (seen in its script for boot loader specification entries)."""
    words = shlex.split(command)
    removed, added = (
        [word.partition("=")[2] for word in words if word.startswith(o)] for o in ("--remove", "--args")
    )
    for word in " ".join(removed).split():
        options = re.sub(rf"{re.escape(word)}\S*", "", options, count=1)
    for word in " ".join(added).split():
        name = word.partition("=")[0]
        there = re.search(rf"{name}=\S*", options)
        options = options.replace(there[0], word, 1) if there else f"{options} {word}"
    return options


@pytest.mark.parametrize("before", ["ro quiet", "ro hugepagesz=1G hugepages=2 quiet", "ro hugepagesz=1G hugepages=8"])
def test_grubby_makes_the_line_and_the_undo_brings_the_old_one_back(before: str) -> None:
    made = artefacts.pool_with_grubby([PoolChange(GIB, 8, 2, default_page_bytes=2 * MIB)], before)
    update, undo = (next(x for x in t.splitlines() if "--update-kernel" in x) for t in (made.text, made.undo))
    now = grubby(before, update)
    assert "hugepagesz=1G hugepages=8" in now
    assert Kernel(now).pools[GIB] == "8" and Kernel(now).warnings == []
    assert sorted(grubby(now, undo).split()) == sorted(before.split())


def test_what_grubby_would_merge_is_left_to_a_person() -> None:
    for before in ("hugepagesz=2M hugepages=4", "default_hugepagesz=1G hugepages=2"):
        assert artefacts.pool_with_grubby([PoolChange(GIB, 8, 2)], before).by_hand


def test_the_kernel_cmdline_file_is_rewritten_and_back(tmp_path: Path) -> None:
    file = tmp_path / "cmdline"
    before = "root=/dev/sda1 hugepagesz=2M hugepages=512 quiet"
    file.write_text(before + "\n")
    made = artefacts.pool_in_kernel_cmdline([PoolChange(GIB, 8, 0)], before)

    def run(text: str) -> str:
        sed = next(line for line in text.splitlines() if line.startswith("sed"))
        subprocess.run(["sh", "-c", sed.replace("/etc/kernel/cmdline", str(file))], check=True)
        return file.read_text()

    for _ in range(2):
        now = run(made.text)
        assert Kernel(now).pools == {2 * MIB: "512", GIB: "8"} and Kernel(now).warnings == []
    assert sorted(run(made.undo).split()) == sorted(before.split())
