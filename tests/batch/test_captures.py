"""Captures among the inputs: one each, found in folders, scored as `report` advises them."""

from __future__ import annotations

from pathlib import Path

import pytest

from advisor.advise import advise
from advisor.batch import rows
from advisor.batch.chunk import score_files
from advisor.batch.inputs import find_inputs
from advisor.collect.captured.importing import profile_of_capture
from tests.captured.makers import files_of, smem_files, sos_tree, tar_of, write


@pytest.fixture
def fleet(tmp_path: Path) -> Path:
    """An extracted sosreport, an archive of it, the same cut off, a smem capture as files, and an archive of none."""
    made = tmp_path / "fleet"
    root = sos_tree(made)
    archive = tar_of(files_of(root, "sos/"), mode="w:xz")
    (made / "sos.tar.xz").write_bytes(archive)
    plain = tar_of(files_of(root, "sos/"))
    (made / "cut.tar").write_bytes(plain[: len(plain) // 2])
    for name, data in smem_files(tmp_path / "raw").items():
        write(made / "smem" / name, data.decode())
    (made / "logs.tar").write_bytes(tar_of({"var/log/messages": b"no capture"}))
    return made


def test_a_capture_is_one_input_wherever_it_lies(fleet: Path) -> None:
    found = find_inputs([str(fleet)])
    names = [Path(file).name for file in found.files]
    assert names == ["cut.tar", "logs.tar", "smem", "sos.tar.xz", "sosreport-db7-0815-2026-11-01-abcdef"]
    assert not found.errors
    assert find_inputs([str(fleet / "smem")]).files == [str(fleet / "smem")]


def test_it_is_scored_like_its_report(fleet: Path) -> None:
    files = find_inputs([str(fleet)]).files
    scored = score_files(files, None)
    said = {Path(error.file).name: (error.reason, error.scored) for error in scored.errors}
    assert set(said) == {"cut.tar", "logs.tar"}
    assert said["cut.tar"] == ("the archive is cut off; scored as far as it goes", True)
    assert "no files of /proc in it" in said["logs.tar"][0] and not said["logs.tar"][1]
    for file in files:
        if Path(file).name != "logs.tar":
            report = advise(profile_of_capture(Path(file)), predictor=None, kind="profile")
            expected = rows.as_frame(rows.rows_of_report(file, report))
            assert expected.height and scored.rows.filter(file=file).equals(expected, null_equal=True), file


def test_archives_behind_a_url_are_fetched_and_scored_alike(fleet: Path) -> None:
    files = pytest.importorskip("fsspec").filesystem("memory")
    for name in ("sos.tar.xz", "logs.tar"):
        files.pipe(f"/captures/{name}", (fleet / name).read_bytes())
    files.pipe("/captures/odd.zip", b"no archive")
    found = find_inputs(["memory://captures"])
    there = score_files(found.files, None)
    assert [error.file for error in there.errors] == ["memory:///captures/logs.tar", "memory:///captures/odd.zip"]
    assert "no files of /proc in it" in there.errors[0].reason and "/tmp" not in there.errors[0].reason
    assert there.errors[1].reason == "named like an archive, and none"
    here = score_files([str(fleet / "sos.tar.xz")], None)
    assert here.rows.height and there.rows.drop("file").equals(here.rows.drop("file"), null_equal=True)
