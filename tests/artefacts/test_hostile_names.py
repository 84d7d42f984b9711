"""Names from the host never reach a text in a form in which they could be something else."""

from __future__ import annotations

import shlex
import subprocess

import pytest
from hypothesis import given
from hypothesis import strategies as st

from advisor import artefacts
from advisor.artefacts import PoolChange, ThpChange, pool_parameters
from advisor.artefacts.model import kib, plain_path, size_label, slug, unit_name
from advisor.units import GIB, MIB

BAD_UNITS = [
    "",
    "a.scope",
    "-x.service",
    "a b.service",
    "a;reboot.service",
    "$(reboot).service",
    "../../etc/passwd.service",
    "a\n.service",
    "a/b.service",
    "..service",
    "a" * 250 + ".service",
]


@pytest.mark.parametrize("unit", BAD_UNITS)
def test_what_is_no_service_name_is_refused(unit: str) -> None:
    for make in (lambda: artefacts.memory_thp(unit, "disable"), lambda: artefacts.malloc_drop_in(unit, None)):
        with pytest.raises(ValueError, match="service"):
            make()


@given(st.text())
def test_a_unit_name_is_refused_or_harmless_in_a_shell(name: str) -> None:
    try:
        unit = unit_name(name)
    except ValueError:
        return
    assert shlex.split(f"rm {shlex.quote(unit)}") == ["rm", name]
    assert "/" not in unit and not unit.startswith("-")


@given(st.lists(st.text(st.characters(exclude_categories=("C", "Z"), include_characters=" '\"$`\\;&|")), min_size=1))
def test_a_command_comes_out_of_the_shell_as_it_went_in(command: list[str]) -> None:
    text = artefacts.malloc_command("x", command, None).text
    line = [line for line in text.splitlines() if not line.startswith("#")]
    assert shlex.split(line[0])[2:] == command
    assert len(line) == 1
    assert shlex.split(artefacts.thp_off_command("x", command).text)[3:] == command


@pytest.mark.parametrize("command", [[], ["a\nrm -rf /"], ["a", "\x1b[2J"]])
def test_a_command_that_cannot_be_shown_is_refused(command: list[str]) -> None:
    with pytest.raises(ValueError, match="pasted"):
        artefacts.malloc_command("x", command, None)
    with pytest.raises(ValueError, match="pasted"):
        artefacts.thp_off_command("x", command)


@pytest.mark.parametrize("cgroup", ["", "/", "relative", "/a/../b", "/a//b", "/a/./b", "/a\nb", "/a\0b"])
def test_a_cgroup_path_that_is_no_plain_path_is_refused(cgroup: str) -> None:
    with pytest.raises(ValueError, match="path"):
        artefacts.cgroup_limit(cgroup, 2 * MIB, 0, None)


@given(st.text(min_size=1))
def test_a_plain_path_is_quoted_as_one_word(name: str) -> None:
    try:
        path = plain_path(f"/{name}")
    except ValueError:
        return
    assert shlex.split(shlex.quote(path)) == [path]


@pytest.mark.parametrize("page_bytes", [-1, 0, 1, 1000, 3 * MIB])
def test_what_is_no_page_size_is_refused(page_bytes: int) -> None:
    with pytest.raises(ValueError, match="no huge page size"):
        artefacts.pool_now(PoolChange(page_bytes, 1, 0))
    with pytest.raises(ValueError, match="no huge page size"):
        kib(page_bytes)


@pytest.mark.parametrize("pages", [-1, 1.5, True, "1; reboot"])
def test_what_is_no_number_of_pages_is_refused(pages: object) -> None:
    with pytest.raises(ValueError, match="count"):
        artefacts.pool_now(PoolChange(2 * MIB, pages, 0))  # type: ignore[arg-type]


def test_values_that_no_kernel_switch_has_are_refused() -> None:
    with pytest.raises(ValueError, match="enabled"):
        ThpChange("enabled", "sometimes", None)
    with pytest.raises(ValueError, match="enabled"):
        ThpChange("enabled", "always", "$(reboot)")
    with pytest.raises(ValueError, match="enabled"):
        ThpChange("enabled", "inherit", None)
    with pytest.raises(ValueError, match="khugepaged"):
        artefacts.khugepaged_now({"../enabled": 1}, {})


@pytest.mark.parametrize("tunables", ['a=1" Environment=X', "a", "a=%n", "a=1::b=2", "a=1\n"])
def test_malformed_tunables_are_not_repeated(tunables: str) -> None:
    with pytest.raises(ValueError, match="GLIBC_TUNABLES"):
        artefacts.malloc_setting(None, tunables)


def test_other_tunables_are_kept() -> None:
    assert artefacts.malloc_setting(2 * MIB, "a.b=1:glibc.malloc.hugetlb=1:c.d=2") == (
        "a.b=1:c.d=2:glibc.malloc.hugetlb=2097152:glibc.malloc.mmap_threshold=2097152"
    )


@pytest.mark.parametrize("guest_bytes", [0, GIB + 1, 3 * GIB // 2])
def test_guest_ram_that_is_no_whole_number_of_pages_is_refused(guest_bytes: int) -> None:
    with pytest.raises(ValueError, match="whole number"):
        artefacts.qemu_memory("x", GIB, guest_bytes, host_node=None, shared=False)
    with pytest.raises(ValueError, match="whole number"):
        artefacts.libvirt_memory("x", GIB, guest_bytes, shared=False)


def test_a_guest_s_name_is_quoted_and_is_no_option() -> None:
    undo = artefacts.libvirt_memory("--help; reboot", GIB, GIB, shared=False).undo
    assert shlex.split(undo, comments=True) == ["virsh", "edit", "--", "--help; reboot"]
    with pytest.raises(ValueError, match="guest"):
        artefacts.libvirt_memory("a\nb", GIB, GIB, shared=False)


@pytest.mark.parametrize(
    ("command_line", "expected"),
    [
        (None, "hugepagesz=1G hugepages=8"),
        ("ro hugepagesz=1G hugepages=2", "hugepagesz=1G hugepages=8"),
        ("ro hugepagesz=2M hugepages=64", "hugepagesz=2M hugepages=64 hugepagesz=1G hugepages=8"),
        ("hugepages=64", "hugepagesz=2M hugepages=64 hugepagesz=1G hugepages=8"),
        ("default_hugepagesz=1G hugepages=2", "default_hugepagesz=1G hugepagesz=1G hugepages=8"),
        (
            "hugepagesz=2M hugepages=3 default_hugepagesz=1G hugepages=2",
            "default_hugepagesz=1G hugepagesz=2M hugepages=3 hugepagesz=1G hugepages=8",
        ),
        ("hugepagesz=1GB hugepages=0:1,1:1", "hugepagesz=1G hugepages=8"),
        ("hugepages=$(reboot) hugepagesz=x hugepagesz=3 quiet", "hugepagesz=1G hugepages=8"),
    ],
)
def test_the_command_line_keeps_the_other_pools_and_replaces_this_one(
    command_line: str | None, expected: str
) -> None:
    assert pool_parameters([PoolChange(GIB, 8, 0, default_page_bytes=2 * MIB)], command_line) == expected


def test_a_pool_of_an_unknown_default_size_is_kept_in_front() -> None:
    assert pool_parameters([PoolChange(GIB, 8, 0)], "hugepages=64") == "hugepages=64 hugepagesz=1G hugepages=8"


def test_one_place_cannot_get_two_numbers() -> None:
    twice = [PoolChange(GIB, 8, 0), PoolChange(GIB, 4, 0, node=0)]
    with pytest.raises(ValueError, match="same place"):
        pool_parameters(twice, None)


def test_page_sizes_have_the_kernel_s_labels() -> None:
    labels = {64 << 10: "64K", MIB: "1M", 2 * MIB: "2M", 512 * MIB: "512M", GIB: "1G", 16 * GIB: "16G"}
    assert {size: size_label(size) for size in labels} == labels


def test_ids_are_made_of_plain_characters() -> None:
    assert slug("a b/c;d") == "a-b-c-d"
    assert slug("---") == "unnamed"


def test_the_wrapper_switches_thp_off_for_the_program_that_it_runs() -> None:
    text = artefacts.thp_off_command("x", ["cat", "/proc/self/status"]).text
    result = subprocess.run(["sh", "-c", text], capture_output=True, text=True, check=True)
    if "THP_enabled" not in result.stdout:
        pytest.skip("this kernel does not print THP_enabled")
    assert "THP_enabled:\t0" in result.stdout
