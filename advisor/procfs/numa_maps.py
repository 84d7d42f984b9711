"""`/proc/PID/numa_maps`: which nodes a process's memory is bound to, and where its hugetlb pages lie.

Source: fs/proc/task_mmu.c show_numa_map, mm/mempolicy.c mpol_to_str. Counts are pages of kernelpagesize_kB.
"""

from __future__ import annotations

import re
from collections import Counter

from advisor.procfs.errors import MalformedError
from advisor.procfs.facts import NumaPlacement
from advisor.procfs.text import whole_lines
from advisor.units import KIB

_LINE = re.compile(rb"[0-9a-f]{1,16} (\S+)(.*)")
_BIND = re.compile(r"bind(?:=(?:static|relative))?:([0-9,-]{1,200})")
"""MPOL_BIND alone forbids other nodes; prefer and interleave fall back to them."""

_NODE = re.compile(rb" N([0-9]{1,5})=([0-9]{1,15})")
_PAGE = re.compile(rb" kernelpagesize_kB=([0-9]{1,12})")
_HUGE = re.compile(rb" huge(?: |$)")


def parse_numa_maps(data: bytes) -> NumaPlacement:
    """Nodes by policy, weighed by resident bytes; an untouched hugetlb mapping weighs least.

    Raises MalformedError, IncompleteError.
    """
    weight: Counter[str | None] = Counter()
    hugetlb: dict[int, Counter[int]] = {}
    for number, line in enumerate(whole_lines(data) if data else [], 1):
        match = _LINE.fullmatch(line)
        if match is None:
            raise MalformedError("not address, policy, counts", line=number)
        rest = match[2]
        page = _PAGE.search(rest)
        page_bytes = int(page[1]) * KIB if page else 0
        by_node = {int(node): int(pages) * page_bytes for node, pages in _NODE.findall(rest)}
        is_huge = _HUGE.search(rest) is not None
        bound = _BIND.fullmatch(match[1].decode("ascii", "replace"))
        weight[bound[1] if bound else None] += sum(by_node.values()) + is_huge
        if is_huge and page_bytes:
            hugetlb.setdefault(page_bytes, Counter()).update(by_node)
    most = weight.most_common(1)
    return NumaPlacement(most[0][0] if most else None, {size: dict(nodes) for size, nodes in hugetlb.items()})
