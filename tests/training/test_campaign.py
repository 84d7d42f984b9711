from __future__ import annotations

import os
import sys
from contextlib import closing
from pathlib import Path
from typing import Any

import msgspec
import pytest

from advisor.features import feature_table
from advisor.procfs.fs import KernelFs
from advisor.training import campaign
from advisor.training.campaign import Remaining
from advisor.training.campaign_host import CampaignJournal, memory_problem, reserve_pools
from advisor.training.campaign_measure import Bench, measure, watching_of
from advisor.training.campaign_plan import (
    CampaignOptions,
    Task,
    UnknownConfigurationError,
    duration_text,
    largest_pools,
    tasks,
)
from advisor.training.campaign_profile import INTERVAL_S, SAMPLES, SHORTEST_INTERVAL_S, Watching
from advisor.training.families import ConfigurationSpec, Family, MetricSpec, Place
from advisor.training.scrub import neutral_places
from advisor.trial.command import StopSignal
from advisor.trial.document import Policy
from advisor.trial.settings import HostSettings, SettingError
from advisor.units import GIB, MIB
from tests.fake_proc import FakeProc
from tests.training.measurements import run, trial

PLACE = Place(build=Path("/srv/build"), programs=Path("/srv/programs"))
OPTIONS = CampaignOptions(rounds=5, seconds=1.0, profile_seconds=6.0)


def family(name: str = "gather", **facts: Any) -> Family:
    usual: dict[str, Any] = {
        "id": name,
        "title": "Gather",
        "about": "Random reads.",
        "steady": True,
        "metric": MetricSpec("output", "lower", "ns", "value ([0-9.]+)"),
        "command": ["gather", "--mib", "{mib}", "--seconds", "{seconds}"],
        "way": "own",
        "policies": ["base", "thp", "pool-2M", "pool-1G"],
        "configuration": [
            ConfigurationSpec("64m", 64 * MIB, {"mib": 64}),
            ConfigurationSpec("1g", GIB, {"mib": 1024}, policies=["base", "thp", "pool-2M"]),
        ],
    }
    return Family(**(usual | facts))


def planned(*families: Family, **choice: Any) -> list[Task]:
    return tasks(families or [family()], PLACE, OPTIONS, **choice)


def test_a_configuration_comes_in_two_lengths() -> None:
    task = planned()[0]
    assert task.measured.command[-1] == "1"
    assert task.watched.command[-1] == "6"
    assert task.states == ["base", "thp", "pool-2M"]


def test_families_and_configurations_are_chosen_and_what_is_done_is_left_out() -> None:
    both = [family("gather"), family("stress-vm")]
    assert [task.id for task in planned(*both, pattern="stress-*")] == ["stress-vm/64m", "stress-vm/1g"]
    assert [task.id for task in planned(*both, ids=["gather/1g"])] == ["gather/1g"]
    assert [task.id for task in planned(done={"gather/64m"})] == ["gather/1g"]
    for choice in ({"pattern": "x*"}, {"ids": ["gather/2g"]}):
        with pytest.raises(UnknownConfigurationError):
            planned(**choice)


def test_a_family_whose_program_is_not_there_says_what_to_install() -> None:
    (task, _) = planned(family(needs={"no-such-program": "no-package"}))
    assert task.why_not == "needs no-such-program (no-package)"
    assert largest_pools([task]) == {}


def test_the_plan_counts_runs_and_the_largest_pool() -> None:
    small, large = planned()
    assert largest_pools([small, large]) == {"pool-2M": GIB, "pool-1G": 64 * MIB}
    assert large.needed_bytes > small.needed_bytes > GIB
    assert small.seconds(OPTIONS) > 4 * 6 * OPTIONS.seconds
    assert small.seconds(CampaignOptions(rounds=10)) > 1.5 * small.seconds(OPTIONS)


def test_time_left_follows_what_the_first_ones_took() -> None:
    both = planned()
    left = Remaining(both, OPTIONS)
    guess = left.text()
    left.add(both[0], 10 * both[0].seconds(OPTIONS))
    assert guess != left.text() == duration_text(10 * both[1].seconds(OPTIONS))
    left.add(both[1], 1.0)
    assert left.text() == "0 s"
    assert [duration_text(seconds) for seconds in (40, 720, 3900)] == ["40 s", "12 min", "1 h 05 min"]


def test_samples_are_taken_after_set_up_and_within_what_follows() -> None:
    long = Watching(2.0, 6.0).times_s()
    assert long[0] > 2.0
    assert long[1] - long[0] == INTERVAL_S
    assert len(long) == SAMPLES
    short = Watching(0.5, 1.0)
    assert short.times_s()[-1] < 1.5
    assert Watching(0.5, 0.01).interval_s == SHORTEST_INTERVAL_S


def test_when_to_look_follows_the_runs_of_the_policy_or_those_on_base_pages() -> None:
    (task, _) = planned()
    seen = trial({"base": [3.0, 3.0, 3.0]})
    assert watching_of(task, seen, "base", OPTIONS) == Watching(0.4, 6.0)
    assert watching_of(task, seen, "default", OPTIONS) == Watching(0.4, 6.0)
    slow = run("base", 8, 9.0, wall_s=5.0, setup_s=3.0)
    assert watching_of(task, trial({}, runs=[*seen.runs, slow]), "base", OPTIONS) == Watching(0.4, 6.0)
    growing = trial({}, runs=[run("base", 0, 3.0, setup_s=1.5)])
    assert watching_of(task, growing, "base", OPTIONS) == Watching(0.5, 6.0)
    (job, _) = planned(family(command=["job", "{mib}"]))
    assert watching_of(job, seen, "base", OPTIONS) == Watching(0.4, 1.1)
    assert watching_of(job, growing, "base", OPTIONS) == Watching(0.75, 0.75)
    assert watching_of(job, trial({}), "base", OPTIONS) == Watching(0.0, OPTIONS.seconds)


def test_what_does_not_fit_into_memory_is_not_started(tmp_path: Path) -> None:
    proc = FakeProc(tmp_path)
    fs = KernelFs(str(proc.procfs), str(proc.sysfs))
    assert memory_problem(fs, 7 * GIB) is None
    assert memory_problem(fs, 9 * GIB) == "needs 9216 MiB of memory, 8000 MiB are available"


class Pools:
    """Stands for HostSettings: has one page of 1G and refuses more than 4 GiB of 2M."""

    def __init__(self) -> None:
        self.asked: list[tuple[int, int]] = []

    def pool(self, page_bytes: int, pages: int) -> int:
        self.asked.append((page_bytes, pages))
        if page_bytes == GIB:
            return 1
        raise SettingError("too little memory")


def test_pools_are_reserved_largest_pages_first_and_what_is_short_is_said() -> None:
    pools = Pools()
    small, large = Policy("pool-2M", "hugetlb", 2 * MIB), Policy("pool-1G", "hugetlb", GIB)
    said = list(reserve_pools({small: 3 * MIB, large: GIB + 1}, pools))  # type: ignore[arg-type]
    assert pools.asked == [(GIB, 2), (2 * MIB, 2)]
    assert said == ["pool-1G: 1 of 2 pages could be reserved", "pool-2M: too little memory"]


def sysfs(root: Path) -> tuple[Path, Path]:
    mode = root / "sys/kernel/mm/transparent_hugepage/enabled"
    pool = root / "sys/kernel/mm/hugepages/hugepages-2048kB/nr_hugepages"
    for path, text in ((mode, "madvise\n"), (pool, "0\n")):
        path.parent.mkdir(parents=True)
        path.write_text(text)
    return mode, pool


def test_between_trials_modes_go_back_and_pools_stay_and_at_the_end_all_goes_back(tmp_path: Path) -> None:
    mode, pool = sysfs(tmp_path)
    fs = KernelFs("/proc", str(tmp_path / "sys"))
    with CampaignJournal(fs, tmp_path / "state", roots=(tmp_path,)) as journal:
        journal.change(pool, "512")
        for _ in range(2):
            journal.change(mode, "always")
            assert [(one.path, one.during, one.restored) for one in journal.restore()] == [
                (str(mode), "always", True)
            ]
            assert (mode.read_text().strip(), pool.read_text().strip()) == ("madvise", "512")
        assert journal.restore() == []
        journal.change(mode, "never")
    assert (mode.read_text().strip(), pool.read_text().strip()) == ("madvise", "0")


def test_the_arguments_are_checked(capsys: pytest.CaptureFixture[str]) -> None:
    for wrong in ([], ["--out", "x.jsonl.zst", "--rounds", "0"]):
        with pytest.raises(SystemExit) as ended:
            campaign.main(wrong)
        assert ended.value.code == 2
    assert campaign.main(["--list", "--families", "no-such-*"]) == 2
    assert "no family matches" in capsys.readouterr().err


def test_a_name_that_is_no_data_set_is_refused_before_anything_is_changed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(campaign, "load_families", lambda: [family()])
    monkeypatch.setattr(os, "geteuid", lambda: 0)
    assert campaign.main(["--out", str(tmp_path / "x.txt")]) == 2
    assert ".jsonl.zst" in capsys.readouterr().err


def test_without_root_it_says_so(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(campaign, "load_families", lambda: [family()])
    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    assert campaign.main(["--out", str(tmp_path / "x.jsonl.zst")]) == 3
    assert "root" in capsys.readouterr().err


def test_the_plan_is_printed(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setattr(campaign, "load_families", lambda: [family(command=[sys.executable, "{mib}", "{seconds}"])])
    assert campaign.main(["--plan"]) == 0
    printed = capsys.readouterr().out
    assert "gather/64m" in printed and "pool-2M: 1024 MiB" in printed
    assert "2 of 2 configurations can be measured here" in printed


PROGRAM = """
import mmap, sys, time
area = mmap.mmap(-1, 48 << 20, flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS)
if sys.argv[1] == "thp":
    area.madvise(mmap.MADV_HUGEPAGE)
area[:] = bytes(len(area))
ends, reads = time.monotonic() + float(sys.argv[2]), 0
while time.monotonic() < ends:
    reads += sum(area[place] == 0 for place in range(0, len(area), 4096))
print("value", reads)
"""


@pytest.mark.host
def test_a_configuration_is_measured_and_watched_and_the_host_is_left_as_it_was(tmp_path: Path) -> None:
    mode = Path("/sys/kernel/mm/transparent_hugepage/enabled")
    if os.geteuid() != 0 or not os.access(mode, os.W_OK):
        pytest.skip("needs to change THP modes")
    before = mode.read_text()
    fs = KernelFs()
    options = CampaignOptions(rounds=1, seconds=0.2, profile_seconds=2.0)
    script = tmp_path / "touch.py"
    script.write_text(PROGRAM)
    (task,) = tasks(
        [
            family(
                command=[sys.executable, str(script), "{policy}", "{seconds}"],
                policies=["base", "thp"],
                configuration=[ConfigurationSpec("48m", 48 * MIB)],
                metric=MetricSpec("output", "higher", "reads", "value ([0-9]+)"),
            )
        ],
        PLACE,
        options,
    )
    with CampaignJournal(fs, tmp_path / "state") as journal, closing(StopSignal()) as stop:
        places = neutral_places(PLACE.build, PLACE.programs, PLACE.python)
        bench = Bench(fs, journal, HostSettings(journal, fs), dict(os.environ), places, stop, options)
        found = measure(task, bench, lambda progress: None)
    assert mode.read_text() == before
    assert {run.policy for run in found.trial.runs if run.not_counted is None} == {"base", "thp"}
    assert [seen.state for seen in found.profiles] == ["base", "thp"]
    for seen in found.profiles:
        (row,) = feature_table(seen.profile).to_dicts()
        assert len(seen.samples) == SAMPLES
        assert row["rss_bytes"] > 48 * MIB
        assert (row["anon_huge_bytes"] > 40 * MIB) == (seen.state == "thp")
        assert row["probe_touched_share_256ms"] > 0.5
    assert str(tmp_path).encode() not in msgspec.json.encode(found)
    assert sys.executable not in found.command
