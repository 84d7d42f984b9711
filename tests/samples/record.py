"""Records the sample profiles, each program with its load in a temporary folder, one after the other.

What was started is ended, and what was set on the host is restored, also after a failure.
"""

from __future__ import annotations

import argparse
import signal
import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path

import psutil

from advisor.profile.codec import ProfileWriter, load_profile
from advisor.profile.model import Profile
from advisor.profile.timeline import Timeline
from tests.samples import computing, databases, knobs
from tests.samples.bench import Bench, bench
from tests.samples.readme import readme
from tests.samples.scenario import Scenario
from tests.samples.scrub import scrubbed

ROOT = Path(__file__).resolve().parents[2]
FOLDER = ROOT / "sample_profiles"
SUFFIX = ".jsonl.zst"
SCENARIOS = (*databases.SCENARIOS, *computing.SCENARIOS)

ENOUGH_MEMORY_BYTES = 12 << 30
"""Memory that must be available before a recording: the largest program takes 8 GiB."""


ATTEMPTS = 3
"""Recordings made before giving up, where others change the host's settings meanwhile."""


class IncompleteRecording(Exception):
    """The recorder's budget did not reach the mappings of a program that the profile is about."""


class DisturbedRecording(Exception):
    """Somebody else changed THP or a pool meanwhile: the profile is not what its description says."""


def record(scenario: Scenario) -> None:
    """One profile, written anew. Raises what the last of ATTEMPTS raised."""
    for attempt in range(1, ATTEMPTS + 1):
        try:
            record_once(scenario)
            return
        except DisturbedRecording as error:
            print(f"{scenario.name}: {error}", file=sys.stderr)
            if attempt == ATTEMPTS:
                raise


def record_once(scenario: Scenario) -> None:
    knobs.wait_for_empty_pools()
    with bench(scenario.thp) as made:
        version = scenario.set_up(made)
        profile = recorded(made, scenario.duration_s, scenario.interval_s)
        require_mappings(profile, scenario.processes)
        require_settings(profile, scenario.thp, made.pool_pages)
        origin = "\n".join([version, *made.commands])
        write(scenario.name, scrubbed(profile, [str(made.folder)], origin))


def recorded(made: Bench, duration_s: int, interval_s: int) -> Profile:
    """What `record` sees of everything that was started on the bench. khugepaged is named for its CPU time."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / f"raw{SUFFIX}"
        command = [sys.executable, "-m", "advisor", "record", "-o", str(path)]
        command += ["--duration", str(duration_s), "--interval", str(interval_s)]
        for pid in [*khugepaged(), *made.pids()]:
            command += ["--pid", str(pid)]
        subprocess.run(command, cwd=ROOT, check=True)
        return load_profile(path)


def khugepaged() -> list[int]:
    return [process.pid for process in psutil.process_iter(["name"]) if process.name() == "khugepaged"]


def require_mappings(profile: Profile, names: Sequence[str]) -> None:
    """Raises IncompleteRecording unless the profile holds the mappings of every process it is about."""
    timeline = Timeline(profile.header)
    for sample in profile.samples:
        timeline.add(sample)
    for name in names:
        named = [p for p in timeline.processes.values() if p.facts is not None and p.facts.name == name]
        without = sum(process.maps is None for process in named)
        if not named or without:
            raise IncompleteRecording(f"{name}: {len(named)} processes, {without} of them without mappings")


def require_settings(profile: Profile, thp: str, pool_pages: Mapping[int, int]) -> None:
    """Raises DisturbedRecording unless THP's mode and every pool's size are what was set, in every sample."""
    for sample in profile.samples:
        pools = {pool.page_bytes: pool.total for pool in sample.host.pools or [] if pool.node is None and pool.total}
        mode = sample.host.thp.enabled if sample.host.thp else None
        if (mode, pools) != (thp, dict(pool_pages)):
            raise DisturbedRecording(f"{mode}, pools {pools} instead of {thp}, {dict(pool_pages)}")


def write(name: str, profile: Profile) -> None:
    path = FOLDER / f"{name}{SUFFIX}"
    with ProfileWriter(path) as writer:
        writer.write_header(profile.header)
        for sample in profile.samples:
            writer.write_sample(sample, redact=True)
    path.chmod(0o644)


def write_readme() -> None:
    found = [(scenario, FOLDER / f"{scenario.name}{SUFFIX}") for scenario in SCENARIOS]
    items = [(scenario, path.name, load_profile(path)) for scenario, path in found if path.exists()]
    (FOLDER / "README.md").write_text(readme(items))


def chosen(names: Sequence[str]) -> list[Scenario]:
    known = {scenario.name: scenario for scenario in SCENARIOS}
    if unknown := [name for name in names if name not in known]:
        raise SystemExit(f"unknown: {', '.join(unknown)}; known: {', '.join(known)}")
    return [known[name] for name in names] or list(SCENARIOS)


def main() -> None:
    parser = argparse.ArgumentParser(prog="record_sample_profiles.py", description=__doc__)
    parser.add_argument("names", nargs="*", metavar="NAME", help="only these profiles")
    parser.add_argument("--readme", action="store_true", help="write README.md alone")
    arguments = parser.parse_args()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(128 + signal.SIGTERM))
    for scenario in [] if arguments.readme else chosen(arguments.names):
        if psutil.virtual_memory().available < ENOUGH_MEMORY_BYTES:
            raise SystemExit(f"less than {ENOUGH_MEMORY_BYTES >> 30} GiB available")
        print(f"{scenario.name} ...", file=sys.stderr, flush=True)
        record(scenario)
    write_readme()
