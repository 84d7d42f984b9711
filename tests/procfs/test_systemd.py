"""The version of systemd from the maps of process 1."""

from __future__ import annotations

import pytest

from advisor.procfs.systemd import parse_systemd_version

LINE = b"7f2a1c000000-7f2a1c1f0000 r-xp 00050000 fe:00 1835 /usr/lib/x86_64-linux-gnu/systemd/"


@pytest.mark.parametrize(
    ("library", "version"),
    [
        (b"libsystemd-shared-252.so", 252),
        (b"libsystemd-shared-257.7-1.fc42.so", 257),
        (b"libsystemd-shared-260~rc1.so", 260),
    ],
)
def test_the_version_is_in_the_name_of_its_own_library(library: bytes, version: int) -> None:
    assert parse_systemd_version(LINE + library + b"\n") == version


@pytest.mark.parametrize("maps", [b"", LINE + b"libc.so.6\n", LINE + b"libsystemd-shared-.so\n"])
def test_another_init_has_no_version(maps: bytes) -> None:
    assert parse_systemd_version(maps) is None
