"""`python -m tests.killed [--moments 200] [--seed 1] [NAME ...]`, as root on a host that nobody else uses.

Exit code 1 where anything was left in disorder.
"""

from __future__ import annotations

import argparse
import random
import sys
import tempfile
from pathlib import Path

from tests.killed.kill import COMMANDS, kill_once, seconds_of

SHOWN = 5


def folder_in(made: str, name: object) -> Path:
    folder = Path(made, str(name))
    folder.mkdir()
    return folder


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
        running, tried, wrong = 0, 0, []
        with tempfile.TemporaryDirectory() as made:
            whole_s = seconds_of(command, folder_in(made, "whole"))
            while running < given.moments:
                ran, found = kill_once(command, folder_in(made, tried), rng, whole_s)
                running, tried = running + ran, tried + 1
                wrong += found
        disorder += len(wrong)
        print(
            f"{command.name}: killed {running} times within {whole_s:.1f} s, {tried - running} times it had ended; "
            f"{len(wrong)} in disorder",
            flush=True,
        )
        for one in wrong[:SHOWN]:
            print(f"    {one}", flush=True)
    return int(disorder > 0)


if __name__ == "__main__":
    sys.exit(main())
