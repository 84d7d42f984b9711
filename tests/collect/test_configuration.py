"""Which configuration files of a host are read, in which order, and that a captured tree stays in itself."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from advisor.collect.configuration import installed_systemd, read_configuration
from advisor.procfs.fs import KernelFs

THP = "/sys/kernel/mm/transparent_hugepage/enabled"


@pytest.fixture
def host(tmp_path: Path) -> Path:
    for name in ("proc", "sys", "etc"):
        (tmp_path / name).mkdir()
    (tmp_path / "proc/cmdline").write_text("root=/dev/sda1 password=x hugepages=8\n")
    (tmp_path / "proc/mounts").write_text("none /dev/hugepages hugetlbfs rw,pagesize=2M 0 0\n")
    return tmp_path


def put(host: Path, name: str, text: str) -> None:
    path = host / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)


def fs_of(host: Path) -> KernelFs:
    return KernelFs(f"{host}/proc", f"{host}/sys")


def said(host: Path) -> list[tuple[str, str | None]]:
    return [(value.path, value.value) for value in read_configuration(fs_of(host)).values]


def test_without_configuration_the_command_line_and_mounts_are_known(host: Path) -> None:
    (host / "etc").rmdir()
    configuration = read_configuration(fs_of(host))
    assert configuration.boot_parameters == ["hugepages=8"]
    assert configuration.mounts and configuration.mounts[0].path == "/dev/hugepages"
    assert configuration.boot_tools is None and configuration.systemd_runs is None


def test_files_are_in_the_order_of_their_names_whatever_their_folder(host: Path) -> None:
    put(host, "usr/lib/sysctl.d/80-vpp.conf", "vm.nr_hugepages=1024")
    put(host, "etc/sysctl.d/99-x.conf", "vm.nr_hugepages=3")
    put(host, "run/sysctl.d/10-y.conf", "vm.nr_hugepages=2")
    put(host, "etc/sysctl.conf", "vm.nr_hugepages=4")
    assert said(host) == [
        ("/run/sysctl.d/10-y.conf", "2"),
        ("/usr/lib/sysctl.d/80-vpp.conf", "1024"),
        ("/etc/sysctl.d/99-x.conf", "3"),
        ("/etc/sysctl.conf", "4"),
    ]


def test_a_file_of_the_administrator_hides_the_package_s_of_the_same_name(host: Path) -> None:
    put(host, "usr/lib/sysctl.d/80-vpp.conf", "vm.nr_hugepages=1024")
    put(host, "etc/sysctl.d/80-vpp.conf", "")
    assert said(host) == []


def test_units_drop_ins_and_scripts_are_read(host: Path) -> None:
    put(host, "etc/systemd/system/no-thp.service", f"ExecStart=/bin/sh -c 'echo never > {THP}'")
    put(host, "etc/systemd/system/db.service.d/thp.conf", f"ExecStartPre=/bin/sh -c 'echo madvise > {THP}'")
    put(host, "etc/rc.local", f"echo always > {THP}")
    assert said(host) == [
        ("/etc/systemd/system/no-thp.service", "never"),
        ("/etc/systemd/system/db.service.d/thp.conf", "madvise"),
        ("/etc/rc.local", "always"),
    ]


def test_a_running_tuned_is_read_with_what_its_profile_includes(host: Path) -> None:
    put(host, "usr/lib/tuned/base/tuned.conf", "[vm]\ntransparent_hugepages=always")
    put(host, "etc/tuned/mine/tuned.conf", "[main]\ninclude=base\n[vm]\ntransparent_hugepages=never")
    put(host, "etc/tuned/active_profile", "mine\n")
    assert read_configuration(fs_of(host)).tuned_profile is None
    put(host, "run/tuned/tuned.pid", "7")
    configuration = read_configuration(fs_of(host))
    assert (configuration.tuned_profile, configuration.tuned_folder) == ("mine", "/etc/tuned")
    assert [value.value for value in configuration.values] == ["always", "never"]


def test_profiles_that_include_each_other_end(host: Path) -> None:
    put(host, "etc/tuned/a/tuned.conf", "[main]\ninclude=a\n[vm]\ntransparent_hugepages=never")
    put(host, "etc/tuned/active_profile", "a")
    put(host, "run/tuned/tuned.pid", "7")
    assert len(read_configuration(fs_of(host)).values) <= 8


def test_tools_and_files_of_the_boot_are_named(host: Path) -> None:
    put(host, "usr/sbin/update-grub", "")
    put(host, "etc/default/grub", 'GRUB_CMDLINE_LINUX="hugepages=8"')
    configuration = read_configuration(fs_of(host))
    assert configuration.boot_tools == ["update-grub"]
    assert configuration.boot_files == ["/etc/default/grub"]
    assert configuration.values[0].path == "/etc/default/grub"


def test_the_installed_systemd_is_known_by_its_library(host: Path) -> None:
    assert installed_systemd(fs_of(host)) is None
    put(host, "usr/lib/x86_64-linux-gnu/systemd/libsystemd-shared-252.so", "")
    assert installed_systemd(fs_of(host)) == 252


def test_a_link_out_of_a_captured_tree_is_not_followed(host: Path, tmp_path_factory: pytest.TempPathFactory) -> None:
    outside = tmp_path_factory.mktemp("outside") / "99.conf"
    outside.write_text("vm.nr_hugepages=77")
    (host / "etc/sysctl.d").mkdir()
    (host / "etc/sysctl.d/99.conf").symlink_to(outside)
    assert said(host) == []


def test_a_link_inside_a_captured_tree_is(host: Path) -> None:
    put(host, "etc/sysctl.conf", "vm.nr_hugepages=5")
    (host / "etc/sysctl.d").mkdir()
    (host / "etc/sysctl.d/99-sysctl.conf").symlink_to("../sysctl.conf")
    assert said(host) == [("/etc/sysctl.d/99-sysctl.conf", "5"), ("/etc/sysctl.conf", "5")]


def test_a_fifo_is_not_waited_for(host: Path) -> None:
    (host / "etc/sysctl.d").mkdir()
    os.mkfifo(host / "etc/sysctl.d/x.conf")
    assert said(host) == []


def test_a_tree_beside_the_live_root_does_not_take_its_configuration(tmp_path: Path) -> None:
    assert KernelFs("/proc", str(tmp_path)).config_root is None
    assert KernelFs().config_root == ""
