"""Jobs of numpy: `numpy_jobs.py JOB MIB SECONDS`; MIB is about all arrays together."""

from __future__ import annotations

import sys
from collections.abc import Callable

import numpy as np
from steady import repeat
from workers import in_child

MIB = 1 << 20
Job = Callable[[], int]


def gather(size: int) -> Job:
    """table[index] with random 32-bit indices into 64-bit numbers, a part at a time."""
    table = np.ones(size * 2 // 3 // 8)
    index = np.random.default_rng(1).integers(0, len(table), size // 3 // 4, dtype=np.int32)
    part = min(len(index), 1 << 20)
    position = 0

    def step() -> int:
        nonlocal position
        table[index[position : position + part]].sum()
        position = position + part if position + 2 * part <= len(index) else 0
        return part

    return step


def argsort(size: int) -> Job:
    """Indirect sort of doubles."""
    values = np.random.default_rng(1).random(size // 24)

    def step() -> int:
        np.argsort(values)
        return len(values)

    return step


def product(size: int) -> Job:
    """Matrix product, with the BLAS that numpy brings."""
    side = int((size / 3 / 8) ** 0.5)
    left, right = np.ones((side, side)), np.ones((side, side))
    out = np.empty((side, side))

    def step() -> int:
        np.matmul(left, right, out=out)
        return side * side

    return step


def transform(size: int) -> Job:
    """Fourier transform of complex numbers, into a new array each time."""
    values = np.ones(size // 2 // 16, dtype=complex)

    def step() -> int:
        np.fft.fft(values)
        return len(values)

    return step


def add(size: int) -> Job:
    """a + b into an array that is there."""
    count = size // 3 // 8
    left, right, out = np.ones(count), np.ones(count), np.ones(count)

    def step() -> int:
        np.add(left, right, out=out)
        return count

    return step


def temporaries(size: int) -> Job:
    """An expression with fresh temporary arrays: memory is got and given back at each operator."""
    count = size // 4 // 8
    left, right = np.ones(count), np.ones(count)

    def step() -> int:
        (left * 2.0 + right * 3.0).sum()
        return count

    return step


def workers(size: int) -> Job:
    """A child for each request, which adds up a thousandth of the table that it inherits."""
    table = np.ones(size // 8)
    part = max(len(table) // 1000, 1)
    choose = np.random.default_rng(1)

    def step() -> int:
        start = int(choose.integers(0, len(table) - part + 1))
        in_child(lambda: table[start : start + part].sum())
        return 1

    return step


JOBS: dict[str, Callable[[int], Job]] = {
    "gather": gather,
    "argsort": argsort,
    "matmul": product,
    "fft": transform,
    "add": add,
    "temporaries": temporaries,
    "workers": workers,
}


def main() -> None:
    job, mib, seconds = sys.argv[1:]
    step = JOBS[job](int(mib) * MIB)
    step()
    repeat(float(seconds), step)


if __name__ == "__main__":
    main()
