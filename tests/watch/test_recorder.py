"""Recordings of what is watched: complete from their first sample, whole at their end, harmless where they fail."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest
from msgspec.structs import replace

from advisor.advise import advise
from advisor.profile.codec import ProfileWriter, load_profile
from advisor.profile.model import Sample
from advisor.watch.child import Watcher
from advisor.watch.frames import Job, Record, Recording, Tick
from advisor.watch.recorder import REMOVED, Recorder
from advisor.watch.window import Window

NUMPY = load_profile(Path(__file__).resolve().parents[2] / "sample_profiles" / "numpy-gather.jsonl.zst")
PATIENCE_S = 60


def recorder(*, redact: bool = True) -> Recorder:
    return Recorder(lambda: replace(NUMPY.header, redacted=redact), redact=redact)


def watched(number: int) -> list[Sample]:
    """The window after so many samples."""
    window = Window(keep=3)
    for sample in NUMPY.samples[:number]:
        window.add(sample)
    return window.samples


def state(one: Recorder) -> Recording:
    assert one.state is not None
    return one.state


@pytest.mark.parametrize("ending", [".jsonl.zst", ".jsonl.gz", ".jsonl"])
def test_a_recording_begins_complete_and_goes_on_with_what_changes(tmp_path: Path, ending: str) -> None:
    one, path = recorder(), tmp_path / f"a{ending}"
    order = Record(str(path))
    one.obey(order, watched(5))
    assert state(one).samples == 1
    one.obey(order, watched(5))
    for sample in NUMPY.samples[5:8]:
        one.add(sample)
    assert state(one) == Recording(str(path), 4, path.stat().st_size, is_over=False, problem=None)
    one.obey(Record(None), watched(8))
    assert (state(one).is_over, state(one).problem) == (True, None)
    one.add(NUMPY.samples[8])
    saved = load_profile(path)
    assert not saved.truncated and len(saved.samples) == 4
    whole = advise(replace(NUMPY, samples=NUMPY.samples[:8]), kind="profile")
    shown = advise(saved, kind="profile")
    assert [(p.pid, p.memory, p.application) for p in shown.processes] == [
        (p.pid, p.memory, p.application) for p in whole.processes
    ]
    assert shown.host.pools == whole.host.pools and shown.host.memory_available_bytes == (
        whole.host.memory_available_bytes
    )
    assert path.stat().st_mode & 0o077 == 0


def test_a_recording_that_is_cut_off_is_readable_up_to_its_last_sample(tmp_path: Path) -> None:
    one, path = recorder(), tmp_path / "a.jsonl.zst"
    one.obey(Record(str(path)), watched(3))
    one.add(NUMPY.samples[3])
    assert len(load_profile(path).samples) == 2


def test_command_lines_are_redacted_as_the_job_says(tmp_path: Path) -> None:
    first = NUMPY.samples[0]
    with_facts = next(record for record in first.processes if record.facts is not None)
    assert with_facts.facts is not None
    facts = replace(with_facts.facts, command_line=["x", "--password=secret"])
    sample = replace(first, processes=[replace(with_facts, facts=facts)])
    for redact in (True, False):
        one, path = recorder(redact=redact), tmp_path / f"{redact}.jsonl"
        one.obey(Record(str(path)), [sample])
        assert ("secret" in path.read_text()) == (not redact)
        assert load_profile(path).header.redacted == redact


def test_what_is_there_already_stays_and_a_folder_that_is_lost_is_told(tmp_path: Path) -> None:
    taken = tmp_path / "a.jsonl"
    taken.write_text("mine")
    one = recorder()
    one.obey(Record(str(taken)), watched(2))
    assert (state(one).is_over, state(one).problem) == (True, "File exists")
    assert taken.read_text() == "mine"
    lost = str(tmp_path / "no" / "a.jsonl")
    one.obey(Record(lost), watched(2))
    assert state(one).problem == "No such file or directory"
    (tmp_path / "no").mkdir()
    one.obey(Record(lost), watched(2))
    assert (state(one).is_over, state(one).samples) == (False, 1), "the same name again, as a new order"
    Path(lost).unlink()
    one.add(NUMPY.samples[2])
    assert (state(one).is_over, state(one).problem) == (True, REMOVED)


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="no /dev/full here")
def test_a_full_disk_ends_the_recording_and_says_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    one, path = recorder(), tmp_path / "a.jsonl.zst"
    one.obey(Record(str(path)), watched(3))
    full = os.open("/dev/full", os.O_WRONLY)
    writer = one._writer
    assert isinstance(writer, ProfileWriter)
    os.dup2(full, writer._file.fileno())
    os.close(full)
    one.add(NUMPY.samples[3])
    assert (state(one).is_over, state(one).problem, state(one).samples) == (True, "No space left on device", 1)
    one.add(NUMPY.samples[4])
    one.close()
    assert state(one).problem == "No space left on device"
    assert len(load_profile(path).samples) == 1


def until(frames: Iterator[object], holds: object) -> Tick:
    began = time.monotonic()
    for frame in frames:
        assert isinstance(frame, Tick), frame
        if holds(frame):  # type: ignore[operator]
            return frame
        assert time.monotonic() - began < PATIENCE_S
    raise AssertionError("no more frames")


@pytest.mark.host
def test_a_live_recording_is_whole_although_the_interface_just_goes(tmp_path: Path) -> None:
    watcher, path = Watcher(Job(interval_s=0.2)), tmp_path / "live.jsonl.zst"
    frames = watcher.frames()
    until(frames, lambda tick: tick.position >= 2)
    watcher.order(Record(str(path)))
    tick = until(frames, lambda tick: tick.recording is not None and tick.recording.samples >= 2)
    assert tick.recording is not None and tick.recording.bytes > 0
    assert tick.watch_share is not None and tick.watch_share > 0
    child = watcher._child
    assert child is not None
    watcher.close()
    child.process.wait(PATIENCE_S)
    frames.close()  # type: ignore[attr-defined]
    saved = load_profile(path)
    assert not saved.truncated and len(saved.samples) >= tick.recording.samples
    seen = {process.pid for process in tick.report.processes if psutil.pid_exists(process.pid)}
    recorded = {record.pid for sample in saved.samples for record in sample.processes}
    assert os.getpid() not in recorded, "who shows the host is no part of it"
    assert len(seen & recorded) > len(seen) / 2
