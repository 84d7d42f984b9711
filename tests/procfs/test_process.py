"""stat, status, cgroup, limits and cmdline of a process."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from advisor.procfs.errors import GoneError, IncompleteError, KernelTextError, MalformedError
from advisor.procfs.facts import CgroupMembership, Limit, Stat
from advisor.procfs.fs import KernelFs
from advisor.procfs.process import parse_cgroup, parse_cmdline, parse_limits, parse_stat, parse_status

STAT = (
    b"7785 (cat) R 7783 7783 5453 0 -1 4194304 98 11 3 12 5 6 7 8 20 0 1 0 119962 3133440 388 "
    b"18446744073709551615 94604026564608 94604026584489 140724131765024 0 0 0 0 0 0 0 0 0 17 0 0 0 0 0 0\n"
)
STATUS = b"""Name:\tpostgres
Umask:\t0077
State:\tS (sleeping)
Pid:\t4242
Uid:\t26\t27\t26\t26
VmPeak:\t  204800 kB
VmSize:\t  204000 kB
VmLck:\t      16 kB
VmPin:\t       8 kB
VmHWM:\t  150000 kB
VmRSS:\t  140000 kB
RssAnon:\t  100000 kB
RssFile:\t   30000 kB
RssShmem:\t   10000 kB
VmData:\t   99000 kB
VmStk:\t     132 kB
VmPTE:\t     444 kB
VmSwap:\t       4 kB
HugetlbPages:\t    6144 kB
THP_enabled:\t0
Threads:\t3
SigQ:\t0/96365
Cpus_allowed:\t3
"""
LIMITS = b"""Limit                     Soft Limit           Hard Limit           Units     
Max cpu time              unlimited            unlimited            seconds   
Max core file size        0                    unlimited            bytes     
Max locked memory         8388608              18446744073709551614 bytes     
Max nice priority         0                    0                    
"""  # noqa: W291


def test_stat_gives_the_fields_of_the_manual_page() -> None:
    assert parse_stat(STAT) == Stat("cat", "R", 7783, 4194304, 98, 3, 5, 6, 1, 119962, 3133440, 388, 11, 7, 8)


def test_stat_takes_no_negative_time_of_children_for_a_time() -> None:
    stat = parse_stat(STAT.replace(b" 7 8 20 ", b" -7 -8 20 "))
    assert (stat.children_user_ticks, stat.children_system_ticks, stat.rss_pages) == (None, None, 388)


@pytest.mark.parametrize("name", [b"a) R 1 (b", b"((sd-pam))", b"tmux: server", b"x\ny", b"", b")"])
def test_stat_takes_any_process_name(name: bytes) -> None:
    assert parse_stat(STAT.replace(b"cat", name)).comm == name.decode()


@given(st.binary(max_size=15))
def test_stat_reads_the_same_numbers_behind_every_name(name: bytes) -> None:
    stat = parse_stat(STAT.replace(b"cat", name))
    assert (stat.ppid, stat.start_ticks, stat.rss_pages) == (7783, 119962, 388)


def test_stat_of_an_old_kernel_may_end_after_the_resident_size() -> None:
    assert parse_stat(STAT.partition(b" 18446744073709551615")[0] + b"\n").rss_pages == 388


def test_stat_cut_inside_a_wanted_number_is_incomplete() -> None:
    end = STAT.index(b" 388 ") + 3
    with pytest.raises(IncompleteError):
        parse_stat(STAT[:end])
    with pytest.raises(IncompleteError):
        parse_stat(b"77")


def test_stat_accepts_the_largest_number_and_refuses_the_next() -> None:
    assert parse_stat(STAT.replace(b"119962", b"9223372036854775807")).start_ticks == (1 << 63) - 1
    for wrong in (b"9223372036854775808", b"-5", b"1_0", b"x", b"9" * 5000):
        with pytest.raises(MalformedError) as caught:
            parse_stat(STAT.replace(b"119962", wrong))
        assert caught.value.line == 1


def test_a_kernel_thread_is_told_by_its_flag() -> None:
    assert not parse_stat(STAT).is_kernel_thread
    assert parse_stat(STAT.replace(b"4194304", str(0x00200040).encode())).is_kernel_thread


def test_status_gives_bytes_and_the_real_user() -> None:
    status = parse_status(STATUS)
    assert (status.name, status.uid, status.threads, status.thp_enabled) == ("postgres", 26, 3, 0)
    assert status.vm_rss_bytes == 140000 * 1024
    assert status.rss_anon_bytes == 100000 * 1024
    assert status.vm_pte_bytes == 444 * 1024
    assert status.hugetlb_bytes == 6 << 20
    assert status.vm_pinned_bytes == 8192


def test_status_of_a_kernel_thread_has_no_memory_and_not_zero_memory() -> None:
    status = parse_status(b"Name:\tkhugepaged\nUid:\t0\t0\t0\t0\nThreads:\t1\nSigQ:\t0/1\n")
    assert status.vm_rss_bytes is None
    assert status.hugetlb_bytes is None
    assert status.thp_enabled is None


def test_status_of_an_old_kernel_leaves_its_missing_lines_unknown() -> None:
    old = b"".join(
        line for line in STATUS.splitlines(keepends=True) if not line.startswith((b"Rss", b"Huge", b"THP", b"VmPin"))
    )
    status = parse_status(old)
    assert status.vm_rss_bytes == 140000 * 1024
    assert (status.rss_anon_bytes, status.hugetlb_bytes, status.thp_enabled) == (None, None, None)


@pytest.mark.parametrize(
    ("old", "new", "line"),
    [
        (b"  140000 kB", b"  140000 MB", 11),
        (b"  140000 kB", b"  14x000 kB", 11),
        (b"  140000 kB", b" 9007199254740992 kB", 11),
        (b"26\t27\t26\t26", b"26", 5),
        (b"THP_enabled:\t0", b"THP_enabled:\tyes", 20),
        (b"State:", b"State", 3),
        (b"Name:", b"Nome:", 1),
    ],
)
def test_status_names_the_broken_line(old: bytes, new: bytes, line: int) -> None:
    with pytest.raises(MalformedError) as caught:
        parse_status(STATUS.replace(old, new))
    assert caught.value.line == line


def test_status_cut_off_is_incomplete() -> None:
    with pytest.raises(IncompleteError):
        parse_status(STATUS[: STATUS.index(b"VmRSS") + 12])


def test_cgroup_lines_may_hold_colons_and_no_controllers() -> None:
    text = b"12:hugetlb,pids:/kube/pod:1\n1:name=systemd:/\n0::/user.slice/a (deleted)\n"
    assert parse_cgroup(text) == [
        CgroupMembership(12, ["hugetlb", "pids"], "/kube/pod:1"),
        CgroupMembership(1, ["name=systemd"], "/"),
        CgroupMembership(0, [], "/user.slice/a (deleted)"),
    ]
    assert parse_cgroup(b"") == []


@pytest.mark.parametrize("wrong", [b"0::\n", b"x::/\n", b"0:/\n", b"\n", b"0::relative\n"])
def test_cgroup_lines_of_another_shape_are_malformed(wrong: bytes) -> None:
    with pytest.raises(MalformedError) as caught:
        parse_cgroup(b"0::/\n" + wrong)
    assert caught.value.line == 2


def test_limits_tell_unlimited_from_zero_and_keep_the_unit() -> None:
    assert parse_limits(LIMITS) == [
        Limit("Max cpu time", None, None, "seconds"),
        Limit("Max core file size", 0, None, "bytes"),
        Limit("Max locked memory", 8388608, None, "bytes"),
        Limit("Max nice priority", 0, 0, ""),
    ]


def test_limits_refuse_a_word_for_a_number() -> None:
    with pytest.raises(MalformedError) as caught:
        parse_limits(LIMITS.replace(b"8388608", b"eightme"))
    assert caught.value.line == 4
    with pytest.raises(MalformedError):
        parse_limits(LIMITS.partition(b"\n")[2])


@pytest.mark.parametrize(
    ("raw", "arguments"),
    [
        (b"", []),
        (b"\0\0\0", []),
        (b"java\0-Xmx4g\0", ["java", "-Xmx4g"]),
        (b"a\0\0b\0", ["a", "", "b"]),
        (b"postgres: writer process\0\0\0\0", ["postgres: writer process"]),
        (b"caf\xc3\xa9\0\xff\0", ["café", "\\xff"]),
    ],
)
def test_cmdline_splits_at_nul(raw: bytes, arguments: list[str]) -> None:
    assert parse_cmdline(raw) == arguments


def test_this_process_reads_as_the_operating_system_says() -> None:
    fs, pid = KernelFs(), os.getpid()
    if not Path("/proc/self/stat").exists():
        pytest.skip("no /proc here")
    stat = fs.parse_process(pid, "stat", parse_stat)
    status = fs.parse_process(pid, "status", parse_status)
    assert stat.ppid == os.getppid()
    assert (status.uid, status.name) == (os.getuid(), stat.comm)
    assert fs.parse_process(pid, "cmdline", parse_cmdline)
    assert fs.parse_process(pid, "limits", parse_limits)
    fs.parse_process(pid, "cgroup", parse_cgroup)


def test_every_process_of_this_host_parses_or_is_gone() -> None:
    fs = KernelFs()
    if not Path("/proc/self/stat").exists():
        pytest.skip("no /proc here")
    parsers = {"stat": parse_stat, "status": parse_status, "cgroup": parse_cgroup, "limits": parse_limits}
    for pid in (int(name) for name in fs.list_proc() if name.isdigit()):
        for name, parser in parsers.items():
            try:
                fs.parse_process(pid, name, parser)
            except KernelTextError as error:
                assert error.reason in {GoneError.reason, "denied"}, str(error)
