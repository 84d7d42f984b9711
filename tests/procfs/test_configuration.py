"""Configuration files of a host: what they say on huge pages, and nothing else of them."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from advisor.procfs.configuration import (
    ConfiguredValue,
    HugetlbfsMount,
    parse_boot_file,
    parse_boot_parameters,
    parse_mounts,
    parse_script,
    parse_sysctl,
    parse_tmpfiles,
    parse_tuned,
)

THP = "/sys/kernel/mm/transparent_hugepage"
POOL = "/sys/kernel/mm/hugepages/hugepages-1048576kB/nr_hugepages"


def test_of_a_command_line_only_the_parameters_on_huge_pages_are_kept() -> None:
    line = b"BOOT_IMAGE=/vmlinuz rd.luks.key=secret default_hugepagesz=1G hugepagesz=1G hugepages=0:4,1:2 quiet "
    line += b"transparent_hugepage=madvise thp_anon=16K-64K:always;2M:never hugetlb_cma=4G -- hugepages=7"
    assert parse_boot_parameters(line) == [
        "default_hugepagesz=1G",
        "hugepagesz=1G",
        "hugepages=0:4,1:2",
        "transparent_hugepage=madvise",
        "thp_anon=16K-64K:always;2M:never",
        "hugetlb_cma=4G",
    ]


@given(st.text())
def test_a_kept_boot_parameter_is_one_plain_word(line: str) -> None:
    for word in parse_boot_parameters(line.encode()):
        assert word.isascii() and word.isprintable() and " " not in word and "$" not in word


def test_sysctl_names_may_be_written_in_each_way() -> None:
    data = b"# vm.nr_hugepages = 1\n;x\nvm.nr_hugepages=64\n-vm/hugetlb_shm_group = 990\nkernel.shmmax=1\n"
    data += b"vm.nr_hugepages = $(x)"
    assert parse_sysctl(data, "/etc/sysctl.conf") == [
        ConfiguredValue("sysctl", "/etc/sysctl.conf", 3, "vm.nr_hugepages", "64"),
        ConfiguredValue("sysctl", "/etc/sysctl.conf", 4, "vm.hugetlb_shm_group", "990"),
        ConfiguredValue("sysctl", "/etc/sysctl.conf", 6, "vm.nr_hugepages", None),
    ]


def test_tmpfiles_that_write_to_thp_and_pools_are_found() -> None:
    data = f"d /run/x 0755\nw {THP}/enabled - - - - never\nw! {POOL} - - - - 8\nr /sys/x\n".encode()
    assert [(value.line, value.knob, value.value) for value in parse_tmpfiles(data, "/etc/tmpfiles.d/a.conf")] == [
        (2, f"{THP}/enabled", "never"),
        (3, POOL, "8"),
    ]


@pytest.mark.parametrize(
    ("line", "value"),
    [
        (f"ExecStart=/bin/sh -c 'echo never > {THP}/enabled'", "never"),
        (f"ExecStart=/bin/sh -c 'echo \"madvise\" | tee {THP}/enabled > /dev/null'", "madvise"),
        (f"echo -n always >{THP}/enabled", "always"),
        (f"test -e {THP}/enabled", None),
        (f"ExecStartPre=/opt/set --secret=hunter2 {THP}/enabled", None),
    ],
)
def test_units_and_scripts_that_write_are_found_with_what_they_write(line: str, value: str | None) -> None:
    data = f"[Service]\n{line}\n".encode()
    expected = ConfiguredValue("unit", "/etc/systemd/system/x.service", 2, f"{THP}/enabled", value)
    assert parse_script(data, "/etc/systemd/system/x.service", "unit") == [expected]


def test_a_unit_may_also_use_sysctl() -> None:
    data = b"ExecStart=sysctl -w vm.nr_hugepages=128\n"
    assert parse_script(data, "/x", "unit") == [ConfiguredValue("unit", "/x", 1, "vm.nr_hugepages", "128")]


def test_grub_s_variables_are_read_and_other_lines_are_not() -> None:
    data = b'GRUB_TIMEOUT=5\n# hugepages=1\nGRUB_CMDLINE_LINUX_DEFAULT="quiet hugepagesz=1G hugepages=4"\n'
    data += b'X="hugepages=9"\n'
    assert [(value.line, value.knob, value.value) for value in parse_boot_file(data, "/etc/default/grub")] == [
        (3, "hugepagesz", "1G"),
        (3, "hugepages", "4"),
    ]
    assert len(parse_boot_file(b"root=/dev/sda1 hugepages=4 quiet\n", "/etc/kernel/cmdline")) == 1


def test_tuned_s_plugins_are_told_as_kernel_files() -> None:
    data = "[main]\ninclude=throughput-performance\n[vm]\ntransparent_hugepages=never\n"
    data += f"[sysctl]\nvm.swappiness=3\nvm.nr_hugepages=9\n[sysfs]\n{POOL}=2\n"
    values, include = parse_tuned(data.encode(), "/usr/lib/tuned/x/tuned.conf")
    assert include == "throughput-performance"
    assert [(value.knob, value.value) for value in values] == [
        (f"{THP}/enabled", "never"),
        ("vm.nr_hugepages", "9"),
        (POOL, "2"),
    ]


def test_mounts_have_their_page_size_and_blanks_in_their_path() -> None:
    data = rb"""proc /proc proc rw 0 0
hugetlbfs /dev/hugepages hugetlbfs rw,relatime,pagesize=2M 0 0
none /mnt/huge\0401G hugetlbfs rw,gid=990,pagesize=1024M 0 0
"""
    assert parse_mounts(data) == [
        HugetlbfsMount("/dev/hugepages", 2 << 20),
        HugetlbfsMount("/mnt/huge 1G", 1 << 30),
    ]


@given(st.binary())
def test_no_file_is_an_error(data: bytes) -> None:
    for parse in (parse_sysctl, parse_tmpfiles, parse_boot_file):
        parse(data, "/etc/default/grub")
    parse_script(data, "/x", "unit")
    parse_tuned(data, "/x")
    parse_mounts(data)


def test_a_line_of_a_mebibyte_that_names_a_file_again_and_again_takes_no_minutes() -> None:
    line = b"echo never > /sys/kernel/mm/transparent_hugepage/enabled " * (1 << 14)
    assert len(parse_script(line, "etc/rc.local", "rc")) == 1 << 14


def test_a_page_size_of_more_digits_than_any_kernel_prints_is_unknown() -> None:
    (mount,) = parse_mounts(b"none /mnt hugetlbfs rw,pagesize=" + b"9" * 5000 + b"M 0 0\n")
    assert mount.page_bytes is None
