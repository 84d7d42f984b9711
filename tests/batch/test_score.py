"""Many profiles to one table: what a row says, damaged inputs, any number of jobs, interrupted runs."""

from __future__ import annotations

import json
import os
import random
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import polars as pl
import pytest
import zstandard
from click.testing import CliRunner

from advisor.advise import advise
from advisor.batch import rows
from advisor.batch.chunk import score_files
from advisor.batch.inputs import find_inputs
from advisor.batch.output import FORMATS, write_parts
from advisor.batch.parts import CHUNK_FILES, PARTS_SUFFIX, Parts, PartsError, chunks_of
from advisor.batch.worker import score_chunk
from advisor.cli.errors import CommandError
from advisor.cli.main import cli
from advisor.predictor import load_predictor
from advisor.profile.codec import load_profile
from advisor.report.document import encode_report
from tests.in_process import advisor

SAMPLES = Path(__file__).resolve().parents[2] / "sample_profiles"
PROFILES = sorted(SAMPLES.glob("*.jsonl.zst"))
SMALL = [SAMPLES / f"{name}.jsonl.zst" for name in ("idle", "redis-always", "qemu-thp", "memcached")]


def command(*arguments: object) -> list[str]:
    return [sys.executable, "-m", "advisor", "score", *map(str, arguments)]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A few good profiles."""
    made = tmp_path / "in"
    made.mkdir()
    for profile in SMALL:
        shutil.copy(profile, made / profile.name)
    return made


def test_a_row_says_what_the_report_says() -> None:
    predictor = load_predictor()
    scored = score_files([str(path) for path in PROFILES], predictor)
    assert not scored.errors
    for path in PROFILES:
        report = advise(load_profile(path), predictor=predictor, kind="profile")
        expected = rows.as_frame(rows.rows_of_report(str(path), report))
        found = scored.rows.filter(file=str(path))
        assert found.equals(expected, null_equal=True), path.name


def test_a_report_is_an_input_like_a_profile(tmp_path: Path) -> None:
    report = advise(load_profile(SMALL[1]), predictor=load_predictor(), kind="profile")
    path = tmp_path / "redis.json"
    path.write_bytes(encode_report(report))
    of_report, of_profile = (score_files([str(one)], load_predictor()).rows for one in (path, SMALL[1]))
    assert of_report.drop("file").equals(of_profile.drop("file"), null_equal=True)


def test_jobs_and_order_change_no_byte(tmp_path: Path) -> None:
    small = [path for path in PROFILES if "postgres" not in path.name]
    copies = [Path(shutil.copy(path, tmp_path / f"again-{path.name}")) for path in small]
    files = [*small, *copies]
    assert len(chunks_of(list(map(str, files)))) > 1
    for name, jobs, given in (("a", 1, files), ("b", 2, random.Random(1).sample(files, len(files)))):
        done = subprocess.run(
            command("--jobs", jobs, "-o", tmp_path / f"{name}.parquet", *given), capture_output=True, text=True
        )
        assert done.returncode == 0, done.stderr
    assert (tmp_path / "a.parquet").read_bytes() == (tmp_path / "b.parquet").read_bytes()
    assert not list(tmp_path.glob(f"*{PARTS_SUFFIX}"))


def test_every_format_holds_the_same_rows(tmp_path: Path) -> None:
    parts = []
    for number, path in enumerate(SMALL):
        parts.append(tmp_path / f"{number}")
        parts[-1].write_bytes(score_chunk([str(path)], with_model=False).rows)
    for suffix in FORMATS:
        write_parts(parts, tmp_path / f"out{suffix}")
    frame = pl.read_parquet(tmp_path / "out.parquet")
    assert frame.schema == rows.SCHEMA and frame.height > len(SMALL)
    assert frame.equals(pl.read_ndjson(tmp_path / "out.jsonl", schema=rows.SCHEMA), null_equal=True)
    flat = pl.read_csv(tmp_path / "out.csv")
    assert flat.columns == frame.columns and flat["pid"].equals(frame["pid"])
    assert flat["reasons"].to_list() == ["; ".join(reasons) for reasons in frame["reasons"]]


def test_names_that_a_spreadsheet_would_work_out_are_text_in_csv(tmp_path: Path) -> None:
    part, names = tmp_path / "part", ["=HYPERLINK(1)", "@SUM(1)", "plain", "a\x1b[31m", 'q"=1', "x,=1"]
    frame = pl.read_parquet(score_chunk([str(SMALL[0])], with_model=False).rows).head(1)
    pl.concat(frame.with_columns(name=pl.lit(name)) for name in names).write_parquet(part)
    write_parts([part], tmp_path / "out.csv")
    shown = pl.read_csv(tmp_path / "out.csv")["name"].to_list()
    assert shown == ["'=HYPERLINK(1)", "'@SUM(1)", "plain", r"a\x1b[31m", 'q"=1', "x,=1"]


def damaged(folder: Path) -> dict[str, str]:
    """Ten inputs that are not whole, and a word of what is to be said of each."""
    whole = SMALL[0].read_bytes()
    text = zstandard.ZstdDecompressor().stream_reader(whole).read()
    lines = text.splitlines()
    long = (SAMPLES / "postgres-huge-pages-on.jsonl.zst").read_bytes()
    (folder / "cut.jsonl.zst").write_bytes(long[: len(long) * 9 // 10])
    flipped = bytearray(zstandard.ZstdCompressor(write_checksum=True).compress(text))
    flipped[len(flipped) // 2] ^= 4
    (folder / "flipped.jsonl.zst").write_bytes(flipped)
    (folder / "version.jsonl").write_bytes(text.replace(b"profile/1", b"profile/9", 1))
    bomb = zstandard.ZstdCompressor().compress(b" " * (64 << 20))
    (folder / "bomb.jsonl.zst").write_bytes(bomb)
    (folder / "nan.jsonl").write_bytes(lines[0] + b"\n" + lines[1].replace(b'"t_s":0', b'"t_s":NaN', 1) + b"\n")
    sizes = lines[1].replace(b'"MemTotal":', b'"MemTotal":9' + b"9" * 30, 1)
    (folder / "huge.jsonl").write_bytes(lines[0] + b"\n" + sizes + b"\n")
    (folder / "empty.jsonl.zst").write_bytes(b"")
    (folder / "folder.jsonl").mkdir()
    os.mkfifo(folder / "pipe.jsonl")
    (folder / "loop.jsonl").symlink_to("loop.jsonl")
    (folder / "gone.jsonl").symlink_to("nowhere")
    (folder / "noise.jsonl.gz").write_bytes(random.Random(1).randbytes(4096))
    (folder / "inner").mkdir()
    (folder / "inner" / "up").symlink_to(folder)
    return {
        "cut.jsonl.zst": "cut off",
        "flipped.jsonl.zst": "damaged",
        "version.jsonl": "schema",
        "bomb.jsonl.zst": "a line of more than",
        "nan.jsonl": "not a sample",
        "huge.jsonl": "",
        "empty.jsonl.zst": "no whole line",
        "folder.jsonl": "a folder",
        "pipe.jsonl": "not a regular file",
        "loop.jsonl": "symbolic links",
        "gone.jsonl": "No such file",
        "noise.jsonl.gz": "",
    }


def test_every_good_one_is_scored_once_and_every_bad_one_is_named(folder: Path, tmp_path: Path) -> None:
    expected = damaged(folder)
    output = tmp_path / "out.jsonl"
    done = subprocess.run(command("-o", output, folder), capture_output=True, text=True, timeout=120)
    assert done.returncode == 5, done.stderr
    assert "Traceback" not in done.stderr
    table = map(json.loads, Path(f"{output}.errors.jsonl").read_text().splitlines())
    errors = {Path(error["file"]).name: error for error in table}
    assert set(errors) == set(expected)
    for name, word in expected.items():
        assert word in errors[name]["reason"], errors[name]
        assert name in done.stderr
    files = [json.loads(line)["file"] for line in output.read_text().splitlines()]
    good = score_files([str(folder / one.name) for one in SMALL], load_predictor()).rows["file"].to_list()
    cut = [name for name, error in errors.items() if error["scored"]]
    assert [one for one in files if Path(one).name not in cut] == sorted(good)


def test_a_run_that_is_killed_at_any_moment_goes_on_where_it_was(tmp_path: Path) -> None:
    inputs = tmp_path / "in"
    inputs.mkdir()
    for number in range(12 * CHUNK_FILES + 2):  # so many that it is never done when it is killed
        os.link(shutil.copy(SMALL[number % 2], tmp_path / f"{number}"), inputs / f"{number:03}.jsonl.zst")
    output = tmp_path / "out.parquet"
    parts = Path(f"{output}{PARTS_SUFFIX}")
    chance = random.Random(6)
    for done in (1, 2):  # parts that are there when it dies: somewhere inside the next one, or while one is written
        more = ["--resume"] if parts.exists() else []
        run = subprocess.Popen(command("--jobs", 1, *more, "-o", output, inputs), stderr=subprocess.DEVNULL)
        until = time.monotonic() + 60
        while time.monotonic() < until and len(list(parts.glob("*.errors.json"))) < done:
            time.sleep(0.001)
        time.sleep(chance.random() * 0.05)
        run.send_signal(signal.SIGKILL)
        run.wait()
    before = {path.name: path.stat().st_mtime_ns for path in parts.glob("*.errors.json")}
    assert before and not output.exists()
    again = CliRunner().invoke(cli, ["score", "-o", str(output), str(inputs)], standalone_mode=False)
    assert "--resume goes on with it" in str(again.exception)
    kept = {path.name: path.stat().st_mtime_ns for path in parts.glob("*.errors.json")}
    assert kept == before, "a refusal touches nothing"
    resumed = advisor("score", "--jobs", "1", "--resume", "-o", str(output), str(inputs))
    assert resumed.returncode == 0 and "scored before" in resumed.stderr, resumed.stderr
    assert not parts.exists()
    whole = []
    for number, chunk in enumerate(chunks_of(sorted(map(str, inputs.iterdir())))):
        whole.append(tmp_path / f"part-{number}")
        whole[-1].write_bytes(score_chunk(chunk, with_model=True).rows)
    write_parts(whole, tmp_path / "uninterrupted.parquet")
    assert output.read_bytes() == (tmp_path / "uninterrupted.parquet").read_bytes()


def test_parts_of_something_else_are_refused(folder: Path, tmp_path: Path) -> None:
    files = find_inputs([str(folder)]).files
    parts = Parts(tmp_path / "p", files, "one")
    parts.begin(resume=False)
    answer = score_chunk(files, with_model=False)
    parts.add(0, answer.rows, answer.errors)
    assert not parts.missing()
    with pytest.raises(PartsError, match="another model"):
        Parts(tmp_path / "p", files, "two").begin(resume=True)
    with pytest.raises(PartsError, match="other inputs"):
        Parts(tmp_path / "p", files[1:], "one").begin(resume=True)


def test_without_a_file_the_top_of_the_table_is_printed(folder: Path) -> None:
    done = CliRunner().invoke(cli, ["score", str(folder)])
    assert done.exit_code == 0, done.output
    assert "processes" in done.stdout and "qemu-system-x86" in done.stdout


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["-o", "x.xlsx", "."], "must end in"),
        (["--resume", "."], "--resume"),
        (["/nonexistent"], "No such file"),
        ([str(SAMPLES / "*.nothing")], "no file matches"),
    ],
)
def test_what_is_asked_wrongly_is_one_line(arguments: list[str], says: str) -> None:
    done = CliRunner().invoke(cli, ["score", *arguments], standalone_mode=False)
    assert isinstance(done.exception, CommandError)
    assert done.exception.code in (2, 5)
    assert says in done.stderr + str(done.exception)


def test_chunks_hang_on_the_files_alone() -> None:
    files = [str(number) for number in range(2 * CHUNK_FILES + 1)]
    assert [len(chunk) for chunk in chunks_of(files)] == [CHUNK_FILES, CHUNK_FILES, 1]
    assert [file for chunk in chunks_of(files) for file in chunk] == files


@pytest.mark.parametrize(
    ("arguments", "code", "said"),
    [
        (["nowhere"], 5, "nowhere: No such file or directory\nhugepage-advisor: 1 of 1 input could not be read\n"),
        (
            [str(SMALL[0]), "-o", "none/x.csv"],
            1,
            "hugepage-advisor: none/x.csv: cannot be written: none is no folder to write in\n",
        ),
    ],
)
def test_what_cannot_be_done_at_all_is_said_and_nothing_else(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, arguments: list[str], code: int, said: str
) -> None:
    monkeypatch.chdir(tmp_path)
    done = advisor("score", *arguments)
    assert (done.returncode, done.stdout, done.stderr) == (code, "", said)
    assert not list(tmp_path.iterdir())
