"""`python -m tests.faults [--command report]`: every file that a command reads fails, each alone, in each way.

Exit code 1 where a command did not end as it should.
"""

from __future__ import annotations

import argparse
import sys

from tests.faults.inject import WAYS
from tests.faults.walk import COMMANDS, LIVE, ground, wrongs
from tests.fuzz.alone import scratch_folder

SHOWN = 5


def walk(command: str, *, live: bool) -> int:
    """Prints a line for each way; how many files a command ended badly on."""
    bad = 0
    with scratch_folder() as scratch:
        there = ground(scratch, command, live=live)
        for way in WAYS:
            found = list(wrongs(there, way))
            bad += len(found)
            on = "live" if live else "tree"
            print(f"{command:7} {on}  {way:14} {len(there.opened):4} files  {len(found):3} ended badly", flush=True)
            for one in found[:SHOWN]:
                print(f"    {one}", flush=True)
    return bad


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--command", choices=COMMANDS)
    given = parser.parse_args()
    bad = 0
    for command in [given.command] if given.command else COMMANDS:
        for live in LIVE[command]:
            bad += walk(command, live=live)
    print(f"{bad} runs ended badly")
    return int(bad > 0)


if __name__ == "__main__":
    sys.exit(main())
