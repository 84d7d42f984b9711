"""What `record` costs at its defaults, on a host of many processes.

    python -m tests.benchmarks.record_cost [--processes 200] [--vmas 300] [--seconds 120]

Runs the command as a user would, with its default interval, and prints the CPU time of the whole process (start-up
and imports included, as the kernel accounts it) as a share of one CPU; then what the file holds.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from advisor.profile.codec import load_profile
from tests.programs import processes_with_vmas


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--processes", type=int, default=200)
    parser.add_argument("--vmas", type=int, default=300)
    parser.add_argument("--seconds", type=float, default=120)
    options = parser.parse_args()
    with (
        processes_with_vmas(options.processes, options.vmas) as pids,
        tempfile.TemporaryDirectory() as folder,
    ):
        path = Path(folder) / "p.jsonl.zst"
        command = [sys.executable, "-m", "advisor", "record", "-o", str(path), "--duration", str(options.seconds)]
        began, before = time.monotonic(), os.times()
        subprocess.run(command, check=True)
        elapsed, after = time.monotonic() - began, os.times()
        cpu_s = after.children_user + after.children_system - before.children_user - before.children_system
        profile = load_profile(path)
        print(f"record: {cpu_s:.2f} s CPU in {elapsed:.0f} s = {cpu_s / elapsed:.2%} of one CPU, start-up included")
        sampled = sum(sample.cost.cpu_s for sample in profile.samples)
        print(f"sampling alone: {sampled:.2f} s CPU = {sampled / elapsed:.2%} of one CPU")
        with_maps = {record.pid for sample in profile.samples for record in sample.processes if record.maps}
        read = len(with_maps & set(pids))
        size = path.stat().st_size
        print(f"{len(profile.samples)} samples, smaps of {read} of {len(pids)} processes, {size} bytes")


if __name__ == "__main__":
    main()
