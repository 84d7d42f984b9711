"""One setting of the kernel: what it holds, writing it, and whether it may be written at all."""

from __future__ import annotations

import errno
import os
from collections.abc import Sequence
from pathlib import Path

from advisor.trial.errors import SettingError

ALLOWED_ROOTS = (Path("/sys/kernel/mm"), Path("/proc/sys/vm"))
"""Only files below these are ever written: huge pages have no setting elsewhere, and a journal is input, so that a
damaged or hostile one must not make root write to any other file."""

POOL_SIZE = "nr_hugepages"
POOL_SURPLUS = "surplus_hugepages"

STEADY_READS = 10
"""How often a pool is read until its two numbers belong together; each read takes microseconds."""

REMEDIES = {
    errno.EACCES: "run as root",
    errno.EPERM: "run as root, outside any container",
    errno.EROFS: "/sys and /proc/sys are read-only here; run on the host itself, outside any container",
    errno.ENOENT: "this kernel does not have it",
    errno.EINVAL: "the kernel does not take this value",
}


def check_allowed(path: Path, roots: Sequence[Path]) -> None:
    """Raises SettingError unless `path` is a plain absolute path below one of `roots`, links resolved."""
    text = os.fspath(path)
    plain = text.isascii() and text.isprintable() and os.path.normpath(text) == text
    if plain and any(Path(os.path.realpath(text)).is_relative_to(os.path.realpath(root)) for root in roots):
        return
    raise SettingError(f"{text!a}: not a setting that a trial may write")


def current_value(path: Path) -> str:
    """What to write to restore the setting: the choice in brackets, a pool's persistent pages, else the whole text.

    Raises SettingError where it cannot be read.
    """
    if path.name == POOL_SIZE and (path.parent / POOL_SURPLUS).exists():
        return str(_persistent_pages(path.parent))
    text = _read(path)
    return text.partition("[")[2].partition("]")[0] or text


def _persistent_pages(folder: Path) -> int:
    """Pages that were asked for. nr_hugepages is printed with surplus pages and taken without them
    (mm/hugetlb.c set_max_huge_pages), so writing back what was read would make the surplus permanent."""
    for _ in range(STEADY_READS):
        surplus, total = _read(folder / POOL_SURPLUS), _read(folder / POOL_SIZE)
        if surplus == _read(folder / POOL_SURPLUS):
            break
    if not (surplus.isdecimal() and total.isdecimal()):
        raise SettingError(f"{folder}: not numbers of pages: {total[:40]!r}, {surplus[:40]!r}")
    return max(0, int(total) - int(surplus))


def check_writable(path: Path) -> None:
    """Raises SettingError with the remedy where the file cannot be opened for writing; writes nothing."""
    try:
        os.close(os.open(path, os.O_WRONLY | os.O_NOFOLLOW | os.O_CLOEXEC))
    except OSError as error:
        raise setting_error(path, "cannot be changed", error) from error


def write_value(path: Path, value: str) -> None:
    """Raises SettingError where the kernel refuses. What it made of the value is for the caller to read."""
    try:
        descriptor = os.open(path, os.O_WRONLY | os.O_TRUNC | os.O_NOFOLLOW | os.O_CLOEXEC)
        try:
            os.write(descriptor, f"{value}\n".encode())
        finally:
            os.close(descriptor)
    except OSError as error:
        raise setting_error(path, f"cannot be set to {value!r}", error) from error


def is_ours(path: Path, current: str, steps: Sequence[str], *, is_told: bool) -> bool:
    """Whether a trial may have left `current` in the setting.

    steps: what it held first, then what was written and what the kernel made of that. is_told: the last of them is
    what was there after the last write; else the trial may have been killed before that write. A pool may be granted
    in part, and the trial may be killed before it sees how much: any number between the last two is ours.
    """
    if current in steps[-1 if is_told else -2 :]:
        return True
    numbers = [int(text) for text in (current, *steps[-2:]) if text.isdecimal()]
    return path.name == POOL_SIZE and len(numbers) == 3 and min(numbers[1:]) <= numbers[0] <= max(numbers[1:])


def setting_error(path: Path, what: str, error: OSError) -> SettingError:
    """One line: file, what failed, the kernel's words, the remedy where there is one."""
    reason = os.strerror(error.errno) if error.errno else str(error)
    remedy = REMEDIES.get(error.errno or 0)
    return SettingError(f"{path}: {what}: {reason}" + (f"; {remedy}" if remedy else ""))


def _read(path: Path) -> str:
    try:
        return path.read_text("ascii", "backslashreplace").strip()
    except OSError as error:
        raise setting_error(path, "cannot be read", error) from error
