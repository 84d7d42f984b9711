"""`python -m tests.killed [--moments 200] [--seed 1] [NAME ...]`, as root on a host that nobody else uses.

Exit code 1 where anything was left in disorder.
"""

from __future__ import annotations

import argparse
import random
import sys
import tempfile
from pathlib import Path

from tests.killed.kill import COMMANDS, kill_once

SHOWN = 5


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("names", nargs="*", metavar="NAME")
    parser.add_argument("--moments", type=int, default=200)
    parser.add_argument("--seed", type=int, default=1)
    given = parser.parse_args()
    disorder = 0
    for command in COMMANDS:
        if command.name not in (given.names or [command.name]):
            continue
        rng = random.Random(f"{command.name} {given.seed}")  # the same moments again, no secret
        running, wrong = 0, []
        with tempfile.TemporaryDirectory() as made:
            for number in range(given.moments):
                folder = Path(made, str(number))
                folder.mkdir()
                ran, found = kill_once(command, folder, rng)
                running += ran
                wrong += found
        disorder += len(wrong)
        print(
            f"{command.name}: killed {given.moments} times, {running} while it ran; {len(wrong)} in disorder",
            flush=True,
        )
        for one in wrong[:SHOWN]:
            print(f"    {one}", flush=True)
    return int(disorder > 0)


if __name__ == "__main__":
    sys.exit(main())
