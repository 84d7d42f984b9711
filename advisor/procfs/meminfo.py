"""`/proc/meminfo` and `/sys/devices/system/node/nodeN/meminfo` (proc_meminfo(5)). Pure functions of bytes."""

from __future__ import annotations

from advisor.procfs.errors import MalformedError
from advisor.procfs.text import parse_kib, parse_name, parse_number, whole_lines


def parse_meminfo(data: bytes) -> dict[str, int]:
    """Every line by its name: bytes where the kernel prints kB, else a count (HugePages_* in pages)."""
    facts: dict[str, int] = {}
    for number, line in enumerate(whole_lines(data), 1):
        _add_item(line, number, facts)
    return facts


def parse_node_meminfo(data: bytes) -> dict[int, dict[str, int]]:
    """Node number -> the same as `parse_meminfo`.

    Lines begin with "Node N"; old kernels print an empty line first. Files of several nodes may be joined.
    """
    nodes: dict[int, dict[str, int]] = {}
    for number, line in enumerate(whole_lines(data), 1):
        if not line:
            continue
        word, _, rest = line.partition(b" ")
        node, _, item = rest.partition(b" ")
        if word != b"Node":
            raise MalformedError("the line does not begin with a node", line=number)
        _add_item(item, number, nodes.setdefault(parse_number(node, number), {}))
    return nodes


def _add_item(line: bytes, number: int, facts: dict[str, int]) -> None:
    name, _, value = line.partition(b":")
    fields = value.split()
    if len(fields) == 2 and fields[1] == b"kB":
        facts[parse_name(name, number)] = parse_kib(fields[0], number)
    elif len(fields) == 1:
        facts[parse_name(name, number)] = parse_number(fields[0], number)
    else:
        raise MalformedError("not a name, a number and perhaps kB", line=number)
