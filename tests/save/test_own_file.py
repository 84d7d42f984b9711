"""Files that are written from the interface: new ones only, for their owner alone, through no symbolic link."""

from __future__ import annotations

import os
import stat
from pathlib import Path

import pytest

from advisor.own_file import whole_file, write_new, write_whole


def test_a_new_file_is_its_owners_alone_whatever_the_umask(tmp_path: Path) -> None:
    before = os.umask(0)
    try:
        write_new(tmp_path / "a", "one\ntwo é\n")
    finally:
        os.umask(before)
    assert (tmp_path / "a").read_text(encoding="utf-8") == "one\ntwo é\n"
    assert stat.S_IMODE((tmp_path / "a").stat().st_mode) == 0o600


@pytest.mark.parametrize("kind", ["file", "folder", "link", "dangling link", "fifo"])
def test_whatever_has_the_name_stays(tmp_path: Path, kind: str) -> None:
    path, other = tmp_path / "a", tmp_path / "other"
    if kind == "file":
        path.write_text("mine")
    elif kind == "folder":
        path.mkdir()
    elif kind == "fifo":
        os.mkfifo(path)
    else:
        if kind == "link":
            other.write_text("mine")
        path.symlink_to(other)
    before = os.lstat(path)
    with pytest.raises(FileExistsError):
        write_new(path, "text")
    assert os.lstat(path).st_ino == before.st_ino
    assert not other.exists() or other.read_text() == "mine"


def test_a_folder_behind_a_link_is_refused(tmp_path: Path) -> None:
    (tmp_path / "real").mkdir()
    (tmp_path / "link").symlink_to(tmp_path / "real")
    with pytest.raises(OSError):
        write_new(tmp_path / "link" / "a", "text")
    assert list((tmp_path / "real").iterdir()) == []


def test_what_cannot_be_written_whole_is_taken_away(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    class Full:
        def __init__(self, descriptor: int) -> None:
            self.descriptor = descriptor

        def __enter__(self) -> Full:
            return self

        def __exit__(self, *_: object) -> None:
            os.close(self.descriptor)

        def write(self, _: bytes) -> None:
            raise OSError(28, "No space left on device")

    monkeypatch.setattr("advisor.own_file.os.fdopen", lambda descriptor, _: Full(descriptor))
    with pytest.raises(OSError, match="No space"):
        write_new(tmp_path / "a", "text")
    assert list(tmp_path.iterdir()) == []


def test_a_file_is_replaced_at_once_and_by_one_of_its_owner_alone(tmp_path: Path) -> None:
    path = tmp_path / "a"
    path.write_text("old")
    path.chmod(0o644)
    with path.open() as old:
        with whole_file(path) as new:
            new.file.write(b"half")
            new.file.flush()
            assert path.read_text() == "old", "a reader sees all of the old file until all of the new one is there"
            assert stat.S_IMODE(os.fstat(new.file.fileno()).st_mode) == 0o600
        assert old.read() == "old", "what somebody else has open, also by a second name, is not written over"
    assert path.read_text() == "half"
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert [one.name for one in tmp_path.iterdir()] == ["a"]


def test_what_fails_half_way_leaves_the_old_file_and_nothing_else(tmp_path: Path) -> None:
    (tmp_path / "a").write_text("old")
    with pytest.raises(KeyboardInterrupt), whole_file(tmp_path / "a") as new:
        new.file.write(b"half")
        raise KeyboardInterrupt
    assert [(one.name, one.read_text()) for one in tmp_path.iterdir()] == [("a", "old")]


def test_a_name_of_255_characters_can_be_replaced(tmp_path: Path) -> None:
    write_whole(tmp_path / ("n" * 255), b"x")
    assert (tmp_path / ("n" * 255)).read_bytes() == b"x"


def test_a_library_that_opens_by_path_writes_to_this_very_file(tmp_path: Path) -> None:
    """Somebody who may write in the folder swaps the unfinished file for a link to a file of ours."""
    precious = tmp_path / "precious"
    precious.write_text("mine")
    with pytest.raises(FileNotFoundError), whole_file(tmp_path / "a") as new:
        (unfinished,) = (one for one in tmp_path.iterdir() if one.name.startswith(".a."))
        unfinished.unlink()
        Path(new.reopened).write_text("text")
    assert precious.read_text() == "mine"
