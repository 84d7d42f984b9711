"""The sampler against a constructed /proc: what changes, ends, changes identity, denies or hangs."""

from __future__ import annotations

import os
import time
from pathlib import Path

import pytest

from advisor.advise import advise
from advisor.collect.options import SamplerOptions
from advisor.collect.sampler import Sampler
from advisor.collect.session import make_header
from advisor.procfs.errors import DeniedError
from advisor.procfs.fs import MOST_COMMAND_LINE_BYTES, KernelFs
from advisor.profile.model import Profile, Sample
from advisor.profile.timeline import fold_samples
from tests.fake_proc import PAGE, FakeProc

DEADLINE_S = 0.2


@pytest.fixture
def proc(tmp_path: Path) -> FakeProc:
    return FakeProc(tmp_path)


def sampler_of(proc: FakeProc, **options: object) -> Sampler:
    fs = KernelFs(str(proc.procfs), str(proc.sysfs))
    return Sampler(fs, SamplerOptions(deadline_s=DEADLINE_S, **options))  # type: ignore[arg-type]  # by name


def total(sample: Sample, pid: int, field: str) -> int:
    maps = next(record.maps for record in sample.processes if record.pid == pid)
    assert maps is not None
    return sum(mapping.values[sample.smaps_fields.index(field)] for mapping in maps)


def test_the_first_sample_has_every_process_to_the_byte(proc: FakeProc) -> None:
    for pid in range(10, 40):
        proc.add(pid, rss=pid)
    sample = sampler_of(proc).tick()
    assert [record.pid for record in sample.processes] == list(range(10, 40))
    for pid in range(10, 40):
        assert total(sample, pid, "Rss") == pid * PAGE + 8192
    assert sample.cost.smaps_reads == 30
    assert sample.skipped == []


def test_an_unchanged_host_is_an_empty_second_sample(proc: FakeProc) -> None:
    proc.add(10)
    sampler = sampler_of(proc)
    sampler.tick()
    second = sampler.tick()
    assert (second.processes, second.gone, second.skipped) == ([], [], [])
    assert second.cost.smaps_reads == second.cost.rollup_reads == 0


def test_only_sections_that_changed_are_recorded(proc: FakeProc) -> None:
    proc.add(10)
    sampler = sampler_of(proc, budget_share=1.0)
    sampler.tick()
    proc.set_stat(10, faults=9)
    time.sleep(0.05)
    record = sampler.tick().processes[0]
    assert record.stat is not None
    assert record.stat.minor_faults == 9
    assert record.facts is None
    assert record.status is None


def test_a_process_that_ended_is_gone_and_a_new_owner_of_its_pid_is_another(proc: FakeProc) -> None:
    proc.add(10, start=100)
    proc.add(11)
    sampler = sampler_of(proc)
    sampler.tick()
    proc.remove(11)
    proc.add(10, start=777, name="other")
    second = sampler.tick()
    assert sorted(second.gone) == [(10, 100), (11, 100)]
    assert [(r.pid, r.start_ticks, r.facts and r.facts.name) for r in second.processes] == [(10, 777, "other")]


def test_a_program_that_replaced_itself_has_new_facts(proc: FakeProc) -> None:
    proc.add(10, name="sh")
    sampler = sampler_of(proc)
    sampler.tick()
    proc.add(10, name="server", faults=50)
    record = sampler.tick().processes[0]
    assert record.facts is not None
    assert record.facts.name == "server"


def test_a_pid_that_changes_hands_during_the_read_is_not_mixed_up(
    proc: FakeProc, monkeypatch: pytest.MonkeyPatch
) -> None:
    proc.add(10, start=100)
    proc.add(11)
    from advisor.collect.smaps_batch import SmapsBatch

    honest = SmapsBatch.read

    def read_then_replace(self: SmapsBatch, pid: int, path: str) -> int:
        length = honest(self, pid, path)
        if pid == 10:
            proc.set_stat(10, start=999)
        return length

    monkeypatch.setattr(SmapsBatch, "read", read_then_replace)
    sample = sampler_of(proc).tick()
    assert [record.pid for record in sample.processes] == [11]
    assert [(s.pid, s.reason) for s in sample.skipped] == [(10, "gone")]


@pytest.mark.parametrize("name", ["stat", "status", "smaps", "cmdline"])
def test_a_hanging_file_delays_by_its_deadline_and_costs_no_other_process(proc: FakeProc, name: str) -> None:
    for pid in range(10, 16):
        proc.add(pid, rss=pid)
    pipe = proc.block(12, name)
    sampler = sampler_of(proc)
    began = time.monotonic()
    sample = sampler.tick()
    assert time.monotonic() - began < 2 * DEADLINE_S + 1
    others = [10, 11, 13, 14, 15]
    assert [total(sample, pid, "Rss") for pid in others] == [pid * PAGE + 8192 for pid in others]
    assert [(s.pid, s.reason) for s in sample.skipped] == [(12, "hung")]
    assert sample.skipped[0].detail is not None
    assert name in sample.skipped[0].detail

    began = time.monotonic()
    again = sampler.tick()
    assert time.monotonic() - began < DEADLINE_S, "a quarantined process is not waited for"
    assert [(s.pid, s.reason) for s in again.skipped] == [(12, "quarantined")]
    assert again.gone == []
    release(pipe)


def release(pipe: Path) -> None:
    """Let the blocked reader go."""
    os.close(os.open(pipe, os.O_WRONLY | os.O_NONBLOCK))


def test_a_released_process_is_read_again(proc: FakeProc) -> None:
    proc.add(12)
    pipe = proc.block(12, "smaps")
    sampler = sampler_of(proc, budget_share=1.0)
    sampler.tick()
    release(pipe)
    pipe.unlink()
    proc.add(12, faults=99)
    deadline = time.monotonic() + 5
    while time.monotonic() < deadline:
        records = sampler.tick().processes
        if any(record.maps for record in records):
            assert "smaps" not in (records[0].problems or {}), "it is not said to hang any more"
            return
        time.sleep(0.05)
    raise AssertionError("the process stayed in quarantine")


def test_a_hanging_host_file_is_named_and_the_rest_is_read(proc: FakeProc) -> None:
    proc.add(10)
    (proc.procfs / "vmstat").unlink()
    os.mkfifo(proc.procfs / "vmstat")
    sample = sampler_of(proc).tick()
    assert sample.host.problems["vmstat"] == "hung"
    assert sample.host.meminfo is not None
    assert sample.host.thp is not None
    release(proc.procfs / "vmstat")


def test_denied_smaps_leave_the_process_in_the_sample(proc: FakeProc, monkeypatch: pytest.MonkeyPatch) -> None:
    proc.add(10)
    from advisor.collect.smaps_batch import SmapsBatch

    def deny(self: SmapsBatch, pid: int, path: str) -> int:
        raise DeniedError("Permission denied", path=path)

    monkeypatch.setattr(SmapsBatch, "read", deny)
    sampler = sampler_of(proc)
    record = sampler.tick().processes[0]
    assert record.problems == {"smaps": "denied"} or record.problems == {"smaps": "denied", "exe": "missing"}
    assert record.status is not None
    assert sampler.tick().processes == []


def test_damaged_smaps_of_one_process_cost_no_other_its_result(proc: FakeProc) -> None:
    for pid in (10, 11, 12):
        proc.add(pid, rss=pid)
    proc.folder(11).joinpath("smaps").write_text("not smaps at all\n")
    sample = sampler_of(proc).tick()
    assert total(sample, 10, "Rss") == 10 * PAGE + 8192
    assert total(sample, 12, "Rss") == 12 * PAGE + 8192
    problems = {record.pid: record.problems or {} for record in sample.processes}
    assert problems[11]["smaps"] == "malformed"


def test_a_walk_that_would_take_too_long_is_refused_and_said(proc: FakeProc) -> None:
    proc.add(10)
    proc.set_stat(10, rss=(400 << 30) // PAGE)
    sample = sampler_of(proc).tick()
    assert [(s.pid, s.reason) for s in sample.skipped] == [(10, "walk-too-long")]
    assert sample.processes[0].status is not None


def test_a_budgeted_sampler_reads_the_largest_first_and_puts_the_others_off(
    proc: FakeProc, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("advisor.collect.sampler.FIRST_LOOK_S", 0.0101)
    for pid in range(10, 30):
        proc.add(pid, rss=1000 * pid)
    sample = sampler_of(proc, complete_first=False).tick()
    read = {record.pid for record in sample.processes if record.maps}
    assert read
    assert sample.cost.deferred == 20 - len(read)
    assert {29, 28, 27} <= read, "largest first; then whatever still fits"


def test_captured_trees_tell_their_page_size_by_their_smaps(proc: FakeProc) -> None:
    proc.add(10)
    text = proc.folder(10).joinpath("smaps").read_text().replace("PageSize:        4 kB", "PageSize:       64 kB")
    proc.folder(10).joinpath("smaps").write_text(text)
    sampler = sampler_of(proc)
    sampler.tick()
    header = make_header(sampler, redacted=True)
    assert header.host.base_page_bytes == 65536
    assert header.source == "tree"
    assert header.privileged is None


def test_a_field_that_one_process_of_a_tree_lacks_is_unknown_not_zero(proc: FakeProc) -> None:
    proc.add(10)
    proc.add(11)
    smaps = proc.folder(11) / "smaps"
    kept = [line for line in smaps.read_text().splitlines(keepends=True) if not line.startswith("AnonHugePages")]
    smaps.write_text("".join(kept))
    sample = sampler_of(proc).tick()
    assert "AnonHugePages" not in sample.smaps_fields
    assert {total(sample, pid, "Rss") for pid in (10, 11)} == {1000 * PAGE + 8192}


def test_watching_one_process_still_finds_khugepaged(proc: FakeProc) -> None:
    proc.add(10)
    proc.add(11)
    proc.add(7, name="khugepaged")
    stat = proc.folder(7) / "stat"
    stat.write_text(stat.read_text().replace(" 4194304 ", f" {0x00200000} "))
    sample = sampler_of(proc, pids=frozenset({11})).tick()
    assert [record.pid for record in sample.processes] == [11]
    assert sample.host.khugepaged_ticks == 0


def test_a_captured_tree_without_stat_still_has_its_smaps(proc: FakeProc) -> None:
    proc.add(10, name="kept", rss=77)
    (proc.folder(10) / "stat").unlink()
    sample = sampler_of(proc).tick()
    record = sample.processes[0]
    assert (record.pid, record.stat, record.facts and record.facts.name) == (10, None, "kept")
    assert total(sample, 10, "Rss") == 77 * PAGE + 8192


def test_a_tree_without_processes_has_its_host_files(proc: FakeProc) -> None:
    sample = sampler_of(proc).tick()
    assert sample.processes == []
    assert sample.host.meminfo is not None


def test_samples_fold_back_to_the_state_that_was_there(proc: FakeProc) -> None:
    proc.add(10, rss=10)
    sampler = sampler_of(proc, budget_share=1.0)
    samples = [sampler.tick()]
    proc.add(11, rss=20)
    proc.add(10, rss=9000, faults=70)
    time.sleep(0.1)
    samples.append(sampler.tick())
    timeline = fold_samples(Profile(make_header(sampler, redacted=True), samples))
    state = {process.pid: process for process in timeline.processes.values()}
    assert sorted(state) == [10, 11]
    assert state[10].stat is not None
    assert state[10].stat.rss_pages == 9000
    assert state[10].maps is not None
    assert sum(m.values[samples[0].smaps_fields.index("Rss")] for m in state[10].maps) == 9000 * PAGE + 8192


def test_single_mappings_of_who_is_looked_at_are_read_where_sums_would_do_for_others(proc: FakeProc) -> None:
    sampler = sampler_of(proc, budget_share=1.0)
    for pid in (10, 11):
        proc.add(pid, rss=9000, faults=1)
    sampler.tick()
    sampler.near = 10
    for pid in (10, 11):
        (proc.folder(pid) / "smaps_rollup").write_text(
            "00400000-7ffc00021000 ---p 0 00:00 0 [rollup]\nRss: 36004 kB\n"
        )
        proc.set_stat(pid, rss=9001, faults=2)
        proc.set_smaps(pid, 9001)
    time.sleep(0.05)
    near, other = sampler.tick().processes
    assert near.maps is not None and near.rollup is None
    assert other.maps is None and other.rollup is not None


@pytest.mark.parametrize("stepped_to", [0.0, 5e8, 4e9], ids=["1970", "back", "2096"])
def test_a_step_of_the_wall_clock_changes_no_rate(
    proc: FakeProc, monkeypatch: pytest.MonkeyPatch, stepped_to: float
) -> None:
    proc.add(10, rss=50_000)
    sampler = sampler_of(proc)
    samples = [sampler.tick()]
    monkeypatch.setattr("advisor.collect.sampler.time.time", lambda: stepped_to)
    samples.append(sampler.tick())
    profile = Profile(make_header(sampler, redacted=True), samples)
    report = advise(profile)
    assert samples[0].t_s < samples[1].t_s
    assert report.source.samples == 2
    assert [entry.pid for entry in report.processes] == [10]


def test_of_a_command_line_without_end_the_beginning_is_read(proc: FakeProc) -> None:
    proc.add(10)
    with (proc.folder(10) / "cmdline").open("wb") as file:
        file.write(b"/usr/bin/java\0-Xmx4g\0")
        file.truncate(1 << 29)
    (record,) = sampler_of(proc).tick().processes
    assert record.facts is not None and record.facts.command_line is not None
    assert record.facts.command_line[:2] == ["/usr/bin/java", "-Xmx4g"]
    assert sum(map(len, record.facts.command_line)) < MOST_COMMAND_LINE_BYTES
