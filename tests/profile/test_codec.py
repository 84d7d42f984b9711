"""Profiles on disk: whole, cut off, damaged, hostile."""

from __future__ import annotations

import os
import re
import stat
from pathlib import Path

import pytest
from msgspec.structs import asdict, replace

from advisor.procfs.facts import Limit
from advisor.profile.codec import ProfileError, ProfileReader, ProfileWriter, load_profile
from advisor.profile.model import (
    PROFILE_SCHEMA,
    Cost,
    Header,
    HostFacts,
    HostState,
    ProcessFacts,
    ProcessRecord,
    Sample,
)

SUFFIXES = [".jsonl", ".jsonl.zst", ".jsonl.gz"]
HEADER = Header(PROFILE_SCHEMA, "0", "2026-01-01T00:00:00+00:00", "live", HostFacts(hostname="h"))


def sample(number: int) -> Sample:
    facts = ProcessFacts(name=f"p{number}", command_line=["db", "--password=hunter2", "--port", "5432"])
    return Sample(
        t_s=float(number),
        wall_time=1e9 + number,
        host=HostState(meminfo={"MemTotal": 1 << 34}),
        cost=Cost(0.1, 0.1),
        processes=[ProcessRecord(number + 1, 7, facts=facts)],
    )


def write(path: Path, count: int, *, redact: bool = True) -> Path:
    with ProfileWriter(path) as writer:
        writer.write_header(HEADER)
        for number in range(count):
            writer.write_sample(sample(number), redact=redact)
    return path


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_what_is_written_is_read(tmp_path: Path, suffix: str) -> None:
    profile = load_profile(write(tmp_path / f"p{suffix}", 5, redact=False))
    assert profile.header == HEADER
    assert profile.samples == [sample(number) for number in range(5)]
    assert not profile.truncated


@pytest.mark.parametrize("when", ["1e300", "-1", "253402300800"])
def test_a_time_that_no_date_has_is_damage(tmp_path: Path, when: str) -> None:
    path = write(tmp_path / "p.jsonl", 2)
    path.write_text(re.sub(r'"wall_time":[0-9.]+', f'"wall_time":{when}', path.read_text()))
    with pytest.raises(ProfileError, match=r":2: not a sample .*wall_time"):
        load_profile(path)


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_a_renamed_profile_is_recognised_by_its_content(tmp_path: Path, suffix: str) -> None:
    path = write(tmp_path / f"p{suffix}", 2)
    assert len(load_profile(path.rename(tmp_path / "from-the-ticket")).samples) == 2


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_a_file_cut_anywhere_reads_to_its_last_whole_sample(tmp_path: Path, suffix: str) -> None:
    whole = write(tmp_path / f"p{suffix}", 6).read_bytes()
    cut = tmp_path / f"cut{suffix}"
    counts = []
    for length in range(len(whole)):
        cut.write_bytes(whole[:length])
        try:
            reader = ProfileReader(cut)
            samples = list(reader.samples())
        except ProfileError:
            counts.append(-1)
            continue
        assert [one.t_s for one in samples] == [float(number) for number in range(len(samples))]
        counts.append(len(samples))
    assert counts == sorted(counts), "more bytes never read less"
    assert counts[-1] >= 5


def test_a_sample_is_on_disk_when_write_returns(tmp_path: Path) -> None:
    writer = ProfileWriter(tmp_path / "p.jsonl.zst")
    writer.write_header(HEADER)
    for number in range(3):
        writer.write_sample(sample(number), redact=True)
        assert len(list(ProfileReader(tmp_path / "p.jsonl.zst").samples())) == number + 1
    writer.close()


def test_secrets_are_redacted_when_asked(tmp_path: Path) -> None:
    assert "hunter2" not in write(tmp_path / "p.jsonl", 1).read_text()
    assert "hunter2" in write(tmp_path / "q.jsonl", 1, redact=False).read_text()
    assert "5432" in (tmp_path / "p.jsonl").read_text()


def test_only_the_owner_may_read_it_and_links_are_not_followed(tmp_path: Path) -> None:
    path = write(tmp_path / "p.jsonl", 1)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    (tmp_path / "link.jsonl").symlink_to(path)
    with pytest.raises(OSError, match="symbolic"):
        ProfileWriter(tmp_path / "link.jsonl")


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("", "no whole line"),
        ("{}\n", "header"),
        ('{"schema": 3}\n', "header"),
        ("[" * 5000 + "\n", "header"),
        ("\x00\x01\n", "header"),
    ],
)
def test_what_is_no_profile_is_refused_with_one_line(tmp_path: Path, text: str, says: str) -> None:
    path = tmp_path / "x.jsonl"
    path.write_text(text)
    with pytest.raises(ProfileError, match=says) as caught:
        load_profile(path)
    assert str(path) in str(caught.value)
    assert "\n" not in str(caught.value)


def test_another_version_is_refused_with_the_remedy(tmp_path: Path) -> None:
    path = write(tmp_path / "p.jsonl", 1)
    path.write_text(path.read_text().replace("profile/1", "profile/9"))
    with pytest.raises(ProfileError, match=r"profile/9.*this version reads"):
        load_profile(path)


def test_a_damaged_sample_is_named_by_its_line(tmp_path: Path) -> None:
    path = write(tmp_path / "p.jsonl", 3)
    lines = path.read_text().splitlines(keepends=True)
    lines[2] = lines[2].replace('"t_s":1.0', '"t_s":"late"')
    path.write_text("".join(lines))
    with pytest.raises(ProfileError, match=r"p.jsonl:3: "):
        load_profile(path)


def test_unknown_fields_of_a_newer_writer_are_ignored(tmp_path: Path) -> None:
    path = write(tmp_path / "p.jsonl", 1)
    path.write_text(path.read_text().replace('"t_s"', '"new_thing":{"a":[1]},"t_s"'))
    assert len(load_profile(path).samples) == 1


def test_without_limits_nothing_else_is_left_out(tmp_path: Path) -> None:
    facts = ProcessFacts("p", 1, "u", 2, "/bin/p", ["p"], limits=[Limit("Max processes", 5, None, "processes")])
    record = ProcessRecord(9, 7, facts=facts, rollup={"Rss": 4096})
    path = tmp_path / "p.jsonl"
    with ProfileWriter(path) as writer:
        writer.write_header(HEADER)
        writer.write_sample(replace(sample(0), processes=[record, ProcessRecord(10, 7)]), redact=False)
    (found,) = ProfileReader(path).samples(limits=False)
    first, second = found.processes
    assert first.facts is not None
    assert asdict(first.facts) == asdict(replace(facts, limits=None))
    assert asdict(first) | {"facts": None} == asdict(replace(record, facts=None))
    assert asdict(second) == asdict(ProcessRecord(10, 7))
    assert (found.host, found.t_s) == (sample(0).host, 0.0)


def test_a_missing_or_unreadable_path_is_a_clear_error(tmp_path: Path) -> None:
    for path in (tmp_path / "none", tmp_path):
        with pytest.raises(ProfileError, match=os.fspath(path)):
            load_profile(path)
