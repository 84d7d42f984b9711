from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from advisor.procfs import kpageflags
from advisor.procfs.errors import DeniedError, KernelTextError, MissingError
from advisor.procfs.fs import KernelFs
from advisor.procfs.kpageflags import PageFlagReader

MEMORY = np.arange(5000, dtype=np.uint64) * np.uint64(3) + np.uint64(1)
"""Flags of a host of 5000 pages: each tells which page it is of."""


@pytest.fixture(scope="module")
def fs(tmp_path_factory: pytest.TempPathFactory) -> KernelFs:
    procfs = tmp_path_factory.mktemp("proc")
    (procfs / "kpageflags").write_bytes(MEMORY.tobytes())
    return KernelFs(str(procfs), str(procfs))


def test_a_range_is_read_as_far_as_memory_reaches(fs: KernelFs) -> None:
    with PageFlagReader(fs) as reader:
        assert reader.read(10, 3).tolist() == MEMORY[10:13].tolist()
        assert reader.read(4998, 10).tolist() == MEMORY[4998:].tolist()
        assert len(reader.read(6000, 10)) == 0
        assert len(reader.read(0, 0)) == 0


def test_pieces_begin_at_whole_multiples_and_end_with_memory(fs: KernelFs, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(kpageflags, "PIECE_PAGES", 1024)
    with PageFlagReader(fs) as reader:
        pieces = [(first, flags.tolist()) for first, flags in reader.pieces(1000, 9000)]
        assert [first for first, _ in pieces] == [1000, 1024, 2048, 3072, 4096]
        assert [flag for _, flags in pieces for flag in flags] == MEMORY[1000:].tolist()
        assert list(reader.pieces(10, 10)) == []


@given(frames=st.lists(st.integers(0, 6000), max_size=60))
def test_scattered_pages_get_their_own_flags_in_their_order(fs: KernelFs, frames: list[int]) -> None:
    with PageFlagReader(fs) as reader:
        flags = reader.of(np.array(frames, np.uint64))
    assert flags.tolist() == [int(MEMORY[frame]) if frame < len(MEMORY) else 0 for frame in frames]


def test_a_tree_without_the_file_and_a_forbidden_one_are_told_apart(tmp_path: Path) -> None:
    with pytest.raises(MissingError):
        PageFlagReader(KernelFs(str(tmp_path), str(tmp_path)))
    (tmp_path / "kpageflags").symlink_to("/proc/self/mem/not-there")
    with pytest.raises(KernelTextError):
        PageFlagReader(KernelFs(str(tmp_path), str(tmp_path)))


def test_without_privilege_the_answer_is_denied(monkeypatch: pytest.MonkeyPatch, fs: KernelFs) -> None:
    def refuse(*_: object) -> int:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr("advisor.procfs.kpageflags.os.open", refuse)
    with pytest.raises(DeniedError, match="kpageflags"):
        PageFlagReader(fs)
