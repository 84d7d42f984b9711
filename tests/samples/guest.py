"""The smallest guest: a kernel of the distribution and an initial RAM disk with one program."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterable
from pathlib import Path

from tests.samples.bench import PROGRAMS, Bench

KERNEL_ENV = "SAMPLE_GUEST_KERNEL"
"""Path of a guest kernel (bzImage), else the newest of /boot; that of linux-image-cloud-amd64 is enough."""

GUEST_TOUCHED_MIB = 768
"""MiB of its 1024 that the guest's program uses."""

GUEST_MIB = 1024

CONSOLE = (5, 1)
"""Major and minor number of /dev/console: the kernel opens it before /init runs."""


class NoGuestKernel(Exception):
    """No kernel for the guest on this machine."""


def guest_files(bench: Bench, touched_mib: int = GUEST_TOUCHED_MIB) -> tuple[str, str]:
    """(kernel, initial RAM disk) in the bench's folder; the guest's program uses `touched_mib`."""
    kernel = bench.copy(_kernel())
    source = bench.copy(PROGRAMS / "guest_init.c")
    init = bench.folder / "init"
    bench.run(["gcc", "-O2", "-static", f"-DGUEST_MIB={touched_mib}", "-o", str(init), source])
    disk = bench.folder / "initrd"
    disk.write_bytes(_newc_archive(init.read_bytes()))
    return kernel, str(disk)


def _kernel() -> Path:
    if given := os.environ.get(KERNEL_ENV):
        return Path(given)
    found = sorted(Path("/boot").glob("vmlinuz-*"), key=lambda path: path.stat().st_mtime)
    if not found:
        raise NoGuestKernel(f"no /boot/vmlinuz-*; name a kernel in {KERNEL_ENV}")
    return found[-1]


def _newc_archive(init: bytes) -> bytes:
    """A cpio archive (Documentation/driver-api/early-userspace/buffer-format.rst) with /init and /dev/console."""
    entries = (
        _entry("dev", stat.S_IFDIR | 0o755),
        _entry("dev/console", stat.S_IFCHR | 0o600, device=CONSOLE),
        _entry("init", stat.S_IFREG | 0o755, init),
        _entry("TRAILER!!!", 0),
    )
    return b"".join(entries)


def _entry(name: str, mode: int, data: bytes = b"", device: tuple[int, int] = (0, 0)) -> bytes:
    name_bytes = name.encode() + b"\0"
    fields: Iterable[int] = (0, mode, 0, 0, 1, 0, len(data), 0, 0, *device, len(name_bytes), 0)
    head = b"070701" + b"".join(b"%08X" % value for value in fields)
    return _padded(head + name_bytes) + _padded(data)


def _padded(data: bytes) -> bytes:
    return data + b"\0" * (-len(data) % 4)
