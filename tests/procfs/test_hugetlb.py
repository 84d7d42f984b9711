"""hugetlb pools."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from advisor.procfs.errors import IncompleteError, KernelTextError, MalformedError, MissingError
from advisor.procfs.facts import HugetlbPool
from advisor.procfs.fs import KernelFs
from advisor.procfs.hugetlb import list_nodes, read_pools

POOL = "kernel/mm/hugepages/hugepages-2048kB"
FILES = {
    f"{POOL}/nr_hugepages": "10\n",
    f"{POOL}/free_hugepages": "4\n",
    f"{POOL}/surplus_hugepages": "2\n",
    f"{POOL}/resv_hugepages": "1\n",
    f"{POOL}/nr_overcommit_hugepages": "7\n",
    f"{POOL}/demote_size": "64kB\n",
    "devices/system/node/node3/hugepages/hugepages-2048kB/nr_hugepages": "10\n",
    "devices/system/node/node3/hugepages/hugepages-2048kB/free_hugepages": "4\n",
    "devices/system/node/node3/hugepages/hugepages-2048kB/surplus_hugepages": "2\n",
    "devices/system/node/node12/meminfo": "",
    "devices/system/node/online": "3,12\n",
}


def write_tree(root: Path, files: dict[str, str]) -> KernelFs:
    for name, text in files.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    return KernelFs(str(root / "proc"), str(root))


def test_host_pools_have_reservations_and_node_pools_have_not(tmp_path: Path) -> None:
    assert read_pools(write_tree(tmp_path, FILES)) == [
        HugetlbPool(2 << 20, None, 10, 4, 2, 1, 7),
        HugetlbPool(2 << 20, 3, 10, 4, 2, None, None),
    ]


def test_nodes_are_counted_as_numbered_and_not_as_texts(tmp_path: Path) -> None:
    assert list_nodes(write_tree(tmp_path, FILES)) == [3, 12]


def test_pools_are_sorted_by_size_and_not_by_name(tmp_path: Path) -> None:
    files = {
        f"kernel/mm/hugepages/hugepages-{kib}kB/{name}": "1\n"
        for kib in (64, 2048, 32768, 1048576)
        for name in ("nr_hugepages", "free_hugepages", "surplus_hugepages")
    }
    pools = read_pools(write_tree(tmp_path, files))
    assert [pool.page_bytes for pool in pools] == [64 << 10, 2 << 20, 32 << 20, 1 << 30]
    assert [pool.reserved for pool in pools] == [None] * 4


def test_a_kernel_without_hugetlb_has_no_pools(tmp_path: Path) -> None:
    with pytest.raises(MissingError):
        read_pools(KernelFs(str(tmp_path), str(tmp_path)))


def test_a_kernel_with_hugetlb_but_no_size_has_an_empty_list(tmp_path: Path) -> None:
    (tmp_path / "kernel/mm/hugepages").mkdir(parents=True)
    assert read_pools(KernelFs(str(tmp_path), str(tmp_path))) == []


def test_a_pool_without_a_count_is_left_out_and_named(tmp_path: Path) -> None:
    fs = write_tree(tmp_path, {name: text for name, text in FILES.items() if name != f"{POOL}/free_hugepages"})
    problems: dict[str, str] = {}
    assert [pool.node for pool in read_pools(fs, problems)] == [3]
    assert problems == {POOL: "incomplete"}
    with pytest.raises(IncompleteError):
        read_pools(fs)


def test_a_count_that_is_no_number_is_malformed_with_its_path(tmp_path: Path) -> None:
    fs = write_tree(tmp_path, FILES | {f"{POOL}/nr_hugepages": "-3\n"})
    with pytest.raises(MalformedError) as caught:
        read_pools(fs)
    assert caught.value.path == f"{tmp_path}/{POOL}/nr_hugepages"


def test_every_dump_agrees_with_its_own_lines(corpus: Path, tmp_path: Path) -> None:
    dumps = sorted((corpus / "hugetlb_sysfs").iterdir())
    assert dumps
    line_pattern = re.compile(
        r"^sys/(?:kernel/mm|devices/system/node/node(\d+))/hugepages/hugepages-(\d+)kB/(\w+): (\d+)$", re.MULTILINE
    )
    fields = {
        "nr_hugepages": "total",
        "free_hugepages": "free",
        "surplus_hugepages": "surplus",
        "resv_hugepages": "reserved",
        "nr_overcommit_hugepages": "overcommit",
    }
    for dump in dumps:
        text = dump.read_text()
        files = dict(line.removeprefix("sys/").split(": ", 1) for line in text.splitlines())
        pools = read_pools(write_tree(tmp_path / dump.stem, files))
        by_key = {(pool.node, pool.page_bytes): pool for pool in pools}
        seen = set()
        for node, kib, name, value in line_pattern.findall(text):
            key = (int(node) if node else None, int(kib) * 1024)
            seen.add(key)
            if name in fields:
                assert getattr(by_key[key], fields[name]) == int(value), (dump, key, name)
        assert seen == set(by_key), dump


def test_this_host_agrees_with_its_own_files() -> None:
    try:
        pools = read_pools(KernelFs())
    except KernelTextError:
        pytest.skip("no hugetlb here")
    for pool in pools:
        base = "/sys/kernel/mm" if pool.node is None else f"/sys/devices/system/node/node{pool.node}"
        folder = Path(base, f"hugepages/hugepages-{pool.page_bytes // 1024}kB")
        assert int((folder / "nr_hugepages").read_text()) == pool.total
