"""`python -m tests.fuzz.guided NAME [--seconds 60]`: atheris looks for inputs that reach new code.

Needs the dependency group `fuzz`. What it finds goes to `corpus/NAME`: inputs that reach new code, so that the
mutated ones of `tests.fuzz` have more to begin with, and `crash-...`, which stay there as tests once they are mended.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

import atheris  # type: ignore  # in the dependency group `fuzz` alone

with atheris.instrument_imports(include=["advisor"]):
    from tests.fuzz.alone import scratch_folder
    from tests.fuzz.files import target_names, target_of
    from tests.fuzz.targets import CORPUS

MOST_BYTES = 1 << 14
"""Of an input: atheris finds branches, not floods."""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("name", choices=target_names())
    parser.add_argument("--seconds", type=int, default=60)
    given = parser.parse_args()
    with scratch_folder() as scratch:
        target = target_of(given.name, scratch)

        def one(data: bytes) -> None:
            try:
                target.run(data)
            except target.errors:
                return

        seeds = scratch / "seeds"
        seeds.mkdir()
        for number, seed in enumerate(target.seeds):
            (seeds / str(number)).write_bytes(seed)
        found = CORPUS / given.name
        found.mkdir(parents=True, exist_ok=True)
        options = [f"-max_total_time={given.seconds}", f"-max_len={MOST_BYTES}", f"-artifact_prefix={found}/"]
        options += ["-timeout=1", "-rss_limit_mb=1000", "-reduce_inputs=1"]
        atheris.Setup([sys.argv[0], *options, str(Path(found)), str(seeds)], one)
        atheris.Fuzz()


if __name__ == "__main__":
    main()
