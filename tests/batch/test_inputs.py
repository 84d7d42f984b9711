"""Which files are meant by paths, folders, globs and URLs."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from advisor.batch.chunk import score_files
from advisor.batch.inputs import InputError, as_text, find_inputs
from advisor.batch.load import load
from advisor.profile.timeline import Timeline

IDLE = Path(__file__).resolve().parents[2] / "sample_profiles" / "idle.jsonl.zst"


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    """Profiles in two folders; one of them under a second name, and a folder that contains itself."""
    inner = tmp_path / "a" / "inner"
    inner.mkdir(parents=True)
    for name in ("a/2.jsonl.zst", "a/inner/1.jsonl", "a/inner/3.json", "a/notes.txt"):
        (tmp_path / name).write_bytes(name.encode())
    os.link(tmp_path / "a/2.jsonl.zst", inner / "same.jsonl.zst")
    (inner / "up").symlink_to(tmp_path / "a")
    return tmp_path / "a"


def names(files: list[str], root: Path) -> list[str]:
    return [str(Path(file).relative_to(root)) for file in files]


def test_a_folder_gives_each_file_once_in_order(tree: Path) -> None:
    found = find_inputs([str(tree)])
    assert names(found.files, tree) == ["2.jsonl.zst", "inner/1.jsonl", "inner/3.json"]
    assert not found.errors


def test_order_and_repetition_of_arguments_are_nothing(tree: Path) -> None:
    arguments = [str(tree / "inner"), str(tree / "*.zst"), str(tree)]
    assert find_inputs(arguments) == find_inputs([*arguments[::-1], *arguments])


def test_what_is_named_outright_may_have_any_name(tree: Path) -> None:
    assert names(find_inputs([str(tree / "notes.txt")]).files, tree) == ["notes.txt"]


def test_what_is_no_file_is_an_error_and_nothing_else_is_lost(tree: Path) -> None:
    (tree / "empty").mkdir()
    found = find_inputs([str(tree / one) for one in ("2.jsonl.zst", "nothing", "empty", "x*", "a\0b")])
    assert names(found.files, tree) == ["2.jsonl.zst"]
    assert {Path(error.file).name: error.reason for error in found.errors} == {
        "nothing": "No such file or directory",
        "empty": "no profile, report or capture in it (.jsonl, .jsonl.zst, .jsonl.gz, .json)",
        "x*": "no file matches",
        "a\0b": "embedded null byte",
    }


def test_urls_go_through_fsspec() -> None:
    fsspec = pytest.importorskip("fsspec")
    files = fsspec.filesystem("memory")
    with files.open("/fleet/one.jsonl.zst", "wb") as file:
        file.write(IDLE.read_bytes())
    found = find_inputs(["memory://fleet", "memory://nowhere"])
    assert found.files == ["memory:///fleet/one.jsonl.zst"]
    assert [error.file for error in found.errors] == ["memory://nowhere"]
    content = load(found.files[0]).content
    assert isinstance(content, Timeline) and content.samples == 10


def test_a_name_in_no_encoding_is_written_out(tmp_path: Path) -> None:
    name = os.fsencode(tmp_path) + b"/caf\xe9\n\x1b[31m.jsonl.zst"
    with open(name, "wb") as file:
        file.write(IDLE.read_bytes())
    found = find_inputs([str(tmp_path)])
    scored = score_files(found.files, None)
    assert not scored.errors
    assert set(scored.rows["file"]) == {f"{tmp_path}/caf\\xe9\n\x1b[31m.jsonl.zst"}
    assert find_inputs([f"{tmp_path}/\udce9"]).errors[0].file == f"{tmp_path}/\\xe9"


@pytest.mark.parametrize(
    ("url", "shown"),
    [
        ("https://ada:Hunter2@host/a/p.jsonl", "https://***@host/a/p.jsonl"),
        ("s3://KEY:Hunter2@bucket/p.jsonl.zst", "s3://***@bucket/p.jsonl.zst"),
        ("https://host/p.jsonl?sig=Hunter2&page=2", "https://host/p.jsonl?sig=***&page=2"),
        ("https://host/p.jsonl?X-Amz-Signature=Hunter2", "https://host/p.jsonl?X-Amz-Signature=***"),
        ("gs://bucket/" + "0123456789abcdef" * 4 + "/p.jsonl", "gs://bucket/" + "0123456789abcdef" * 4 + "/p.jsonl"),
        ("/data/token=a:b@c/p.jsonl", "/data/token=a:b@c/p.jsonl"),
    ],
)
def test_what_opens_a_url_is_in_neither_rows_nor_errors(url: str, shown: str) -> None:
    assert as_text(url) == shown
    assert InputError(url, "", f"cannot be read: {url}").reason == f"cannot be read: {shown}"
