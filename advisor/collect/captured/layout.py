"""Which member of a capture is which file of a host: pure functions of names.

Known layouts: a folder with proc and sys in it at any depth (a sosreport, `cp -a --parents`, `tar` with a prefix),
and the content of /proc itself (smem's captures, `tar -C /proc`). Names that lead upwards belong to nothing.
"""

from __future__ import annotations

import re
from typing import Literal, NamedTuple

from advisor.collect.configuration import SYSCTL_FOLDERS, TMPFILES_FOLDERS, TUNED_FOLDERS, UNIT_FOLDERS

Area = Literal["proc", "flat", "host"]

LONGEST_NAME_CHARS = 1024
"""Of a member's name. Source: own choice. Reason: longer ones are attacks; a path may have 4096 (PATH_MAX)."""

COMMANDS_FOLDER = "sos_commands"
"""Where a sosreport keeps what commands printed (sos/report/plugins)."""

_PID_FILES = "stat|status|smaps|smaps_rollup|cmdline|cgroup|limits|numa_maps|exe"
_OF_PROC = (
    rf"[0-9]{{1,10}}/(?:{_PID_FILES})|1/maps"
    r"|meminfo|vmstat|buddyinfo|zoneinfo|pagetypeinfo|cpuinfo|cmdline|mounts|uptime|version|sysinfo"
    r"|pressure/(?:cpu|io|memory)"
    r"|sys/kernel/(?:osrelease|hostname|arch|random/boot_id)"
)
_OF_SYS = (
    r"kernel/mm/(?:transparent_hugepage|hugepages)/(?:[^/]+/){0,2}[^/]+"
    r"|devices/system/node/(?:node[0-9]+/(?:meminfo|hugepages/[^/]+/[^/]+)|online)"
    r"|devices/system/clocksource/clocksource0/available_clocksource"
    r"|fs/cgroup/(?:[^/]+/)*(?:cgroup\.controllers|hugetlb\.[^/]+|memory\.(?:max|current|stat|limit_in_bytes"
    r"|usage_in_bytes))"
    r"|hypervisor/type|class/dmi/id/(?:sys_vendor|product_name)"
)
_CONFIGURED = "|".join(
    re.escape(folder) + ending
    for folders, ending in (
        (SYSCTL_FOLDERS, r"/[^/]+\.conf"),
        (TMPFILES_FOLDERS, r"/[^/]+\.conf"),
        (UNIT_FOLDERS, r"/(?:[^/]+\.service|[^/]+\.service\.d/[^/]+\.conf)"),
        (TUNED_FOLDERS, r"/[^/]+/tuned\.conf"),
    )
    for folder in folders
)
_COMMANDS = r"(?:kernel/uname_-a|(?:host|general|hostname)/hostname|process/ps_aux[wm]*)"
_OF_HOST = (
    rf"sys/(?:{_OF_SYS})|{COMMANDS_FOLDER}/{_COMMANDS}|{_CONFIGURED}"
    r"|etc/(?:sysctl\.conf|rc\.local|rc\.d/rc\.local|tuned/active_profile|default/grub|default/grub\.d/[^/]+\.cfg"
    r"|kernel/cmdline)|run/tuned/tuned\.pid"
)
_PROC = re.compile(rf"proc/(?:{_OF_PROC})")
_HOST = re.compile(_OF_HOST)
_FLAT = re.compile(_OF_PROC)
_FLAT_NAMES = frozenset(re.findall(r"[a-z_]+", _OF_PROC))
_FLAT_DEPTH = 4
"""The last components of what _FLAT matches, for speed, and how many components it has at most."""

_TOPS = frozenset({"proc", "sys", "etc", "run", "usr", "lib", COMMANDS_FOLDER})
"""First components of what is wanted of a host."""

_IDENTIFYING = re.compile(r"meminfo|[0-9]+/(?:smaps|smaps_rollup|status|stat)")
"""A file below /proc that makes the folder above it a capture."""

_BARREN = re.compile(
    r"(?:.*/)?(?:proc/(?:sys/(?!kernel$)[^/]+|[a-z]+(?<!/sys)(?<!/pressure))"
    r"|[0-9]{1,10}/(?:task|net|fd|fdinfo|map_files|attr|ns|root|cwd)"
    r"|sys/(?:block|bus|dev|firmware|module|power|kernel/(?!mm$)[^/]+|devices/(?!system$)[^/]+"
    r"|devices/system/(?!(?:node|clocksource)$)[^/]+|class/(?!dmi$)[^/]+)|sos_commands/(?!kernel$|host|general$|process$)[^/]+"
    r"|etc/(?!sysctl|tmpfiles|systemd$|tuned$|default$|rc|kernel$)[^/]+|var|usr/share)"
)
"""Folders in which nothing is wanted, however deep. Only to spare walks: names decide what is taken."""


class Place(NamedTuple):
    """Where a member belongs. root: the folder that stands for the host, "" or a path inside the capture.

    area: proc (below root/proc), flat (root is itself a /proc), host (everything else, by its path on the host).
    path: below /proc for proc and flat, below / for host.
    """

    root: str
    area: Area
    path: str

    @property
    def identifies(self) -> bool:
        """Whether the root is a capture because of this member."""
        return self.area != "host" and _IDENTIFYING.fullmatch(self.path) is not None

    @property
    def pid(self) -> int | None:
        first, slash, _ = self.path.partition("/")
        return int(first) if self.area != "host" and slash and first.isdigit() else None


def place_of(name: str) -> Place | None:
    """What a member is; None where nothing that is wanted, or where its name leads upwards or is absurdly long."""
    parts = [part for part in name.split("/") if part not in ("", ".")]
    if ".." in parts or "\0" in name or len(name) > LONGEST_NAME_CHARS:
        return None
    for i, part in enumerate(parts):
        if part not in _TOPS:
            continue
        rest = "/".join(parts[i:])
        if _PROC.fullmatch(rest):
            return Place("/".join(parts[:i]), "proc", rest.removeprefix("proc/"))
        if _HOST.fullmatch(rest):
            return Place("/".join(parts[:i]), "host", rest)
    if not parts or parts[-1] not in _FLAT_NAMES:
        return None
    for i in range(max(0, len(parts) - _FLAT_DEPTH), len(parts)):
        rest = "/".join(parts[i:])
        if _FLAT.fullmatch(rest) and "task" not in parts[:i]:
            return Place("/".join(parts[:i]), "flat", rest)
    return None


def may_hold(folder: str) -> bool:
    """False for a folder of a capture on disk that is not worth a walk: nothing wanted is in it at any depth."""
    return _BARREN.fullmatch(folder) is None
