"""Whose refusals they are, by the frames that processes map; the frames themselves are the kernel's to tell."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from advisor.collect import khugepaged_trace
from advisor.collect.khugepaged_trace import PREFIX, KhugepagedTrace, remove_left_over
from advisor.collect.refusals import Suspect, attribute
from advisor.procfs.errors import MissingError
from advisor.procfs.fs import KernelFs
from advisor.procfs.khugepaged_trace import Look
from advisor.profile.model import Mapping
from advisor.profile.pages import Refusal
from tests.fake_proc import FakeProc

PAGE, PMD = 4096, 2 << 20


def vma(start: int | None, **options: object) -> Mapping:
    facts: dict[str, object] = {
        "kind": "anon", "count": 1, "start": start, "size": PMD, "page_bytes": PAGE, "advice": "hg", "eligible": 1,
        "shared": False, "writable": True, "locked": False, "slot_bytes": PMD, "name": "", "object": None,
        "values": [],
    }  # fmt: skip
    return Mapping(**(facts | options))  # type: ignore[arg-type]


def process(proc: FakeProc, pid: int, frames: dict[int, int]) -> Suspect:
    """A process whose pagemap, a plain file here, has these frames at these page numbers of its first slot."""
    proc.add(pid)
    entries = np.zeros(3 * PMD // PAGE, np.uint64)
    for place, frame in frames.items():
        entries[PMD // PAGE + place] = frame | 1 << 63
    (proc.folder(pid) / "pagemap").write_bytes(entries.tobytes())
    return Suspect.of(pid, [vma(PMD), vma(2 * PMD)])


def fs_of(proc: FakeProc) -> KernelFs:
    return KernelFs(str(proc.procfs), str(proc.sysfs))


def test_a_frame_that_one_process_maps_says_whose_slot_was_refused(tmp_path: Path) -> None:
    proc = FakeProc(tmp_path)
    suspects = [process(proc, 7, {0: 100, 600: 101}), process(proc, 8, {3: 200})]
    looks = [
        Look("a", 100, "exceed_none_pte"),
        Look("a", 101, "not_suitable_page_count"),
        Look("a", 101, "succeeded"),
        Look("b", 200, "lack_referenced_page"),
        Look("b", None, "pmd_none"),
        Look("c", 300, "exceed_none_pte"),
    ]
    assert attribute(fs_of(proc), looks, suspects) == {
        7: [Refusal(PMD, "exceed_none_pte", 1), Refusal(2 * PMD, "not_suitable_page_count", 1)],
        8: [Refusal(PMD, "lack_referenced_page", 1)],
    }


def test_frames_that_two_processes_share_decide_nothing_until_one_maps_more(tmp_path: Path) -> None:
    proc = FakeProc(tmp_path)
    suspects = [process(proc, 7, {0: 100, 1: 101}), process(proc, 8, {0: 100})]
    shared = Look("a", 100, "exceed_shared_pte")
    assert attribute(fs_of(proc), [shared], suspects) == {}
    both = attribute(fs_of(proc), [shared, Look("a", 101, "exceed_shared_pte")], suspects)
    assert both == {7: [Refusal(PMD, "exceed_shared_pte", 2)]}


def test_a_process_that_is_gone_has_no_refusals(tmp_path: Path) -> None:
    suspect = Suspect.of(9, [vma(PMD)])
    assert attribute(fs_of(FakeProc(tmp_path)), [Look("a", 1, "exceed_none_pte")], [suspect]) == {}


def test_memory_that_can_never_be_huge_is_not_searched() -> None:
    maps = [vma(PMD, advice="nh"), vma(PMD, slot_bytes=0), vma(PMD, kind="file"), vma(None)]
    assert Suspect.of(1, maps).vmas == []


def test_instances_of_makers_that_are_gone_are_removed_and_no_others(tmp_path: Path) -> None:
    proc = FakeProc(tmp_path)
    proc.add(7, start=100)
    instances = tmp_path / "tracing/instances"
    for name in (f"{PREFIX}7-100", f"{PREFIX}7-99", f"{PREFIX}8-100", "others", f"{PREFIX}notes"):
        (instances / name).mkdir(parents=True)
    removed = remove_left_over(fs_of(proc), str(tmp_path / "tracing"))
    assert sorted(removed) == [f"{PREFIX}7-99", f"{PREFIX}8-100"]
    assert sorted(path.name for path in instances.iterdir()) == [f"{PREFIX}7-100", f"{PREFIX}notes", "others"]


def test_without_tracefs_nobody_listens(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(MissingError), KhugepagedTrace(fs_of(FakeProc(tmp_path))):
        pass
    monkeypatch.setattr(khugepaged_trace, "tracefs_of", lambda mounts: None)
    with pytest.raises(MissingError, match="not mounted"), KhugepagedTrace(KernelFs()):
        pass
