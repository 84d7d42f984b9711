from __future__ import annotations

import os
import platform
from collections.abc import Iterator
from pathlib import Path

import msgspec
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from advisor.features import feature_table
from advisor.procfs.facts import CgroupMembership
from advisor.profile.model import ProcessFacts
from advisor.training.dataset import (
    DatasetError,
    DatasetWriter,
    Measurement,
    StateProfile,
    environment_id,
    grouped,
    noisy_policies,
    read_all,
    read_dataset,
    whole_frames_bytes,
)
from advisor.training.scrub import PrivateTextError, neutral_places, scrubbed, scrubbed_header, scrubbed_sample
from tests.benchmarks.fleet import ORIGIN
from tests.features.factory import header, process, sample
from tests.training.measurements import environment, measurement, trial


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "measurements.jsonl.zst"


def write(path: Path, *measurements: Measurement) -> None:
    with DatasetWriter(path) as writer:
        for one in measurements:
            writer.append(one)


def test_what_is_appended_is_read_again_and_appending_goes_on(path: Path) -> None:
    first, second = measurement("gather/64m"), measurement("stream/1g")
    write(path, first)
    write(path, second)
    assert list(read_dataset(path)) == [first, second]
    (row,) = feature_table(first.profiles[0].profile).to_dicts()
    assert row["rss_bytes"] == 16 << 20


def test_data_sets_are_joined_by_reading_several_or_by_putting_one_behind_the_other(path: Path) -> None:
    other, joined = path.with_name("b.jsonl.zst"), path.with_name("c.jsonl.zst")
    write(path, measurement("a/1"))
    write(other, measurement("b/1"), measurement("b/2"))
    joined.write_bytes(path.read_bytes() + other.read_bytes())
    assert list(read_dataset(joined)) == list(read_all([path, other]))


def test_a_plain_file_is_read_too(tmp_path: Path) -> None:
    plain = tmp_path / "m.jsonl"
    plain.write_bytes(msgspec.json.encode(measurement()) + b"\n")
    assert list(read_dataset(plain)) == [measurement()]


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=25, deadline=None)
@given(st.floats(0, 1, exclude_max=True))
def test_a_writer_killed_anywhere_loses_its_line_alone(path: Path, share: float) -> None:
    path.unlink(missing_ok=True)
    write(path, measurement("a/1"))
    whole = path.stat().st_size
    write(path, measurement("b/1"))
    kept = whole + int((path.stat().st_size - whole) * share)
    os.truncate(path, kept)
    assert whole_frames_bytes(path) == whole
    with DatasetWriter(path) as writer:
        assert writer.repaired_bytes == kept - whole
        writer.append(measurement("c/1"))
    assert [one.id for one in read_dataset(path)] == ["a/1", "c/1"]


def test_a_cut_file_is_told_with_a_remedy(path: Path) -> None:
    write(path, measurement("a/1"), measurement("b/1"))
    os.truncate(path, path.stat().st_size - 100)
    with pytest.raises(DatasetError, match=r"measurements\.jsonl\.zst.*(copy|damaged)"):
        list(read_dataset(path))


def test_damage_is_told(path: Path) -> None:
    write(path, measurement("a/1"))
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 0xFF
    path.write_bytes(data)
    with pytest.raises(DatasetError):
        list(read_dataset(path))


def lines_of(*measurements: Measurement) -> bytes:
    return b"".join(msgspec.json.encode(one) + b"\n" for one in measurements)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (lines_of(measurement(schema="hugepage-advisor/measurement/9")), r"m\.jsonl:1: schema .*measurement/9"),
        (lines_of(measurement()) + b"{}\n", r"m\.jsonl:2: not a measurement"),
        (b"[" * 100_000 + b"\n", r"m\.jsonl:1: not a measurement"),
        (lines_of(measurement())[:-9], r"m\.jsonl: ends inside a line"),
    ],
)
def test_what_cannot_be_used_is_told_with_its_line(tmp_path: Path, content: bytes, message: str) -> None:
    plain = tmp_path / "m.jsonl"
    plain.write_bytes(content)
    with pytest.raises(DatasetError, match=message):
        list(read_dataset(plain))


def test_a_made_up_profile_teaches_nothing(tmp_path: Path) -> None:
    made_up = replace(header(), origin=ORIGIN)
    plain = tmp_path / "m.jsonl"
    plain.write_bytes(lines_of(replace(measurement(), profiles=[StateProfile("base", made_up, [sample()])])))
    with pytest.raises(DatasetError, match=r"m\.jsonl:1: a synthetic profile"):
        list(read_dataset(plain))


def test_a_missing_file_is_told(tmp_path: Path) -> None:
    with pytest.raises(DatasetError, match="No such file"):
        list(read_dataset(tmp_path / "m.jsonl.zst"))


def test_nothing_else_is_overwritten(tmp_path: Path) -> None:
    with pytest.raises(DatasetError, match=r"\.jsonl\.zst"):
        DatasetWriter(tmp_path / "notes.txt")
    other = tmp_path / "other.jsonl.zst"
    other.write_bytes(b"dear diary")
    with pytest.raises(DatasetError, match="not a compressed data set"):
        DatasetWriter(other)
    assert other.read_bytes() == b"dear diary"


def test_two_campaigns_do_not_write_to_one_file(path: Path) -> None:
    with DatasetWriter(path), pytest.raises(DatasetError, match="another campaign"):
        DatasetWriter(path)


def test_machines_are_told_apart_by_what_lasts() -> None:
    here = environment_id(environment())
    assert here == environment_id(environment(thp_enabled="always", load_1min=9.0))
    assert here != environment_id(environment(kernel="6.19.0"))
    assert len(here) == 12


def test_what_was_measured_twice_on_one_machine_stays_together_and_both_are_kept() -> None:
    elsewhere = measurement(trial=trial({"base": [1.0]}, environment=environment(kernel="5.10")))
    groups = grouped([measurement(), elsewhere, measurement("b/1"), measurement()])
    assert [len(found) for found in groups.values()] == [2, 1, 1]


def test_a_policy_whose_runs_differ_much_is_marked() -> None:
    assert noisy_policies(measurement()) == {}
    noisy = measurement(trial=trial({"base": [3.0, 3.9, 2.1, 4.0, 2.0], "thp": [2.0, 2.01, 1.99]}))
    assert list(noisy_policies(noisy)) == ["base"]


PLACES = neutral_places(Path("/var/tmp/campaign"), Path("/root/advisor/models/programs"), "/opt/py/bin/python3")


@pytest.mark.parametrize(
    ("text", "neutral"),
    [
        ("/var/tmp/campaign/kernels", "{build}/kernels"),
        ("/root/advisor/models/programs/load.py", "{programs}/load.py"),
        ("/opt/py/bin/python3", "{python}"),
        ("--data=/home/ada/secret/plan.db", "--data={folder}/plan.db"),
        ("/tmp/tmpab_cd/x y", "{folder}/x y"),
        ("unix:/run/user/1000/bus,guid=1", "unix:{folder}/bus,guid=1"),
        ("/tmp", "{folder}"),
        ("/usr/bin/python3.11", "/usr/bin/python3.11"),
        ("/usr/share/homeland/tmpfiles", "/usr/share/homeland/tmpfiles"),
        ("/work/a;/mnt/b", "{folder}/a;{folder}/b"),
    ],
)
def test_folders_of_this_machine_are_replaced(text: str, neutral: str) -> None:
    assert scrubbed([text], list[str], PLACES) == [neutral]
    assert scrubbed([neutral], list[str], PLACES) == [neutral]


def test_a_profile_keeps_the_command_alone_and_no_names(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(platform, "node", lambda: "ada-laptop")
    facts = ProcessFacts("prog", uid=1000, user="ada", cgroup=[CgroupMembership(0, [], "/user.slice/ada")])
    kept = scrubbed_sample(sample(process(1, facts=facts), process(2)), frozenset({1}), PLACES)
    assert [record.pid for record in kept.processes] == [1]
    assert b"ada" not in msgspec.json.encode(kept)
    clean = scrubbed_header(header(hostname="ada-laptop", boot_id="1-2-3"), PLACES)
    assert clean.host.hostname is clean.host.boot_id is None


def test_the_name_of_the_machine_is_never_let_through(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(platform, "node", lambda: "ada-laptop")
    with pytest.raises(PrivateTextError, match="ada-laptop"):
        scrubbed(["--host", "ada-laptop:80"], list[str], {})


@pytest.fixture(autouse=True)
def quiet_name(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """A machine called "gather" must not make these tests fail."""
    monkeypatch.setattr(platform, "node", lambda: "some-machine")
    yield
