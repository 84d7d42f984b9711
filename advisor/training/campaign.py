"""The measuring campaign: `python -m advisor.training.campaign --out FILE`, on anyone's machine, as root.

Each configuration of each family is measured under every policy that it can have, then watched as the advisor would
watch it, and appended to the data set as one line. It can be stopped at any time and goes on with --skip-done.
Whatever it changes on the host is journalled and put back, also by the next command after a `kill -9`.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import time
import traceback
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from advisor.interrupts import handling
from advisor.procfs.fs import KernelFs
from advisor.training.campaign_host import CampaignJournal, memory_problem, reserve_pools, wait_until_quiet
from advisor.training.campaign_measure import Bench, InterruptedCampaignError, known_policies, measure
from advisor.training.campaign_plan import (
    CampaignOptions,
    Task,
    UnknownConfigurationError,
    duration_text,
    largest_pools,
    tasks,
)
from advisor.training.dataset import DatasetError, DatasetWriter, environment_id, noisy_policies, read_dataset
from advisor.training.families import (
    MEASURING_SECONDS,
    PROFILING_SECONDS,
    FamilyError,
    Place,
    build_commands,
    campaign_folder,
    load_families,
)
from advisor.training.scrub import PrivateTextError, neutral_places
from advisor.trial.command import StartError, StoppedError, StopSignal
from advisor.trial.environment import read_environment
from advisor.trial.journal import restore_left_over
from advisor.trial.settings import HostSettings, SettingError
from advisor.trial.trial import Progress
from advisor.trial.verdict import MIN_COVERAGE
from advisor.units import MIB

BUILD_FOLDER = Path("/var/tmp/hugepage-advisor-campaign")  # noqa: S108 (the user's own machine, as root)
BUILD_TIMEOUT_S = 600.0
"""A build that takes longer than ten minutes hangs."""


ENVIRONMENT = {"LC_ALL": "C", "TZ": "UTC"}
"""So that numbers are printed and parsed in one way."""


def say(text: str) -> None:
    print(text, file=sys.stderr, flush=True)


def parse_arguments(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m advisor.training.campaign", description=__doc__)
    parser.add_argument("--out", type=Path, help="data set to append to (.jsonl.zst)")
    parser.add_argument("--families", default="*", metavar="GLOB", help="families by id, such as 'stress-*'")
    parser.add_argument("--configuration", action="append", default=[], metavar="ID", help="family/configuration")
    parser.add_argument("--rounds", type=int, default=5, help="counted runs of each policy")
    parser.add_argument("--seconds", type=float, default=MEASURING_SECONDS, help="steady state of a measured run")
    parser.add_argument(
        "--profile-seconds", type=float, default=PROFILING_SECONDS, help="steady state of a watched run"
    )
    parser.add_argument("--min-coverage", type=float, default=MIN_COVERAGE, help="share of memory that must be huge")
    parser.add_argument("--skip-done", action="store_true", help="leave out what FILE has from this machine")
    parser.add_argument("--pools-as-needed", action="store_true", help="grow pools one by one, not at the start")
    parser.add_argument("--patience", type=float, default=30.0, help="seconds a run waits for a quiet machine")
    parser.add_argument("--build-folder", type=Path, default=BUILD_FOLDER, help="for the families' own programs")
    parser.add_argument("--list", action="store_true", help="say which configurations there are, and end")
    parser.add_argument("--plan", action="store_true", help="say how long it would take and what it needs, and end")
    parsed = parser.parse_args(arguments)
    if parsed.out is None and not (parsed.list or parsed.plan):
        parser.error("--out is needed to measure")
    if parsed.rounds < 1 or parsed.seconds <= 0 or parsed.profile_seconds <= 0:
        parser.error("--rounds, --seconds and --profile-seconds must be above 0")
    return parsed


def main(arguments: Sequence[str] | None = None) -> int:
    """0 all measured; 1 some were not; 2 the arguments or files do not do; 3 not root; 130 interrupted."""
    asked = parse_arguments(arguments)
    place = Place(build=asked.build_folder, programs=campaign_folder() / "programs")
    options = CampaignOptions(asked.rounds, asked.seconds, asked.profile_seconds, asked.min_coverage, asked.patience)
    try:
        done = _done(asked.out) if asked.skip_done and asked.out else set()
        planned = tasks(load_families(), place, options, pattern=asked.families, ids=asked.configuration, done=done)
        if asked.list or asked.plan:
            _print_plan(planned, options, with_totals=asked.plan)
            return 0
        if os.geteuid() != 0:
            say("a campaign changes THP modes and pools, and reads page tables: run it as root")
            return 3
        with DatasetWriter(asked.out) as writer:
            return _run(planned, place, options, writer, pools_at_start=not asked.pools_as_needed)
    except (DatasetError, FamilyError, UnknownConfigurationError) as error:
        say(str(error))
        return 2


def _done(path: Path) -> set[str]:
    """Configurations that the data set has from this machine."""
    here = environment_id(read_environment(KernelFs()))
    if not path.exists():
        return set()
    return {found.id for found in read_dataset(path) if found.campaign_environment == here}


def _print_plan(planned: Sequence[Task], options: CampaignOptions, *, with_totals: bool) -> None:
    for task in planned:
        size, policies = task.measured.working_set_bytes // MIB, " ".join(task.measured.policies)
        print(f"{task.id:<44} {size:>6} MiB  {policies}  {task.why_not or ''}".rstrip())
    if not with_totals:
        return
    able = [task for task in planned if task.why_not is None]
    needed = max((task.needed_bytes for task in able), default=0)
    print(f"{len(able)} of {len(planned)} configurations can be measured here", end="")
    print(f" in about {duration_text(sum(task.seconds(options) for task in able))}")
    print(f"memory available: {needed // MIB} MiB beside the pools")
    for policy, size in sorted(largest_pools(planned).items()):
        print(f"{policy}: {size // MIB} MiB")


def _run(
    planned: Sequence[Task], place: Place, options: CampaignOptions, writer: DatasetWriter, *, pools_at_start: bool
) -> int:
    if writer.repaired_bytes:
        say(f"cut {writer.repaired_bytes} bytes off the data set, left by an interrupted campaign")
    for left in restore_left_over():
        say(left.message)
    fs = KernelFs()
    with _stop_signal() as stop, CampaignJournal(fs) as journal:
        bench = Bench(
            fs=fs,
            journal=journal,
            settings=HostSettings(journal, fs),
            environment={**os.environ, **ENVIRONMENT},
            places=neutral_places(place.build, place.programs, place.python),
            stop=stop,
            options=options,
        )
        try:
            if pools_at_start:
                needed = largest_pools(planned)
                pools = {policy: needed[policy.name] for policy in known_policies(fs, list(needed))}
                for problem in reserve_pools(pools, bench.settings):
                    say(problem)
            failed = _measure_all(planned, place, bench, writer)
        except (InterruptedCampaignError, StoppedError):
            say("interrupted; everything is put back; --skip-done goes on from here")
            return 130
    for problem in journal.problems:
        say(problem)
    return 1 if failed or journal.problems else 0


@contextmanager
def _stop_signal() -> Iterator[StopSignal]:
    """Set by SIGINT, SIGTERM and SIGHUP inside."""
    stop = StopSignal()
    try:
        with handling(lambda *_: stop.set()):
            yield stop
    finally:
        stop.close()


def _measure_all(planned: Sequence[Task], place: Place, bench: Bench, writer: DatasetWriter) -> int:
    """How many configurations failed. Raises InterruptedCampaignError, StoppedError."""
    left = Remaining(planned, bench.options)
    built: dict[str, str | None] = {}
    failed = 0
    for number, task in enumerate(planned, 1):
        if bench.stop.is_set:
            raise InterruptedCampaignError
        head = f"[{number}/{len(planned)}, {left.text()} left] {task.id}"
        if task.family.id not in built:
            built[task.family.id] = task.why_not or _build(task, place)
        began_s = time.monotonic()
        why = built[task.family.id] or memory_problem(bench.fs, task.needed_bytes)
        why = why or _measure_one(task, bench, writer, head)
        left.add(task, time.monotonic() - began_s)
        if why is not None:
            failed += 1
            say(f"{head}: NOT MEASURED: {why}")
    return failed


def _measure_one(task: Task, bench: Bench, writer: DatasetWriter, head: str) -> str | None:
    """None where its line was written, else why not."""
    try:
        measurement = measure(task, bench, EachRun(head, bench))
    except (InterruptedCampaignError, StoppedError):
        raise
    except (StartError, SettingError, PrivateTextError, ValueError) as error:
        return str(error)
    except Exception:  # hours of other configurations must not be lost to a mistake in one
        return traceback.format_exc()
    size = writer.append(measurement)
    speed_ups = (
        f"{one.policy} {one.speed_up.estimate:.3f} [{one.speed_up.low:.3f}, {one.speed_up.high:.3f}]"
        for one in measurement.trial.comparisons
        if one.against == "base" and one.speed_up is not None
    )
    unseen = "".join(f"; {state} not profiled: {why}" for state, why in measurement.unprofiled.items())
    noisy = "".join(f"; {policy} spread {spread:.0%}" for policy, spread in noisy_policies(measurement).items())
    say(f"{head}: {', '.join(speed_ups) or 'no comparison'}; {size // 1024} KiB{noisy}{unseen}")
    return None


def _build(task: Task, place: Place) -> str | None:
    """Runs the family's build commands; why one failed."""
    for command in build_commands(task.family, place):
        try:
            done = subprocess.run(  # noqa: S603 (the family's own command, without a shell)
                command, capture_output=True, text=True, timeout=BUILD_TIMEOUT_S, check=False
            )
        except (OSError, subprocess.TimeoutExpired) as error:
            return f"build: {error}"
        if done.returncode:
            return f"build: {command[0]} exit code {done.returncode}: {done.stderr.strip()[-300:]}"
    return None


class Remaining:
    """Time left, by the guess of the plan, corrected by what the configurations so far took of theirs."""

    def __init__(self, planned: Sequence[Task], options: CampaignOptions) -> None:
        self._options = options
        self._left_s = sum(task.seconds(options) for task in planned if task.why_not is None)
        self._guessed_s = self._took_s = 0.0

    def add(self, task: Task, took_s: float) -> None:
        """One configuration is over."""
        if task.why_not is None:
            guess_s = task.seconds(self._options)
            self._left_s -= guess_s
            self._guessed_s += guess_s
            self._took_s += took_s

    def text(self) -> str:
        ratio = self._took_s / self._guessed_s if self._guessed_s else 1.0
        return duration_text(max(0.0, self._left_s * ratio))


class EachRun:
    """Before a run: waits for a quiet machine, and says on one line of a terminal, where there is one, what runs."""

    def __init__(self, head: str, bench: Bench) -> None:
        self._head = head
        self._bench = bench

    def __call__(self, progress: Progress) -> None:
        if sys.stderr.isatty():
            sys.stderr.write(f"\r\x1b[K{self._head}: {progress.done}/{progress.total} {progress.policy}\r")
            sys.stderr.flush()
        if progress.run is None:
            wait_until_quiet(self._bench.fs, self._bench.options.patience_s)


if __name__ == "__main__":
    sys.exit(main())
