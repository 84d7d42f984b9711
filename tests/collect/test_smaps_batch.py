"""The batch reader: any buffer size gives what reading each file by itself gives."""

from __future__ import annotations

from pathlib import Path

import pytest

from advisor.collect import smaps_batch
from advisor.collect.fold import Folder, merge_mappings
from advisor.collect.smaps_batch import SmapsBatch
from advisor.procfs.errors import GoneError, KernelTextError, MalformedError
from advisor.procfs.smaps import parse_smaps
from tests.procfs.test_smaps import entry

PMD = 2 << 20


def text_of(pid: int, vmas: int) -> str:
    return "".join(
        entry(0x7F0000000000 + (n << 24), 4 * ((n + pid) % 1000 + 1), Rss=n % 900 + pid) for n in range(vmas)
    )


def by_itself(text: str) -> list[object]:
    table = parse_smaps(text.encode())
    return sorted(merge_mappings(Folder(PMD, 4096).fold(table, [0, len(table)])), key=repr)


@pytest.mark.parametrize("buffer_bytes", [1 << 17, 1 << 18, 5 << 18])
def test_files_of_all_lengths_give_what_each_gives_alone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, buffer_bytes: int
) -> None:
    monkeypatch.setattr(smaps_batch, "BUFFER_BYTES", buffer_bytes)
    monkeypatch.setattr(smaps_batch, "PARSE_AT_BYTES", buffer_bytes - (1 << 16))
    lengths = {1: 3, 2: 4000, 3: 0, 4: 150, 5: 700, 6: 1}
    for pid, vmas in lengths.items():
        (tmp_path / str(pid)).write_text(text_of(pid, vmas))
    batch = SmapsBatch(Folder(PMD, 4096))
    for pid in lengths:
        batch.read(pid, str(tmp_path / str(pid)))
    batch.finish()
    for pid, vmas in lengths.items():
        if vmas:
            assert sorted(batch.results[pid].mappings, key=repr) == by_itself(text_of(pid, vmas)), pid
        else:
            assert batch.results[pid].mappings == []


def test_a_file_that_goes_away_leaves_no_trace_of_its_text(tmp_path: Path) -> None:
    (tmp_path / "1").write_text(text_of(1, 10))
    batch = SmapsBatch(Folder(PMD, 4096))
    batch.read(1, str(tmp_path / "1"))
    with pytest.raises(GoneError):
        batch.read(2, str(tmp_path / "none" / "smaps"))
    batch.finish()
    assert list(batch.results) == [1]


@pytest.mark.parametrize("garbage", [b"x" * (3 << 20), b"Rss: 1 kB\n" * (300 << 10)])
def test_a_large_file_of_garbage_is_malformed_and_the_next_is_read(tmp_path: Path, garbage: bytes) -> None:
    (tmp_path / "1").write_text(text_of(1, 10))
    (tmp_path / "2").write_bytes(garbage)
    batch = SmapsBatch(Folder(PMD, 4096))
    batch.read(1, str(tmp_path / "1"))
    with pytest.raises(MalformedError):
        batch.read(2, str(tmp_path / "2"))
    batch.read(3, str(tmp_path / "1"))
    batch.finish()
    assert sorted(batch.results) == [1, 3]
    assert batch.results[1].mappings == batch.results[3].mappings


def test_a_successor_keeps_what_was_complete_and_the_old_one_takes_no_more(tmp_path: Path) -> None:
    (tmp_path / "1").write_text(text_of(1, 10))
    batch = SmapsBatch(Folder(PMD, 4096))
    batch.read(1, str(tmp_path / "1"))
    heir = batch.successor()
    with pytest.raises(KernelTextError):
        batch.read(2, str(tmp_path / "1"))
    heir.read(3, str(tmp_path / "1"))
    heir.finish()
    assert heir.results[1].mappings == heir.results[3].mappings
    assert 2 not in heir.results


def test_paths_of_executable_mappings_are_kept(tmp_path: Path) -> None:
    tails = ["r-xp 00000000 fe:00 1   /usr/lib/libjemalloc.so.2", "r--p 00000000 fe:00 2   /usr/share/locale"]
    (tmp_path / "1").write_text("".join(entry(0x7F0000000000 + (n << 24), tail=t) for n, t in enumerate(tails)))
    batch = SmapsBatch(Folder(PMD, 4096))
    batch.read(1, str(tmp_path / "1"))
    batch.finish()
    assert batch.results[1].paths == {"/usr/lib/libjemalloc.so.2"}
