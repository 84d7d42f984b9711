"""What else befalls a batch: killed workers, hostile inputs, a full disk, its own output among the inputs."""

from __future__ import annotations

import json
import multiprocessing
import os
import re
import resource
import shutil
import signal
import socket
import tempfile
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
import zstandard

from advisor.batch import deadly
from advisor.batch.chunk import score_files
from advisor.batch.inputs import find_inputs
from advisor.batch.load import DamagedError, load
from advisor.batch.local import score_locally
from advisor.batch.parts import PARTS_SUFFIX, Parts
from advisor.batch.worker import Answer, score_chunk
from tests.in_process import advisor

SAMPLES = Path(__file__).resolve().parents[2] / "sample_profiles"
IDLE, REDIS = (SAMPLES / f"{name}.jsonl.zst" for name in ("idle", "redis-always"))
NOBODY = 65534


def text_of(path: Path) -> bytes:
    with open(path, "rb") as file:
        return zstandard.ZstdDecompressor().stream_reader(file).read()


def test_a_worker_that_is_killed_loses_nothing_and_doubles_nothing() -> None:
    chunks = {number: [str((IDLE, REDIS)[number % 2])] for number in range(12)}
    expected = {str(path): score_chunk([str(path)], with_model=False) for path in (IDLE, REDIS)}
    taken: list[tuple[int, Answer]] = []

    def take(number: int, answer: Answer) -> None:
        taken.append((number, answer))
        if len(taken) == 3:
            os.kill(multiprocessing.active_children()[0].pid or 0, signal.SIGKILL)

    score_locally(chunks, 2, take, with_model=False)
    assert Counter(number for number, _ in taken) == Counter(range(12))
    assert all(answer == expected[chunks[number][0]] for number, answer in taken)


def test_a_file_that_kills_whoever_scores_it_is_named_and_costs_the_others_nothing() -> None:
    asked: list[list[str]] = []

    def attempt(files: list[str]) -> Answer | None:
        asked.append(list(files))
        return None if "deadly" in files else Answer(b"rows of " + "".join(files).encode(), [], len(files))

    answer = deadly.file_by_file(["a", "deadly", "b"], attempt)  # type: ignore[arg-type]
    assert answer.rows == b"rows of ab"
    assert [(error.file, error.reason) for error in answer.errors] == [("deadly", deadly.KILLED)]
    with pytest.raises(deadly.EngineError, match="again and again"):
        deadly.file_by_file(["a"], lambda files: None)


def test_what_is_no_file_is_named_and_never_waited_for(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)  # names of sockets are short
    os.mkfifo("pipe.jsonl")
    with socket.socket(socket.AF_UNIX) as server:
        server.bind("socket.jsonl")
        names = ["pipe.jsonl", "socket.jsonl", "/dev/null", "/dev/zero"]
        found = find_inputs(names)
        assert not found.files and {error.file: error.reason for error in found.errors} == dict.fromkeys(
            names, "not a regular file"
        )
        for name in names:  # as where one takes the place of a file after it was found
            with pytest.raises(DamagedError):
                load(name)


def test_a_file_that_vanishes_is_named(tmp_path: Path) -> None:
    for name in ("a", "b"):
        shutil.copy(IDLE, tmp_path / f"{name}.jsonl.zst")
    found = find_inputs([str(tmp_path)])
    (tmp_path / "b.jsonl.zst").unlink()
    parts = Parts(tmp_path / "parts", found.files, "")
    scored = score_files(parts.chunks[0], None)
    assert [error.reason for error in scored.errors] == ["No such file or directory"]
    assert set(scored.rows["file"]) == {str(tmp_path / "a.jsonl.zst")}


@pytest.mark.skipif(os.geteuid() != 0, reason="takes another user's rights for a moment, which only root can")
def test_what_may_not_be_read_is_named() -> None:
    with tempfile.TemporaryDirectory() as made:  # pytest's own folders are closed to others
        folder = Path(made)
        folder.chmod(0o755)
        shutil.copy(IDLE, folder / "secret.jsonl.zst")
        (folder / "secret.jsonl.zst").chmod(0o600)
        (folder / "closed").mkdir(mode=0o700)
        os.seteuid(NOBODY)
        try:
            found = find_inputs([made])
            scored = score_files(found.files, None)
        finally:
            os.seteuid(0)
    errors = {Path(error.file).name: error.reason for error in [*found.errors, *scored.errors]}
    assert errors == {"secret.jsonl.zst": "Permission denied", "closed": "Permission denied"}


Damage = Callable[[bytes, bytes], bytes]


def in_sample(pattern: bytes, value: bytes) -> Damage:
    return lambda header, sample: header + b"\n" + re.sub(pattern, value, sample) + b"\n"


DAMAGE: dict[str, tuple[Damage, str, str]] = {
    "largest integer": (in_sample(rb'"MemTotal":\d+', b'"MemTotal":9223372036854775807'), "meminfo", "no machine"),
    "beyond 64 bits": (
        in_sample(rb'"MemTotal":\d+', b'"MemTotal":' + b"9" * 40),
        "line 2",
        "no 64 bits - at `$.host.",
    ),
    "unsigned": (in_sample(rb'"MemTotal":\d+', b'"MemTotal":18446744073709551615'), "line 2", "no 64 bits"),
    "negative": (in_sample(rb'"MemTotal":\d+', b'"MemTotal":-1'), "meminfo", "no machine"),
    "exponent": (in_sample(rb'"t_s":[\d.]+', b'"t_s":1e999'), "line 2", "not a sample"),
    "not a number": (in_sample(rb'"t_s":[\d.]+', b'"t_s":NaN'), "line 2", "not a sample"),
    "infinity": (in_sample(rb'"t_s":[\d.]+', b'"t_s":-Infinity'), "line 2", "not a sample"),
    "half a character": (in_sample(rb'"name":"', rb'"name":"\\ud83d'), "line 2", "not a sample"),
    "not UTF-8": (in_sample(rb'"name":"', b'"name":"\xff'), "line 2", "not a sample"),
    "smaps": (in_sample(rb"\[(\d+),(\d+),", b"[9223372036854775807,0,"), "line 2", "processes["),
    "nested": (lambda header, sample: header + b"\n" + b'{"x":' * 100_000 + b"\n", "line 2", "not a sample"),
    "binary": (lambda header, sample: bytes(range(256)) * 64, "", "profile"),
    "report": (lambda header, sample: b'{"schema":"hugepage-advisor/report/1"}', "", "missing"),
    "other version": (lambda header, sample: header.replace(b"profile/1", b"profile/2") + b"\n", "line 1", "schema"),
    "no line": (lambda header, sample: header, "", "no whole line"),
    "no sample": (lambda header, sample: header + b"\n" + sample, "", "no whole sample"),
}


@pytest.mark.parametrize("kind", DAMAGE)
def test_damage_inside_is_named_with_its_place(kind: str, tmp_path: Path) -> None:
    make, place, reason = DAMAGE[kind]
    header, sample = text_of(REDIS).splitlines()[:2]
    (tmp_path / "bad.jsonl").write_bytes(make(header, sample))
    shutil.copy(IDLE, tmp_path / "good.jsonl.zst")
    scored = score_files(find_inputs([str(tmp_path)]).files, None)
    assert set(scored.rows["file"]) == {str(tmp_path / "good.jsonl.zst")}
    (error,) = scored.errors
    assert error.file == str(tmp_path / "bad.jsonl")
    assert error.place.startswith(place) and reason in error.reason, error
    assert str(tmp_path) not in error.reason


def test_the_output_is_no_input(tmp_path: Path) -> None:
    shutil.copy(IDLE, tmp_path / "idle.jsonl.zst")
    (tmp_path / "bad.jsonl").write_text("nothing\n")
    output = tmp_path / "out.jsonl"
    first = advisor("score", str(tmp_path), "--jobs", "1", "-o", str(output))
    assert first.returncode == 5 and "1 of 2 inputs could not be read; the rest is complete" in first.stderr
    (tmp_path / ".out.jsonl.rest.jsonl").write_text("left by a run that was killed")
    files = find_inputs([str(tmp_path)], output).files
    assert [Path(file).name for file in files] == ["bad.jsonl", "idle.jsonl.zst"]
    begun = Parts(Path(f"{output}{PARTS_SUFFIX}"), files, "")
    begun.begin(resume=False)
    assert find_inputs([str(tmp_path), str(tmp_path / "*.jsonl")], output).files == files
    assert {json.loads(line)["file"] for line in output.read_text().splitlines()} == {files[1]}


@contextmanager
def full_disk(most_bytes: int) -> Iterator[None]:
    """Writes beyond this fail, as on a disk that is full."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    handler = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (most_bytes, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
        signal.signal(signal.SIGXFSZ, handler)


@pytest.mark.parametrize("suffix", ["jsonl", "csv", "parquet"])
def test_a_full_disk_is_one_line_and_what_is_done_is_kept(suffix: str, tmp_path: Path) -> None:
    from advisor.batch.output import write_parts

    answer = score_chunk([str(IDLE)] * 20, with_model=False)
    parts = Parts(tmp_path / "parts", [str(IDLE)], "")
    parts.begin(resume=False)
    with full_disk(1000), pytest.raises(OSError, match="File too large") as failed:
        parts.add(0, answer.rows, answer.errors)
    assert failed.value.filename and parts.missing() == [0]
    parts.add(0, answer.rows, answer.errors)
    with full_disk(1000), pytest.raises(OSError):
        write_parts(parts.rows(), tmp_path / f"out.{suffix}")
    assert [path.name for path in tmp_path.iterdir()] == ["parts"]
    assert not parts.missing()
