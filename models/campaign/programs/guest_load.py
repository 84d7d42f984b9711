"""A QEMU guest that reads its memory at random: `guest_load.py FOLDER prepare | KIND RAM_MIB USED_MIB SECONDS`.

KIND of its RAM: "anonymous" (QEMU's default) or "shared" (memfd, as vhost-user and virtiofs need it). A policy's pool
backs it with hugetlb pages. KVM where /dev/kvm works, else emulation (TCG). The guest's kernel is that of
CAMPAIGN_GUEST_KERNEL, else the newest of /boot; linux-image-cloud-amd64 is enough.
"""

from __future__ import annotations

import os
import re
import shutil
import stat
import subprocess
import sys
from pathlib import Path

from servers import page_bytes

KERNEL_ENV = "CAMPAIGN_GUEST_KERNEL"
CONSOLE = (5, 1)
"""Major and minor number of /dev/console: the kernel opens it before /init runs."""


def kernel() -> Path:
    if given := os.environ.get(KERNEL_ENV):
        return Path(given)
    found = sorted(Path("/boot").glob("vmlinuz-*"), key=lambda path: path.stat().st_mtime)
    if not found:
        raise SystemExit(f"no /boot/vmlinuz-*; name a kernel in {KERNEL_ENV}")
    return found[-1]


def prepare(folder: Path) -> None:
    """Kernel and initial RAM disk in `folder`."""
    folder.mkdir(parents=True, exist_ok=True)
    shutil.copyfile(kernel(), folder / "kernel")
    source = Path(__file__).with_name("guest_init.c")
    subprocess.run(["gcc", "-O2", "-static", "-o", str(folder / "init"), str(source)], check=True)
    (folder / "initrd").write_bytes(archive((folder / "init").read_bytes()))


def archive(init: bytes) -> bytes:
    """A cpio archive (Documentation/driver-api/early-userspace/buffer-format.rst) with /init and /dev/console."""
    return b"".join(
        (
            entry("dev", stat.S_IFDIR | 0o755),
            entry("dev/console", stat.S_IFCHR | 0o600, device=CONSOLE),
            entry("init", stat.S_IFREG | 0o755, init),
            entry("TRAILER!!!", 0),
        )
    )


def entry(name: str, mode: int, data: bytes = b"", device: tuple[int, int] = (0, 0)) -> bytes:
    name_bytes = name.encode() + b"\0"
    fields = (0, mode, 0, 0, 1, 0, len(data), 0, 0, *device, len(name_bytes), 0)
    head = b"070701" + b"".join(b"%08X" % value for value in fields)
    return padded(head + name_bytes) + padded(data)


def padded(data: bytes) -> bytes:
    return data + b"\0" * (-len(data) % 4)


def memory_options(kind: str, ram_mib: int) -> list[str]:
    page = page_bytes()
    if kind == "anonymous" and page is None:
        return ["-m", str(ram_mib)]
    backend = f"memory-backend-memfd,id=ram,size={ram_mib}M,share={'on' if kind == 'shared' else 'off'}"
    if page is not None:
        backend += f",hugetlb=on,hugetlbsize={page}"
    return ["-m", str(ram_mib), "-object", backend, "-machine", "memory-backend=ram"]


def kvm_works() -> bool:
    """The CPU can virtualise and we may ask it to; /dev/kvm alone is there on hosts where guests hang."""
    flags = set(Path("/proc/cpuinfo").read_text().split())
    return bool(flags & {"vmx", "svm"}) and os.access("/dev/kvm", os.R_OK | os.W_OK)


def measure(folder: Path, kind: str, ram_mib: int, used_mib: int, seconds: float) -> None:
    words = f"console=ttyS0 quiet panic=-1 GUEST_MIB={used_mib} GUEST_MILLISECONDS={seconds * 1000:.0f}"
    accelerator = "kvm" if kvm_works() else "tcg"
    command = ["qemu-system-x86_64", "-accel", accelerator, *memory_options(kind, ram_mib)]
    command += ["-nodefaults", "-nographic", "-no-reboot", "-serial", "stdio"]
    command += ["-kernel", str(folder / "kernel"), "-initrd", str(folder / "initrd"), "-append", words]
    print(f"accelerator {accelerator}", flush=True)
    done = subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False)
    value = re.search(r"value ([0-9.e+-]+)", done.stdout)
    if value is None:
        raise SystemExit(f"no value from the guest: {done.stdout[-500:]} {done.stderr[-500:]}")
    print(f"value {value[1]}", flush=True)


def main() -> None:
    folder = Path(sys.argv[1])
    if sys.argv[2] == "prepare":
        prepare(folder)
    else:
        kind, ram_mib, used_mib, seconds = sys.argv[2:]
        measure(folder, kind, int(ram_mib), int(used_mib), float(seconds))


if __name__ == "__main__":
    main()
