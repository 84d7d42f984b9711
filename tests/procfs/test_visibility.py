"""Whom /proc does not show."""

from __future__ import annotations

from pathlib import Path

import pytest

from advisor.procfs.fs import KernelFs
from advisor.procfs.visibility import INITIAL_PID_NAMESPACE, in_pid_namespace, parse_hidepid


@pytest.mark.parametrize(
    ("options", "hides"),
    [
        ("rw,nosuid,nodev,noexec,relatime", False),
        ("rw,relatime,hidepid=invisible", True),
        ("rw,hidepid=2,gid=27", True),
        ("rw,hidepid=noaccess,subset=pid", True),
        ("rw,hidepid=ptraceable", True),
        ("rw,hidepid=0", False),
        ("rw,hidepid=off,gid=27", False),
    ],
)
def test_the_mount_option_tells(options: str, hides: bool) -> None:
    assert parse_hidepid(f"sysfs /sys sysfs rw 0 0\nproc /proc proc {options} 0 0\n".encode()) is hides


def test_the_last_mount_lies_over_the_others() -> None:
    mounts = b"proc /proc proc rw 0 0\nproc /proc proc rw,hidepid=2 0 0\nproc /mnt/proc proc rw 0 0\n"
    assert parse_hidepid(mounts) is True


def test_without_a_mount_it_is_unknown() -> None:
    assert parse_hidepid(b"sysfs /sys sysfs rw,hidepid=2 0 0\n") is None


@pytest.mark.parametrize(
    ("link", "inside"),
    [(f"pid:[{INITIAL_PID_NAMESPACE}]", False), ("pid:[4026532178]", True), ("mnt:[4026532178]", None)],
)
def test_the_initial_namespace_has_a_fixed_number(tmp_path: Path, link: str, inside: bool | None) -> None:
    folder = tmp_path / "1/ns"
    folder.mkdir(parents=True)
    (folder / "pid").symlink_to(link)
    assert in_pid_namespace(KernelFs(str(tmp_path), str(tmp_path)), 1) is inside
