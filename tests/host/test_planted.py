"""Planted programs on this kernel: the report names each one's state to the byte, and advises each rightly."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest

from tests.host.knobs import POOLS, THP, pool, setting
from tests.programs import planted

pytestmark = pytest.mark.host

SIZES_MIB = {"random-access": 1024, "advised": 1024, "hugetlb": 512, "sparse": 8192, "thp-disabled": 600, "tiny": 8}
SMAPS_OF_REPORT = {
    "rss_bytes": ["Rss"],
    "anon_bytes": ["Anonymous"],
    "anon_huge_bytes": ["AnonHugePages"],
    "shmem_huge_bytes": ["ShmemPmdMapped"],
    "file_huge_bytes": ["FilePmdMapped"],
    "hugetlb_bytes": ["Shared_Hugetlb", "Private_Hugetlb"],
    "swap_bytes": ["Swap"],
}


def smaps_sum(pid: int, names: list[str]) -> int:
    """An independent sum over the text that the kernel prints now."""
    text = Path(f"/proc/{pid}/smaps").read_text()
    return sum(int(kib) * 1024 for name in names for kib in re.findall(rf"(?m)^{name}: +(\d+) kB$", text))


@pytest.fixture(scope="module")
def report() -> Iterator[dict[str, dict[str, Any]]]:
    """Report entries of the planted programs by kind, while the programs still stand."""
    page_kib = int((THP / "hpage_pmd_size").read_text()) // 1024
    if not (POOLS / f"hugepages-{page_kib}kB").is_dir():
        pytest.skip("no pool of the THP size on this kernel")
    with ExitStack() as stack:
        stack.enter_context(setting(THP / "enabled", "madvise"))
        stack.enter_context(setting(THP / "defrag", "madvise"))
        stack.enter_context(pool(page_kib, SIZES_MIB["hugetlb"] * 1024 // page_kib))
        pids = {kind: stack.enter_context(planted(kind, mib)).pid for kind, mib in SIZES_MIB.items()}
        command = [sys.executable, "-m", "advisor", "report", "--json", "--duration", "2"]
        done = subprocess.run(command, capture_output=True, text=True)
        assert done.returncode == 0, done.stderr
        entries = {entry["pid"]: entry for entry in json.loads(done.stdout)["processes"]}
        yield {kind: entries[pid] for kind, pid in pids.items()}


def reasons(entry: dict[str, Any]) -> str:
    """Rules that matched, with their messages."""
    matched = [one for one in entry["recommendation"]["reasons"] if one["status"] == "matched"]
    return "\n".join(f"{one['rule']}: {one['message']}" for one in matched)


@pytest.mark.parametrize("kind", SIZES_MIB)
def test_the_report_agrees_with_smaps_to_the_byte(report: dict[str, dict[str, Any]], kind: str) -> None:
    entry = report[kind]
    for name, fields in SMAPS_OF_REPORT.items():
        if name in entry["memory"]:
            assert entry["memory"][name] == smaps_sum(entry["pid"], fields), name


def advice(entry: dict[str, Any]) -> str:
    return str(entry["recommendation"]["policy"])


def test_random_access_on_base_pages_should_be_huge(report: dict[str, dict[str, Any]]) -> None:
    entry = report["random-access"]
    assert entry["memory"]["anon_huge_bytes"] == 0
    assert advice(entry) == "thp"
    assert entry["recommendation"]["page_bytes"] == int((THP / "hpage_pmd_size").read_text())
    assert "madvise" in reasons(entry)
    assert sum(one["bytes"] for one in entry["why_not_huge"] if one["reason"] == "not-advised") >= 1024 << 20


def test_what_asked_for_huge_pages_and_has_them_is_left(report: dict[str, dict[str, Any]]) -> None:
    entry = report["advised"]
    assert entry["memory"]["anon_huge_bytes"] >= 1000 << 20
    assert advice(entry) == "leave"
    assert "thp-already-covers" in reasons(entry)


def test_a_right_sized_pool_user_keeps_its_pool(report: dict[str, dict[str, Any]]) -> None:
    entry = report["hugetlb"]
    assert entry["memory"]["hugetlb_bytes"] == 512 << 20
    assert advice(entry) == "hugetlb"
    assert entry["recommendation"]["pages"] * entry["recommendation"]["page_bytes"] == 512 << 20


def test_thinly_spread_memory_is_kept_from_huge_pages(report: dict[str, dict[str, Any]]) -> None:
    entry = report["sparse"]
    assert advice(entry) == "thp-off"
    assert entry["recommendation"]["bloat_bytes"] > 7 << 30


def test_a_process_that_switched_thp_off_itself_is_respected(report: dict[str, dict[str, Any]]) -> None:
    entry = report["thp-disabled"]
    assert advice(entry) == "leave"
    assert "prctl" in reasons(entry)
    assert any(one["policy"] == "thp" and one["why_not"] for one in entry["recommendation"]["alternatives"])


def test_a_tiny_process_is_not_worth_a_change(report: dict[str, dict[str, Any]]) -> None:
    entry = report["tiny"]
    assert advice(entry) == "leave"
    assert "small" in reasons(entry)


def test_every_piece_of_advice_has_its_reason(report: dict[str, dict[str, Any]]) -> None:
    for kind, entry in report.items():
        assert entry["recommendation"]["decided_by"] in ("rules", "model", "both")
        assert reasons(entry), kind
    assert os.getpid() not in {entry["pid"] for entry in report.values()}
