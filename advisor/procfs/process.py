"""Per-process text: stat, status, cgroup, limits, cmdline. Pure functions of bytes."""

from __future__ import annotations

import re

from advisor.procfs.errors import IncompleteError, MalformedError
from advisor.procfs.facts import CgroupMembership, Limit, Stat, Status
from advisor.procfs.fs import decode
from advisor.procfs.text import LARGEST_NUMBER, parse_kib, parse_number, whole_lines

_STAT_TAIL = re.compile(
    rb" (\w) (\d{1,18})"  # state, ppid
    rb"(?: -?\d+){4}"  # pgrp, session, tty_nr, tpgid
    rb" (\d{1,18}) (\d{1,18}) (\d{1,18}) (\d{1,18}) \d+"  # flags, minflt, cminflt, majflt, cmajflt
    rb" (\d{1,18}) (\d{1,18}) (-?\d{1,18}) (-?\d{1,18})(?: -?\d+){2}"  # utime, stime, cutime, cstime, priority, nice
    rb" (\d{1,18}) -?\d+"  # num_threads, itrealvalue
    rb" (\d{1,18}) (\d{1,18}) (\d{1,18})[ \n]"  # starttime, vsize, rss
)
"""Fields 3 to 24 of proc_pid_stat(5). 18 digits fit in 63 bits, so that no number needs a second look."""

_STAT_FIELDS = (1, 6, 7, 9, 11, 12, 17, 19, 20, 21, 8)
"""Places behind the name of ppid, flags, minflt, majflt, utime, stime, num_threads, starttime, vsize, rss and
cminflt, as in `Stat`; cutime and cstime follow."""

_CHILDREN_TICKS = (13, 14)
"""Places behind the name of cutime and cstime, which the manual page calls signed."""

_STATUS_SIZES = {
    b"VmPeak": "vm_peak_bytes",
    b"VmSize": "vm_size_bytes",
    b"VmLck": "vm_locked_bytes",
    b"VmPin": "vm_pinned_bytes",
    b"VmHWM": "vm_hwm_bytes",
    b"VmRSS": "vm_rss_bytes",
    b"RssAnon": "rss_anon_bytes",
    b"RssFile": "rss_file_bytes",
    b"RssShmem": "rss_shmem_bytes",
    b"VmPTE": "vm_pte_bytes",
    b"VmSwap": "vm_swap_bytes",
    b"HugetlbPages": "hugetlb_bytes",
}
_STATUS_COUNTS = {b"THP_enabled": "thp_enabled", b"Threads": "threads"}

_MEMS_ALLOWED = b"\nMems_allowed_list:"

_LIMIT = re.compile(rb"(\S.*?) {2,}(unlimited|[0-9]+) +(unlimited|[0-9]+) *([^ ]*) *")
"""A row of fs/proc/base.c proc_pid_limits: name, soft, hard, unit, padded with blanks; some have no unit."""

_LONGEST_LIMIT = 200
"""Bytes of such a row: real ones have 80, and the pattern takes the cube of the length where a row is none."""


def parse_stat(data: bytes) -> Stat:
    """`/proc/PID/stat`. The name may hold anything, also blanks, brackets and line ends."""
    head, bracket, tail = data.rpartition(b")")
    start = head.find(b"(")
    match = _STAT_TAIL.match(tail)
    if match is None or start < 0:
        return _parse_unusual_stat(head, start, bracket, tail)
    state, ppid, flags, minor, minor_ended, major, user, system, user_ended, system_ended, *rest = match.groups()
    threads, started, vsize, rss = rest
    return Stat(
        head[start + 1 :].decode("utf-8", "backslashreplace"),
        state.decode("ascii"),
        int(ppid),
        int(flags),
        int(minor),
        int(major),
        int(user),
        int(system),
        int(threads),
        int(started),
        int(vsize),
        int(rss),
        int(minor_ended),
        _ticks(user_ended),
        _ticks(system_ended),
    )


def _parse_unusual_stat(head: bytes, start: int, bracket: bytes, tail: bytes) -> Stat:
    """Field by field, for what the pattern does not take: to say what is wrong, or to accept 19 digits."""
    if not bracket or start < 0:
        raise IncompleteError("no process name in brackets", line=1)
    line = head.count(b"\n") + 1
    fields = tail.split()
    if len(fields) < 22 or (len(fields) == 22 and not tail.endswith(b"\n")):
        raise IncompleteError(f"only {len(fields)} fields after the name", line=line)
    state = decode(fields[0])
    if len(state) != 1:
        raise MalformedError(f"not a process state: {fields[0][:40]!r}", line=line)
    numbers = (parse_number(fields[place], line) for place in _STAT_FIELDS)
    children = (None if fields[place][:1] == b"-" else parse_number(fields[place], line) for place in _CHILDREN_TICKS)
    return Stat(decode(head[start + 1 :]), state, *numbers, *children)


def _ticks(token: bytes) -> int | None:
    """Clock ticks of ended children; None for a negative count, which says nothing."""
    return int(token) if token[:1] != b"-" else None


def parse_status(data: bytes) -> Status:
    """`/proc/PID/status`: name, real user id and the memory lines, in bytes; other lines are not looked at.

    The kernel writes a line end or a backslash in the name as an escape; it stays one. Only Mems_allowed_list is
    wanted after SigQ (fs/proc/array.c proc_pid_status), so half of the lines are not taken apart.
    """
    name: str | None = None
    uid: int | None = None
    values: dict[str, int] = {}
    end = data.find(b"\nSigQ:")
    lines = whole_lines(data) if end < 0 else data[:end].split(b"\n")
    for number, line in enumerate(lines, 1):
        key, colon, value = line.partition(b":")
        if key in _STATUS_SIZES:
            values[_STATUS_SIZES[key]] = _parse_status_size(value, number)
        elif key in _STATUS_COUNTS:
            values[_STATUS_COUNTS[key]] = parse_number(value.strip(), number)
        elif key == b"Name":
            name = decode(value.removeprefix(b"\t"))
        elif key == b"Uid":
            uid = _parse_real_uid(value, number)
        elif not colon:
            raise MalformedError("no colon in the line", line=number)
    if name is None:
        raise MalformedError("no Name line", line=1)
    return Status(name=name, uid=uid, mems_allowed=_mems_allowed(data, max(end, 0)), **values)


def _mems_allowed(data: bytes, begin: int) -> str | None:
    """The list of NUMA nodes behind `begin`; None where the kernel prints none (without CONFIG_CPUSETS)."""
    start = data.find(_MEMS_ALLOWED, begin)
    if start < 0:
        return None
    return decode(data[start + len(_MEMS_ALLOWED) : data.find(b"\n", start + 1)].strip()) or None


def _parse_status_size(value: bytes, line: int) -> int:
    if not value.endswith(b" kB"):
        raise MalformedError("no kB behind a size", line=line)
    return parse_kib(value[:-3].strip(), line)


def _parse_real_uid(value: bytes, line: int) -> int:
    """First of real, effective, saved and file system user id."""
    fields = value.split()
    if len(fields) != 4:
        raise MalformedError("Uid does not have four fields", line=line)
    return parse_number(fields[0], line)


def parse_cgroup(data: bytes) -> list[CgroupMembership]:
    """`/proc/PID/cgroup` (cgroups(7)), in the kernel's order; an empty file: no hierarchy."""
    if not data:
        return []
    return [_parse_membership(line, number) for number, line in enumerate(whole_lines(data), 1)]


def _parse_membership(line: bytes, number: int) -> CgroupMembership:
    fields = line.split(b":", 2)
    if len(fields) != 3 or not fields[2].startswith(b"/"):
        raise MalformedError("not hierarchy:controllers:/path", line=number)
    controllers = decode(fields[1]).split(",") if fields[1] else []
    return CgroupMembership(parse_number(fields[0], number), controllers, decode(fields[2]))


def parse_limits(data: bytes) -> list[Limit]:
    """`/proc/PID/limits`, in the kernel's order and with its names, such as "Max locked memory".

    A limit beyond 2**63-1 limits nothing that a process can have, and is told as unlimited (None).
    """
    lines = whole_lines(data)
    if not lines[0].startswith(b"Limit "):
        raise MalformedError("no heading", line=1)
    return [_parse_limit(line, number) for number, line in enumerate(lines[1:], 2)]


def _parse_limit(line: bytes, number: int) -> Limit:
    match = _LIMIT.fullmatch(line) if len(line) <= _LONGEST_LIMIT else None
    if match is None:
        raise MalformedError("not a limit: name, soft, hard, unit", line=number)
    name, soft, hard, unit = match.groups()
    return Limit(decode(name), _parse_bound(soft, number), _parse_bound(hard, number), decode(unit))


def _parse_bound(token: bytes, line: int) -> int | None:
    if token == b"unlimited" or (len(token) <= 20 and int(token) > LARGEST_NUMBER):
        return None
    return parse_number(token, line)


def parse_cmdline(data: bytes) -> list[str]:
    """`/proc/PID/cmdline`: the arguments; empty for kernel threads and zombies.

    Programs that write their title over their arguments leave one text and NULs behind it; the NULs go.
    """
    text = data.rstrip(b"\0")
    return [decode(argument) for argument in text.split(b"\0")] if text else []
