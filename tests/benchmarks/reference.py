"""The same work again and again: `python -m tests.benchmarks.reference SECONDS`, a byte of output each time.

Advice on a sample profile, every so many seconds, with caches as cold as those of anything else that wakes up as
seldom: what its CPU is today tells how fast the machine is, and nothing in it can grow.
"""

from __future__ import annotations

import os
import sys
import time
from pathlib import Path

from advisor.advise import advise
from advisor.profile.codec import load_profile

PROFILE = Path(__file__).resolve().parents[2] / "sample_profiles" / "postgres-huge-pages-off.jsonl.zst"


def main() -> None:
    interval_s = float(sys.argv[1])
    profile = load_profile(PROFILE)
    number = 0
    began = time.monotonic()
    while True:
        advise(profile, kind="profile")
        number += 1
        os.write(sys.stdout.fileno(), b".")
        time.sleep(max(began + number * interval_s - time.monotonic(), 0.0))


if __name__ == "__main__":
    main()
