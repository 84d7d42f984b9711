from __future__ import annotations

import os
from pathlib import Path

from advisor.procfs.facts import PinnedRange
from advisor.procfs.fs import KernelFs
from advisor.procfs.io_uring import RING, parse_registered_buffers, read_pinned_buffers

RING_TEXT = b"""pos:\t0
flags:\t02000002
SqMask:\t0x3
UserFiles:\t0
UserBufs:\t2
    0: 0x7fd799c00000/33554432
    1: <none>
    2: 0x7fd79bc00000/4096
PollList:
  op=6, task_works=0
CqOverflowList:
"""


def test_registered_buffers_are_read_and_empty_places_passed_over() -> None:
    found = parse_registered_buffers(RING_TEXT)
    assert found == [PinnedRange(0x7FD799C00000, 32 << 20), PinnedRange(0x7FD79BC00000, 4096)]
    assert parse_registered_buffers(RING_TEXT.partition(b"UserBufs")[0]) == []
    assert parse_registered_buffers(b"") == []


def test_only_rings_are_asked_and_files_closed_meanwhile_cost_nothing(tmp_path: Path) -> None:
    folder = tmp_path / "7"
    (folder / "fd").mkdir(parents=True)
    (folder / "fdinfo").mkdir()
    for number, target in enumerate(["/dev/null", RING, RING]):
        os.symlink(target, folder / "fd" / str(number))
    (folder / "fdinfo/0").write_bytes(RING_TEXT)
    (folder / "fdinfo/1").write_bytes(RING_TEXT)
    found = read_pinned_buffers(KernelFs(str(tmp_path), str(tmp_path)), 7)
    assert [buffer.size for buffer in found] == [32 << 20, 4096]
