"""Files that are written from the interface: new ones only, for their owner alone, through no symbolic link."""

from __future__ import annotations

import os
import stat
from pathlib import Path

import pytest

from advisor.save.new_file import write_new


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

    monkeypatch.setattr("advisor.save.new_file.os.fdopen", lambda descriptor, _: Full(descriptor))
    with pytest.raises(OSError, match="No space"):
        write_new(tmp_path / "a", "text")
    assert list(tmp_path.iterdir()) == []
