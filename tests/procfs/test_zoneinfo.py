"""zoneinfo, and the base page that it implies."""

from __future__ import annotations

import os
import re
from pathlib import Path

import pytest

from advisor.procfs.errors import IncompleteError, KernelTextError, MalformedError
from advisor.procfs.facts import Zone
from advisor.procfs.fs import KernelFs
from advisor.procfs.meminfo import parse_meminfo, parse_node_meminfo
from advisor.procfs.zoneinfo import base_page_bytes_of, parse_zoneinfo

ZONEINFO = b"""Node 0, zone      DMA
  per-node stats
      nr_inactive_anon 50
                   537792
  pages free     3840
        boost    1
        min      67
        low      83
        high     99
        spanned  4095
        present  3998
        managed  3840
        protection: (0, 3828, 7894, 7894, 7894)
      nr_free_pages 3840
      numa_hit     1
  pagesets
    cpu: 0
              count: 7
              high:  186
  vm stats threshold: 6
  start_pfn:           1
Node 1, zone   Device
  pages free     0
        min      0
        protection: (0, 0)
"""


def independent(text: str) -> list[dict[str, int]]:
    """Per zone, every "name number" line without a colon, by one pattern."""
    pattern = re.compile(r"^ +(?:pages )?([a-z]\w*) +(\d+)$", re.MULTILINE)
    zones = re.split(r"^Node \d+, zone +\w+\n", text, flags=re.MULTILINE)[1:]
    return [{name: int(number) for name, number in pattern.findall(zone)} for zone in zones]


def flat(zone: Zone) -> dict[str, int]:
    sizes = ("free", "min", "low", "high", "spanned", "present", "managed")
    return zone.counters | {name: getattr(zone, name) for name in sizes if getattr(zone, name) is not None}


def test_watermarks_are_fields_and_the_rest_are_counters() -> None:
    dma, device = parse_zoneinfo(ZONEINFO)
    assert (dma.node, dma.zone, dma.free, dma.min, dma.low, dma.high) == (0, "DMA", 3840, 67, 83, 99)
    assert (dma.spanned, dma.present, dma.managed) == (4095, 3998, 3840)
    assert dma.counters == {"nr_inactive_anon": 50, "boost": 1, "nr_free_pages": 3840, "numa_hit": 1}
    assert (device.node, device.zone, device.free, device.managed) == (1, "Device", 0, None)


def test_the_high_mark_of_a_cpu_is_not_the_high_mark_of_the_zone() -> None:
    assert parse_zoneinfo(ZONEINFO)[0].high == 99


@pytest.mark.parametrize(
    ("old", "new", "line"),
    [
        (b"min      67", b"min      x7", 7),
        (b"min      67", b"min 6 7", 7),
        (b"nr_free_pages 3840", b"nr_free_pages 9223372036854775808", 14),
        (b"Node 1, zone   Device", b"Node one, zone   Device", 22),
        (b"pages free     0", b"pages free     -1", 23),
        (b"Node 0,", b"Mode 0,", 1),
    ],
)
def test_a_broken_line_is_malformed_and_named(old: bytes, new: bytes, line: int) -> None:
    with pytest.raises(MalformedError) as caught:
        parse_zoneinfo(ZONEINFO.replace(old, new))
    assert caught.value.line == line


def test_text_without_its_last_line_end_is_incomplete() -> None:
    for cut in (0, 30, len(ZONEINFO) - 1):
        with pytest.raises(IncompleteError):
            parse_zoneinfo(ZONEINFO[:cut])


def test_every_dump_agrees_with_one_pattern_over_its_text(corpus: Path) -> None:
    dumps = sorted((corpus / "zoneinfo").iterdir())
    assert dumps
    for dump in dumps:
        text = dump.read_text()
        zones = parse_zoneinfo(text.encode())
        assert [flat(zone) for zone in zones] == independent(text), dump
        assert len(zones) == text.count("Node ")


def test_the_base_page_follows_from_two_dumps_of_one_host(corpus: Path) -> None:
    for meminfo, zoneinfo in (
        ("hotsos-1", "hotsos-1"),
        ("khandevops-1", "khandevops-1"),
        ("proc-snapshot-1", "proc-snapshot-1"),
        ("pcp-7", "pcp-2"),
    ):
        total = parse_meminfo((corpus / f"meminfo/{meminfo}.txt").read_bytes())["MemTotal"]
        assert base_page_bytes_of(total, parse_zoneinfo((corpus / f"zoneinfo/{zoneinfo}.txt").read_bytes())) == 4096


@pytest.mark.parametrize("page", [4096, 16384, 65536])
def test_the_base_page_is_memory_in_bytes_by_memory_in_pages(page: int) -> None:
    zones = [Zone(0, "DMA", managed=1000), Zone(1, "Normal", managed=234567), Zone(1, "Device")]
    assert base_page_bytes_of(235567 * page, zones) == page


def test_the_base_page_is_unknown_where_the_numbers_do_not_fit() -> None:
    zones = [Zone(0, "Normal", managed=1000)]
    for total in (0, 4096 * 1001, 12288 * 1000, 2048 * 1000, (1 << 20) * 1000):
        assert base_page_bytes_of(total, zones) is None
    assert base_page_bytes_of(4096, [Zone(0, "Normal")]) is None


def test_this_host_agrees_with_its_own_text_and_page_size() -> None:
    fs = KernelFs()
    try:
        data = fs.read_proc("zoneinfo")
        total = fs.parse_sys("devices/system/node/node0/meminfo", parse_node_meminfo)[0]["MemTotal"]
        nodes = [name for name in fs.list_sys("devices/system/node") if re.fullmatch(r"node\d+", name)]
    except KernelTextError:
        pytest.skip("no zoneinfo or no NUMA here")
    text = data.decode()
    zones = parse_zoneinfo(data)
    assert [flat(zone) for zone in zones] == independent(text)
    if nodes == ["node0"]:
        assert base_page_bytes_of(total, zones) in (os.sysconf("SC_PAGE_SIZE"), None)
