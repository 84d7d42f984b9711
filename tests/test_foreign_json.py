"""JSON from anywhere: whatever is wrong with it ends in the reader's one error, which names file and place."""

from __future__ import annotations

import contextlib
import re
from collections.abc import Callable
from pathlib import Path

import msgspec
import pytest
import zstandard
from hypothesis import given, settings
from hypothesis import strategies as st

from advisor.foreign_json import LARGEST, SMALLEST, ForeignJsonError, decode
from advisor.predictor import ModelError, load_predictor
from advisor.predictor.store import FACTS, models_folder
from advisor.profile.codec import ProfileError, load_profile
from advisor.render.plan_files import INDEX_NAME
from advisor.report.document import ReportError, decode_report, encode_report
from advisor.save.plan_folder import FolderRefused, write_folder
from advisor.training.dataset import DatasetError, read_all
from advisor.trial.record import parse_journal
from tests.in_process import advisor
from tests.render.conftest import make_report

PROFILE = Path(__file__).resolve().parent.parent / "sample_profiles" / "postgres-huge-pages-off.jsonl.zst"

DAMAGE: dict[str, Callable[[bytes], bytes]] = {
    "deep lists": lambda text: b'{"x":' + b"[" * 200_000 + b"]" * 200_000 + b"," + text[1:],
    "deep objects": lambda text: b'{"x":' + b'{"a":' * 200_000 + b"1" + b"}" * 200_000 + b"," + text[1:],
    "never closed": lambda text: b'{"x":' + b"[" * 200_000,
    "5000 digits": lambda text: b'{"x":' + b"9" * 5000 + b"," + text[1:],
    "70 bits": lambda text: b'{"x":' + str(1 << 70).encode() + b"," + text[1:],
    "-70 bits": lambda text: b'{"x":[{"y":-' + str(1 << 70).encode() + b"}]," + text[1:],
    "NaN": lambda text: b'{"x":NaN,' + text[1:],
    "Infinity": lambda text: b'{"x":-Infinity,' + text[1:],
    "no UTF-8": lambda text: re.sub(rb'("\s*:\s*")', b'": "\xff', text, count=1),
    "half a surrogate": lambda text: b'{"x":"\\ud800' + text[1:],
    "a list": lambda text: b"[" + text + b"]",
    "a number": lambda text: b"7",
    "nothing": lambda text: b"",
    "cut": lambda text: text[: len(text) // 2],
    "two": lambda text: text + text,
    "NUL": lambda text: b"\0" + text,
}


def lines_of(folder: Path) -> tuple[bytes, bytes]:
    from advisor.profile.codec import ProfileWriter

    profile = load_profile(PROFILE)
    with ProfileWriter(folder / "whole.jsonl") as writer:
        writer.write_header(profile.header)
        writer.write_sample(profile.samples[0], redact=True)
    header, sample, _ = (folder / "whole.jsonl").read_bytes().split(b"\n")
    return header, sample


@pytest.mark.parametrize("kind", DAMAGE)
def test_a_profile_a_report_and_a_model_are_refused_with_file_and_place(tmp_path: Path, kind: str) -> None:
    damage = DAMAGE[kind]
    header, sample = lines_of(tmp_path)
    path = tmp_path / "p.jsonl"
    path.write_bytes(damage(header) + b"\n" + sample + b"\n")
    with pytest.raises(ProfileError, match=r"p\.jsonl:1: "):
        load_profile(path)
    path.write_bytes(header + b"\n" + damage(sample) + b"\n")
    with pytest.raises(ProfileError, match=r"p\.jsonl:2: "):
        load_profile(path)
    with pytest.raises(ReportError):
        decode_report(damage(encode_report(make_report())))
    (tmp_path / "model").mkdir()
    (tmp_path / "model" / FACTS).write_bytes(damage((models_folder() / FACTS).read_bytes()))
    with pytest.raises(ModelError, match=FACTS.replace(".", r"\.")):
        load_predictor(tmp_path / "model")
    (tmp_path / "plan").mkdir(mode=0o700)
    (tmp_path / "plan" / INDEX_NAME).write_bytes(damage(b'{"schema":"hugepage-advisor/plan-folder/1","files":[]}'))
    with pytest.raises(FolderRefused, match="plan"):
        write_folder(tmp_path / "plan", [])
    assert not parse_journal(damage(b'{"a":1}') + b"\n").changes


@pytest.mark.parametrize("kind", ["deep lists", "70 bits", "cut"])
def test_commands_say_it_in_one_line(tmp_path: Path, kind: str) -> None:
    """Compared, scored: with the documented exit code."""
    report = tmp_path / "r.json"
    report.write_bytes(DAMAGE[kind](encode_report(make_report())))
    compared = advisor("compare", str(report), str(PROFILE))
    assert compared.returncode == 4, compared.stderr
    assert compared.stderr.count("\n") == 1 and "r.json" in compared.stderr and len(compared.stderr) < 600


@pytest.mark.parametrize("bytes_", [-1, 1 << 58, LARGEST, LARGEST + 1])
def test_a_report_with_sizes_of_no_machine_is_no_end_of_a_command(tmp_path: Path, bytes_: int) -> None:
    report = make_report()
    first = report.processes[0]
    memory = msgspec.structs.replace(first.memory, rss_bytes=bytes_, anon_bytes=bytes_)
    processes = [msgspec.structs.replace(first, memory=memory, at_stake_bytes=bytes_), *report.processes[1:]]
    (tmp_path / "r.json").write_bytes(encode_report(msgspec.structs.replace(report, processes=processes)))
    for told in (
        advisor("compare", str(tmp_path / "r.json"), str(PROFILE)),
        advisor("score", "--jobs", "1", str(tmp_path / "r.json"), "-o", str(tmp_path / "o.csv")),
    ):
        assert told.returncode in (0, 4, 5), told.stderr


def test_numbers_of_64_bits_are_read() -> None:
    decoder = msgspec.json.Decoder(dict[str, int])
    text = b'{"a":9223372036854775807,"b":-9223372036854775808}'
    assert decode(text, decoder) == {"a": LARGEST, "b": SMALLEST}
    with pytest.raises(ForeignJsonError, match=r"fits no 64 bits - at `\$\.a`"):
        decode(b'{"a":9223372036854775808}', decoder)


@given(st.binary(max_size=200))
@settings(max_examples=300, deadline=None)
def test_any_bytes_are_a_value_or_that_error(data: bytes) -> None:
    with contextlib.suppress(ForeignJsonError):
        decode(data, msgspec.json.Decoder())


def test_a_data_set_is_refused(tmp_path: Path) -> None:
    (tmp_path / "d.jsonl.zst").write_bytes(zstandard.compress(b'{"x":' + b"[" * 200_000 + b"\n"))
    with pytest.raises(DatasetError, match=r"d\.jsonl\.zst"):
        list(read_all([tmp_path / "d.jsonl.zst"]))
