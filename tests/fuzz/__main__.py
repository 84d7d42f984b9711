"""`python -m tests.fuzz [--inputs 100000] [--seed 1] [--jobs 2] [--keep FOLDER] [NAME ...]`.

Exit code 1 where anything did harm.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor, as_completed
from pathlib import Path

from tests.fuzz.alone import LAST, scratch_folder
from tests.fuzz.files import target_names
from tests.fuzz.run import MOST_BYTES, MOST_S, Harm


def fuzz(name: str, inputs: int, seed: int, keep: Path) -> tuple[str, bool]:
    """What to print of one target, and whether it did no harm."""
    with scratch_folder() as folder:
        command = [sys.executable, "-m", "tests.fuzz.alone", name, str(inputs), str(seed), str(folder)]
        done = subprocess.run(command, capture_output=True, text=True)
        for harmful in (folder / name).glob("*"):
            Harm(name, "", "", harmful.read_bytes()).keep(keep)
        if done.returncode in (0, 1) and done.stdout:
            return done.stdout.rstrip(), done.returncode == 0
        last = Harm(name, "", "", (folder / LAST).read_bytes()).keep(keep)
        place = next((line for line in done.stderr.splitlines() if "advisor" in line), done.stderr[-200:])
        return f"{name:28} ended with code {done.returncode}\n    {place.strip()}  {last.name}", False


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("names", nargs="*", metavar="NAME")
    parser.add_argument("--inputs", type=int, default=100_000)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--jobs", type=int, default=2)
    parser.add_argument("--keep", type=Path, default=Path("fuzz-found"))
    given = parser.parse_args()
    names = given.names or target_names()
    harmful = 0
    with ThreadPoolExecutor(given.jobs) as pool:
        for done in as_completed([pool.submit(fuzz, name, given.inputs, given.seed, given.keep) for name in names]):
            text, is_harmless = done.result()
            harmful += not is_harmless
            print(text, flush=True)
    print(f"{harmful} of {len(names)} targets did harm: a crash, over {MOST_S:g} s, or over {MOST_BYTES >> 20} MiB")
    return int(harmful > 0)


if __name__ == "__main__":
    sys.exit(main())
