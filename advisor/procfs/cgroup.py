"""The hugetlb controller of cgroups, v1 and v2 (cgroup-v1/hugetlb.rst, cgroup-v2.rst, mm/hugetlb_cgroup.c).

The hierarchies are looked for below sysfs at fs/cgroup: v2 there itself or in `unified`, v1 in `hugetlb`.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence

from advisor.procfs.errors import MalformedError
from advisor.procfs.facts import CgroupHugetlb, CgroupMembership
from advisor.procfs.fs import KernelFs
from advisor.procfs.text import LARGEST_NUMBER, list_optional, parse_number, parse_value, read_optional

CGROUP_FOLDER = "fs/cgroup"

_FILE = re.compile(r"hugetlb\.([0-9]{1,6})(KB|MB|GB)\.\w.*")
_UNIT_BYTES = {"KB": 1 << 10, "MB": 1 << 20, "GB": 1 << 30}

V1_NO_LIMIT_SLACK_PAGES = 2
"""A v1 limit this close (in pages of its size) below 2**63 is none: the kernel rounds its largest number down
to the base page and then to the huge page (mm/page_counter.c, mm/hugetlb_cgroup.c)."""


def parse_limit(data: bytes) -> int | None:
    """A v2 limit in bytes; None for "max"."""
    text = data.strip()
    return None if text == b"max" else parse_number(text, 1)


def parse_v1_limit(data: bytes, page_bytes: int) -> int | None:
    """A v1 limit in bytes; None where it is the kernel's largest number (2**64-1 in 3.16 to 3.18)."""
    text = data.strip()
    if text == b"18446744073709551615":
        return None
    limit = parse_number(text, 1)
    return None if limit > LARGEST_NUMBER - V1_NO_LIMIT_SLACK_PAGES * page_bytes else limit


def parse_limit_hits(data: bytes) -> int:
    """The "max" count of a v2 hugetlb.*.events file: how often an allocation met the limit."""
    for number, line in enumerate(data.split(b"\n"), 1):
        name, _, value = line.partition(b" ")
        if name == b"max":
            return parse_number(value, number)
    raise MalformedError("no max line", line=1)


def read_cgroup_hugetlb(
    fs: KernelFs, membership: Sequence[CgroupMembership], problems: dict[str, str] | None = None
) -> list[CgroupHugetlb]:
    """What bounds one process: its own cgroup and all above it, root first, one entry a cgroup and page size.

    Empty where no hugetlb controller is mounted or switched on. A path with ".." lies outside this cgroup
    namespace and is not followed. Failures other than absence as in `read_thp`.
    """
    return read_all_cgroup_hugetlb(fs, [membership], problems)


def read_all_cgroup_hugetlb(
    fs: KernelFs, memberships: Iterable[Sequence[CgroupMembership]], problems: dict[str, str] | None = None
) -> list[CgroupHugetlb]:
    """The same for many processes; each cgroup is read once and comes once."""
    seen: dict[tuple[int, str], list[CgroupHugetlb]] = {}
    for root, version, path in under_controller(fs, memberships, "hugetlb", problems):
        _read_line_of_descent(fs, root, version, path, seen, problems)
    return [facts for found in seen.values() for facts in found]


def under_controller(
    fs: KernelFs,
    memberships: Iterable[Sequence[CgroupMembership]],
    controller: str,
    problems: dict[str, str] | None,
) -> Iterator[tuple[str, int, str]]:
    """(folder below sysfs, version, path in the hierarchy) of each membership that a mounted controller may bound."""
    roots: dict[tuple[int, tuple[str, ...]], str | None] = {}
    for membership in memberships:
        for entry in membership:
            version = hierarchy_version(entry, controller)
            if version is None:
                continue
            key = (version, tuple(entry.controllers))
            if key not in roots:
                roots[key] = _find_root(fs, version, entry.controllers, controller, problems)
            root = roots[key]
            if root is not None:
                yield root, version, entry.path


def hierarchy_version(entry: CgroupMembership, controller: str) -> int | None:
    """2 for the unified hierarchy, 1 for the one with the controller, None for all others."""
    if entry.hierarchy == 0 and not entry.controllers:
        return 2
    return 1 if controller in entry.controllers else None


def _find_root(
    fs: KernelFs, version: int, controllers: Sequence[str], controller: str, problems: dict[str, str] | None
) -> str | None:
    """Folder below sysfs where the hierarchy of a controller is mounted; v1 ones mounted together share a folder."""
    if version == 1:
        places = [f"{CGROUP_FOLDER}/{controller}"]
        joined = ",".join(controllers)
        if "/" not in joined and "\0" not in joined:
            places.append(f"{CGROUP_FOLDER}/{joined}")
        return next((place for place in places if list_optional(fs, place, problems)), None)
    for place in (CGROUP_FOLDER, f"{CGROUP_FOLDER}/unified"):
        if "cgroup.controllers" in list_optional(fs, place, problems):
            return place
    return None


def _read_line_of_descent(
    fs: KernelFs,
    root: str,
    version: int,
    path: str,
    seen: dict[tuple[int, str], list[CgroupHugetlb]],
    problems: dict[str, str] | None,
) -> None:
    """Reads from the root down to `path`; stops where the controller is not handed on to what is below."""
    for step in ancestors(path):
        key = (version, step)
        if key not in seen:
            seen[key] = _read_cgroup(fs, root + step.rstrip("/"), version, step, problems)
        if not seen[key] and step != "/":
            return


def ancestors(path: str) -> list[str]:
    """A cgroup and those above it, the root first: "/a/b" gives "/", "/a", "/a/b".

    Nothing for a path with ".." or a NUL.
    """
    parts = [part for part in path.split("/") if part not in ("", ".")]
    if ".." in parts or "\0" in path:
        return []
    return ["/", *("/" + "/".join(parts[:depth]) for depth in range(1, len(parts) + 1))]


def _read_cgroup(
    fs: KernelFs, folder: str, version: int, path: str, problems: dict[str, str] | None
) -> list[CgroupHugetlb]:
    matches = (_FILE.fullmatch(name) for name in list_optional(fs, folder, problems))
    sizes = {int(hit[1]) * _UNIT_BYTES[hit[2]]: f"hugetlb.{hit[1]}{hit[2]}" for hit in matches if hit}
    read = _read_v2 if version == 2 else _read_v1
    return [read(fs, f"{folder}/{sizes[size]}", path, size, problems) for size in sorted(sizes)]


def _read_v1(fs: KernelFs, prefix: str, path: str, page_bytes: int, problems: dict[str, str] | None) -> CgroupHugetlb:
    def limit(data: bytes) -> int | None:
        return parse_v1_limit(data, page_bytes)

    return CgroupHugetlb(
        path=path,
        version=1,
        page_bytes=page_bytes,
        limit_bytes=read_optional(fs, f"{prefix}.limit_in_bytes", limit, problems),
        usage_bytes=read_optional(fs, f"{prefix}.usage_in_bytes", parse_value, problems),
        rsvd_limit_bytes=read_optional(fs, f"{prefix}.rsvd.limit_in_bytes", limit, problems),
        rsvd_usage_bytes=read_optional(fs, f"{prefix}.rsvd.usage_in_bytes", parse_value, problems),
        limit_hits=read_optional(fs, f"{prefix}.failcnt", parse_value, problems),
    )


def _read_v2(fs: KernelFs, prefix: str, path: str, page_bytes: int, problems: dict[str, str] | None) -> CgroupHugetlb:
    return CgroupHugetlb(
        path=path,
        version=2,
        page_bytes=page_bytes,
        limit_bytes=read_optional(fs, f"{prefix}.max", parse_limit, problems),
        usage_bytes=read_optional(fs, f"{prefix}.current", parse_value, problems),
        rsvd_limit_bytes=read_optional(fs, f"{prefix}.rsvd.max", parse_limit, problems),
        rsvd_usage_bytes=read_optional(fs, f"{prefix}.rsvd.current", parse_value, problems),
        limit_hits=read_optional(fs, f"{prefix}.events", parse_limit_hits, problems),
    )
