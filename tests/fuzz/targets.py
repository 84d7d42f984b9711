"""What is fuzzed: every function that takes text of the kernel or a file of somebody else, and how it may end."""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import NamedTuple

from advisor.collect.captured.told import parse_hostname, parse_ps, parse_uname
from advisor.procfs.cgroup_memory import parse_cache, parse_hugetlb_accounting, parse_v1_memory_limit
from advisor.procfs.configuration import (
    parse_boot_file,
    parse_boot_parameters,
    parse_mounts,
    parse_script,
    parse_sysctl,
    parse_tmpfiles,
    parse_tuned,
)
from advisor.procfs.errors import KernelTextError
from advisor.procfs.io_uring import parse_registered_buffers
from advisor.procfs.khugepaged_trace import parse_overruns, parse_trace, tracefs_of
from advisor.procfs.numa_maps import parse_numa_maps
from advisor.procfs.pagemap_scan import parse_anonymous, parse_reachable
from advisor.procfs.process import parse_cmdline
from advisor.procfs.smaps import parse_smaps
from advisor.procfs.smaps_lines import parse_smaps_rollup
from advisor.procfs.systemd import parse_systemd_version
from advisor.procfs.text import parse_uptime, parse_version
from advisor.procfs.visibility import parse_hidepid
from advisor.procfs.zoneinfo import parse_pages_on_cpu_lists
from advisor.profile.redact import redact_command_line
from advisor.trial.dose import areas_of
from advisor.trial.environment import parse_cpu_times
from advisor.trial.live_requests import listening_tcp, listening_unix
from advisor.trial.proxies import parse_io, parse_waits
from advisor.trial.record import parse_journal
from tests.captured.makers import PS, UNAME
from tests.fuzz.mutate import mutated
from tests.procfs.test_io_uring import RING_TEXT
from tests.procfs.test_khugepaged_trace import BEFORE, NOW
from tests.procfs.test_numa_maps import LINES as NUMA_MAPS
from tests.procfs.test_pagemap_scan import MAPS
from tests.procfs.test_parsers_on_damaged_text import SOUND
from tests.procfs.test_smaps import MODERN, OLD, entry
from tests.procfs.test_systemd import LINE as SYSTEMD_LINE

CORPUS = Path(__file__).parent / "corpus"
"""Inputs by name of the target: those that once did harm, and those that reached code that no other did."""

Make = Callable[[random.Random, Sequence[bytes]], bytes]


class Target(NamedTuple):
    """Something that takes bytes. errors: what it may raise. make: an unsound input, from the seeds."""

    name: str
    run: Callable[[bytes], object]
    errors: tuple[type[Exception], ...]
    seeds: Sequence[bytes]
    make: Make = mutated

    def known(self) -> list[bytes]:
        """Its part of the corpus; the longest that reached new code are kept."""
        return [path.read_bytes() for path in sorted((CORPUS / self.name).glob("*"))]


KERNEL = (KernelTextError,)

SMAPS = [
    (
        entry(0x7F0000000000, 65536, Rss=4096, Anonymous=4096, AnonHugePages=2048) + entry(0x7FFC00000000, 132)
    ).encode(),
    entry(
        0x400000, 900, "r-xp 00000000 fe:00 12      /usr/bin/with a name (deleted)", flags=None, eligible=None
    ).encode(),
    entry(
        0x400000, 900, "rw-s 00000000 00:05 7       /SYSV00000000 (deleted)", OLD, flags=None, eligible=None
    ).encode(),
    entry(
        0x7F0000000000, 4096, "rw-p 00000000 00:0f 99  /anon_hugepage (deleted)", MODERN, "rd wr mr mw ht "
    ).encode(),
]

ROLLUP = b"55d0c0a00000-7ffffffff000 ---p 00000000 00:00 0      [rollup]\n" + b"".join(
    f"{name + ':':16}{number:8d} kB\n".encode() for number, name in enumerate(MODERN[3:])
)

CONFIGURATION = [
    b"# pools\nvm.nr_hugepages = 64\n-vm/hugetlb_shm_group = 990\nkernel.shmmax=1\n",
    b"w /sys/kernel/mm/transparent_hugepage/enabled - - - - madvise\n",
    b"[Service]\nExecStart=/bin/sh -c 'echo never > /sys/kernel/mm/transparent_hugepage/enabled'\n",
    b'GRUB_CMDLINE_LINUX="quiet hugepages=4 default_hugepagesz=1G transparent_hugepage=never"\n',
    b"[main]\ninclude=throughput-performance\n[vm]\ntransparent_hugepages=never\n[sysctl]\nvm.nr_hugepages=4\n",
]
"""One of each kind; each reader is given all of them."""

MOUNTS = b"sysfs /sys sysfs rw 0 0\nhugetlbfs /dev/huge\\040pages hugetlbfs rw,pagesize=2M 0 0\ncgroup2 /sys/fs/cgroup cgroup2 rw,memory_hugetlb_accounting 0 0\n"  # noqa: E501

COMMAND_LINES = [
    b"/usr/bin/java\0-Xmx4g\0-Dpassword=secret\0-jar\0/opt/a b.jar\0",
    b"mysql\0-u\0root\0-psecret\0--host=db7\0",
    b"postgres: writer user:word@db7 https://user:word@host/?token=abc\0",
    b'curl\0-H\0Authorization: Bearer abc.def\0--data\0{"password": "x"}\0',
]

JOURNAL = b"""\
{"journal": 1, "pid": 7, "start_ticks": 9, "boot_id": "b"}
{"change": "/sys/kernel/mm/transparent_hugepage/enabled", "before": "always", "during": "never"}
{"started": 12, "start_ticks": 10}
{"ended": 12}
{"restored": "/sys/kernel/mm/transparent_hugepage/enabled"}
"""

SOCKETS = [
    b"  sl  local_address rem_address   st\n   0: 0100007F:1538 00000000:0000 0A 0:0 00:0 0   0  0 33 1\n",
    b"Num       RefCount Protocol Flags    Type St Inode Path\n0: 00000002 00000000 00010000 0001 01 77 @name\n",
]


def _of_proc(name: str, run: Callable[[bytes], object], *seeds: bytes) -> Target:
    return Target(name, run, KERNEL, seeds)


def kernel_targets() -> list[Target]:
    """The parsers of /proc, /sys, tracefs and of configuration files; and the trial's."""
    plain = [_of_proc(parser.__name__, parser, text) for parser, text in SOUND.items()]
    return [
        *plain,
        _of_proc("parse_smaps", parse_smaps, *SMAPS),
        _of_proc("parse_smaps_rollup", parse_smaps_rollup, ROLLUP),
        _of_proc("areas_of_smaps", lambda data: areas_of(data, 2 << 20), *SMAPS),
        _of_proc("parse_numa_maps", parse_numa_maps, NUMA_MAPS),
        _of_proc("parse_maps_reachable", parse_reachable, MAPS),
        _of_proc("parse_maps_anonymous", lambda data: parse_anonymous(data, 2 << 20), MAPS),
        _of_proc("parse_systemd_version", parse_systemd_version, SYSTEMD_LINE + b"libsystemd-shared-252.so\n"),
        _of_proc("parse_registered_buffers", parse_registered_buffers, RING_TEXT),
        _of_proc("parse_trace", parse_trace, NOW, BEFORE),
        _of_proc("parse_overruns", parse_overruns, b"entries: 0\noverrun: 12\ncommit overrun: 0\n"),
        _of_proc("parse_uptime", parse_uptime, b"351735.47 234388.90\n"),
        _of_proc("parse_version", parse_version, b"Linux version 6.1.0-18-amd64 (debian) #1 SMP\n"),
        _of_proc("parse_pages_on_cpu_lists", parse_pages_on_cpu_lists, SOUND[_sound("parse_zoneinfo")]),
        _of_proc("parse_hugetlb_accounting", parse_hugetlb_accounting, MOUNTS),
        _of_proc("parse_v1_memory_limit", parse_v1_memory_limit, b"9223372036854771712\n"),
        _of_proc("parse_cache", lambda data: parse_cache(data, 1), b"inactive_file 1\ntotal_inactive_file 4096\n"),
        _of_proc("parse_mounts", parse_mounts, MOUNTS),
        _of_proc("parse_hidepid", parse_hidepid, MOUNTS, b"proc /proc proc rw,relatime,hidepid=invisible 0 0\n"),
        _of_proc("tracefs_of", tracefs_of, MOUNTS, b"tracefs /sys/kernel/tracing tracefs rw 0 0\n"),
        _of_proc("command_line", lambda data: redact_command_line(parse_cmdline(data)), *COMMAND_LINES),
        _of_proc("parse_boot_parameters", parse_boot_parameters, b"quiet hugepagesz=1G hugepages=0:4,1:2 -- a\n"),
        _of_proc("parse_sysctl", lambda data: parse_sysctl(data, "etc/sysctl.d/a.conf"), *CONFIGURATION),
        _of_proc("parse_tmpfiles", lambda data: parse_tmpfiles(data, "etc/tmpfiles.d/a.conf"), *CONFIGURATION),
        _of_proc("parse_script", lambda data: parse_script(data, "etc/rc.local", "rc"), *CONFIGURATION),
        _of_proc("parse_boot_file", lambda data: parse_boot_file(data, "etc/default/grub"), *CONFIGURATION),
        _of_proc("parse_tuned", lambda data: parse_tuned(data, "etc/tuned/a/tuned.conf"), *CONFIGURATION),
        _of_proc("parse_ps", parse_ps, PS.encode()),
        _of_proc("parse_uname", parse_uname, UNAME.encode()),
        _of_proc("parse_hostname", parse_hostname, b"db7\n"),
        _of_proc("parse_io", parse_io, b"rchar: 1\nwchar: 2\nsyscr: 3\nsyscw: 4\n"),
        _of_proc("parse_waits", parse_waits, b"Name:\ta\nvoluntary_ctxt_switches:\t7\n"),
        _of_proc(
            "parse_cpu_times", lambda data: parse_cpu_times(data, 100), b"cpu  1 2 3 4 5 6 7 8 9 10\ncpu0 1 2\n"
        ),
        _of_proc("listening_tcp", listening_tcp, *SOCKETS),
        _of_proc("listening_unix", listening_unix, *SOCKETS),
        _of_proc("parse_journal", parse_journal, JOURNAL),
    ]


def _sound(name: str) -> Callable[[bytes], object]:
    return next(parser for parser in SOUND if parser.__name__ == name)
