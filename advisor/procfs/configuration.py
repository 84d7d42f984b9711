"""What a host's configuration says on huge pages: facts, and parsers of the files that say it.

Nothing but settings of huge pages is kept: of a kernel command line, a unit or a script the rest may hold secrets.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from msgspec import Struct, field

from advisor.procfs.fs import decode
from advisor.procfs.text import without_octal


class ConfiguredValue(Struct, frozen=True, array_like=True):
    """A setting of a huge page knob in a configuration file.

    source: sysctl | tmpfiles | unit | script | tuned | boot. path: of the file on its host; line: from 1.
    knob: a sysctl name, a path below /sys, or (boot) a parameter's name. value: None where it is not plain.
    """

    source: str
    path: str
    line: int
    knob: str
    value: str | None


class HugetlbfsMount(Struct, frozen=True, array_like=True):
    """A mounted hugetlbfs. page_bytes: None where the kernel did not say."""

    path: str
    page_bytes: int | None


class HostConfiguration(Struct, frozen=True, omit_defaults=True):
    """Who sets what on huge pages on a host, and which tools it has to set it. None: not known.

    boot_parameters: words of the running kernel's command line on pools and THP, in their order. values: in the order
    of the files as they are applied, source by source. systemd_runs: it is PID 1. tuned_profile: of a running tuned;
    tuned_folder: where profiles of one's own belong. boot_tools and boot_files: those of `collect.configuration` that
    are there.
    """

    boot_parameters: list[str] | None = None
    values: list[ConfiguredValue] = field(default_factory=list)
    mounts: list[HugetlbfsMount] | None = None
    systemd_runs: bool | None = None
    tuned_profile: str | None = None
    tuned_folder: str | None = None
    boot_tools: list[str] | None = None
    boot_files: list[str] | None = None


_STATE = "(?:always|inherit|madvise|never|within_size|advise|deny|force)"
_SIZES = "[0-9]{1,12}[KMGkmg]?(?:[-,][0-9]{1,12}[KMGkmg]?){0,15}"

BOOT_PARAMETER = re.compile(
    r"(?:default_hugepagesz|hugepagesz)=[0-9]{1,12}[KMGkmg]?[Bb]?"
    r"|hugepages=[0-9]{1,12}(?::[0-9]{1,12})?(?:,[0-9]{1,12}:[0-9]{1,12})*"
    r"|hugetlb_cma=[0-9KMGkmg:,]{1,64}|hugetlb_free_vmemmap=[a-z]{1,8}"
    rf"|transparent_hugepage(?:_shmem|_tmpfs)?={_STATE}|thp_(?:anon|shmem)={_SIZES}:{_STATE}(?:;{_SIZES}:{_STATE}){{0,15}}"
)
"""Parameters of the kernel command line on pools and THP (kernel-parameters.txt)."""

SYSCTL_KNOBS = frozenset(
    {
        "vm.nr_hugepages",
        "vm.nr_hugepages_mempolicy",
        "vm.nr_overcommit_hugepages",
        "vm.hugetlb_shm_group",
        "vm.hugetlb_optimize_vmemmap",
    }
)
"""Names that sysctl files may set (Documentation/admin-guide/sysctl/vm.rst)."""

SYSFS_KNOB = (
    r"/sys/kernel/mm/(?:redhat_)?transparent_hugepage/(?:khugepaged/|hugepages-[0-9]+kB/)?[a-z_]{1,32}"
    r"|/sys/(?:kernel/mm|devices/system/node/node[0-9]+)/hugepages/hugepages-[0-9]+kB/nr_(?:overcommit_)?hugepages"
    r"|/proc/sys/vm/(?:nr_(?:overcommit_)?hugepages|hugetlb_shm_group)"
)
"""Kernel files of THP and of pools."""

_PLAIN_VALUE = re.compile(r"[A-Za-z0-9_+]{1,32}")
_SYSCTL_LINE = re.compile(r"-?\s*([A-Za-z0-9_./]+)\s*=\s*(.*)")
_TMPFILES_LINE = re.compile(rf"(w[+!\-=~^$]*)\s+[\"']?({SYSFS_KNOB})[\"']?\s+\S+\s+\S+\s+\S+\s+\S+\s+(.+)")
_SCRIPT_KNOB = re.compile(rf"{SYSFS_KNOB}|vm\.nr_hugepages")
_ECHO = re.compile(
    r"(?:echo|printf)\s+(?:-n\s+)?[\"']?([A-Za-z0-9_+]+)(?:\\n)?[\"']?\s*(?:>|\|\s*(?:sudo\s+)?tee\s+)\s*$"
)
_NEAR_CHARS = 128
"""Characters of a script's line before and behind the name of a file that may say its value. Source: own choice.
Reason: an echo and a word; a line of a MiB may hold 20,000 names, each of which would look through all of it."""

_ASSIGNED = re.compile(r"\s*=\s*[\"']?([0-9]+)")
_GRUB_LINE = re.compile(r"\s*(?:export\s+)?(GRUB_CMDLINE_LINUX[A-Z_]*)\+?=(.*)")
_MOUNTED_SIZE = re.compile(r"pagesize=([0-9]{1,12})([KMG])")
_UNITS = {"K": 10, "M": 20, "G": 30}


def parse_boot_parameters(data: bytes) -> list[str]:
    """Words of a kernel command line on pools and THP; what stands after "--" is for init."""
    words = decode(data).split()
    if "--" in words:
        words = words[: words.index("--")]
    return [word for word in words if BOOT_PARAMETER.fullmatch(word)]


def parse_sysctl(data: bytes, path: str) -> list[ConfiguredValue]:
    """Settings of SYSCTL_KNOBS in a file of sysctl.d(5); names may be written with slashes."""
    found = []
    for number, line in _lines(data, "#;"):
        match = _SYSCTL_LINE.fullmatch(line)
        name = match[1].replace("/", ".") if match else ""
        if match and name in SYSCTL_KNOBS:
            found.append(ConfiguredValue("sysctl", path, number, name, _plain(match[2])))
    return found


def parse_tmpfiles(data: bytes, path: str) -> list[ConfiguredValue]:
    """Lines of tmpfiles.d(5) that write to files of THP or pools."""
    found = []
    for number, line in _lines(data, "#"):
        match = _TMPFILES_LINE.fullmatch(line)
        if match:
            found.append(ConfiguredValue("tmpfiles", path, number, match[2], _plain(match[3])))
    return found


def parse_script(data: bytes, path: str, source: str) -> list[ConfiguredValue]:
    """Lines of a unit or shell script that name a file of THP or pools, with the value that an echo writes there.

    Lines that only test or read such a file are found too, with value None: whether they write is not decided here.
    """
    found = []
    for number, line in _lines(data, "#;"):
        for match in _SCRIPT_KNOB.finditer(line):
            echoed = _ECHO.search(line[max(match.start() - _NEAR_CHARS, 0) : match.start()])
            assigned = _ASSIGNED.match(line[match.end() : match.end() + _NEAR_CHARS])
            value = echoed[1] if echoed else assigned[1] if assigned else None
            found.append(ConfiguredValue(source, path, number, match[0], value))
    return found


def parse_boot_file(data: bytes, path: str) -> list[ConfiguredValue]:
    """Pool and THP parameters in /etc/default/grub (its GRUB_CMDLINE_LINUX variables) or /etc/kernel/cmdline."""
    found = []
    is_grub = "/grub" in path
    for number, line in _lines(data, "#"):
        match = _GRUB_LINE.fullmatch(line) if is_grub else None
        if is_grub and match is None:
            continue
        for word in re.split(r"[\s\"']+", match[2] if match else line):
            if BOOT_PARAMETER.fullmatch(word):
                name, _, value = word.partition("=")
                found.append(ConfiguredValue("boot", path, number, name, value))
    return found


def parse_tuned(data: bytes, path: str) -> tuple[list[ConfiguredValue], str | None]:
    """Settings of THP and pools in a tuned profile, by kernel file or sysctl name, and the profile it includes."""
    found, include, section = [], None, ""
    for number, line in _lines(data, "#;"):
        if line.startswith("["):
            section = line.strip("[]")
            continue
        name, separator, value = (part.strip() for part in line.partition("="))
        if not separator:
            continue
        if section == "main" and name == "include":
            include = value if re.fullmatch(r"[A-Za-z0-9_.-]+", value) else None
        knob = _tuned_knob(section, name)
        if knob is not None:
            found.append(ConfiguredValue("tuned", path, number, knob, _plain(value)))
    return found, include


def _tuned_knob(section: str, name: str) -> str | None:
    folder = "/sys/kernel/mm/transparent_hugepage"
    if section == "vm":
        names = {"transparent_hugepages": "enabled", "transparent_hugepage": "enabled"}
        names["transparent_hugepage.defrag"] = "defrag"
        return f"{folder}/{names[name]}" if name in names else None
    if section == "sysctl":
        return name if name in SYSCTL_KNOBS else None
    return name if section == "sysfs" and re.fullmatch(SYSFS_KNOB, name) else None


def parse_mounts(data: bytes) -> list[HugetlbfsMount]:
    """The hugetlbfs mounts of /proc/mounts; the kernel writes blanks in paths as octal."""
    found = []
    for line in data.splitlines():
        fields = line.split(b" ") if b" hugetlbfs " in line else []
        if len(fields) >= 4 and fields[2] == b"hugetlbfs":
            path = decode(without_octal(fields[1]))
            size = _MOUNTED_SIZE.search(decode(fields[3]))
            found.append(HugetlbfsMount(path, int(size[1]) << _UNITS[size[2]] if size else None))
    return found


def _lines(data: bytes, comment: str) -> Iterator[tuple[int, str]]:
    """Numbered lines, stripped, without empty ones and those that begin like a comment."""
    for number, raw in enumerate(data.split(b"\n"), 1):
        line = decode(raw).strip()
        if line and line[0] not in comment:
            yield number, line


def _plain(value: str) -> str | None:
    """The value where it is a number or a word, without quotes."""
    text = value.strip().strip("\"'")
    return text if _PLAIN_VALUE.fullmatch(text) else None
