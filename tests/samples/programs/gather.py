"""Sums random elements of a large numpy array for ever: `gather.py MIB`. Prints "ready" once the array stands."""

from __future__ import annotations

import sys

import numpy as np

ELEMENTS_AT_ONCE = 1 << 20


def main() -> None:
    array = np.ones((int(sys.argv[1]) << 20) // 8)
    chance = np.random.default_rng(0)
    print("ready", flush=True)
    total = 0.0
    while True:
        total += float(array[chance.integers(0, len(array), ELEMENTS_AT_ONCE)].sum())


if __name__ == "__main__":
    main()
