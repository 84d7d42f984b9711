"""How often the interval of a trial holds the truth, and how wide it is: `python -m tests.benchmarks.trial_coverage`.

Runs are simulated: log-normal noise, sides of several sizes and variances, with and without single runs that are
30 % slower. Beside the interval in use stand those it replaced: percentile bootstraps of the mean difference, plain
and expanded, and Welch's t interval. A 95 % interval should cover 95 %; width is the median of high / low - 1.
"""

from __future__ import annotations

import argparse
import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.special import ndtr, stdtrit

from advisor.trial.statistics import RESAMPLES, ratio_interval

Values = NDArray[np.float64]
Span = tuple[float, float]

OUTLIER_FACTOR = 1.3
OUTLIER_SHARE = 0.07
SIZES = ((3, 3), (5, 5), (7, 7), (7, 3), (10, 5), (20, 20))
TRUTH = 1.2


@dataclass(frozen=True)
class Noise:
    """Standard deviation of the logarithm on both sides, and whether single runs are slower."""

    name: str
    ours: float
    theirs: float
    outliers: bool = False


NOISES = (
    Noise("1 % each", 0.01, 0.01),
    Noise("2 % each", 0.02, 0.02),
    Noise("1 % and 5 %", 0.01, 0.05),
    Noise("5 % and 1 %", 0.05, 0.01),
    Noise("2 %, outliers", 0.02, 0.02, outliers=True),
    Noise("1 % and 5 %, outliers", 0.01, 0.05, outliers=True),
)


def draw(random: np.random.Generator, size: int, deviation: float, outliers: bool) -> Values:
    """Logarithms of run times around 0."""
    logs = random.normal(0.0, deviation, size)
    if outliers:
        logs += np.where(random.random(size) < OUTLIER_SHARE, math.log(OUTLIER_FACTOR), 0.0)
    return logs


def in_use(ours: Values, theirs: Values, seed: int) -> Span:
    found = ratio_interval(np.exp(ours).tolist(), np.exp(theirs).tolist(), "lower", seed=seed)
    return math.log(found.low), math.log(found.high)


def welch(ours: Values, theirs: Values, seed: int) -> Span:
    del seed
    variance, degrees = _welch_parts(ours, theirs)
    reach = float(stdtrit(degrees, 0.975)) * math.sqrt(variance)
    shift = float(theirs.mean() - ours.mean())
    return shift - reach, shift + reach


def plain(ours: Values, theirs: Values, seed: int) -> Span:
    return _percentile(_resampled_means(ours, theirs, seed, stretch=False), 0.025)


def expanded(ours: Values, theirs: Values, seed: int) -> Span:
    _, degrees = _welch_parts(ours, theirs)
    return _percentile(_resampled_means(ours, theirs, seed, stretch=True), float(ndtr(-stdtrit(degrees, 0.975))))


METHODS: dict[str, Callable[[Values, Values, int], Span]] = {
    "in use": in_use,
    "plain": plain,
    "expanded": expanded,
    "Welch": welch,
}


def _welch_parts(ours: Values, theirs: Values) -> tuple[float, float]:
    parts = [(side.var(ddof=1) / len(side), len(side) - 1) for side in (ours, theirs)]
    variance = float(sum(part for part, _ in parts))
    return variance, variance**2 / float(sum(part**2 / count for part, count in parts))


def _resampled_means(ours: Values, theirs: Values, seed: int, *, stretch: bool) -> Values:
    random = np.random.default_rng(seed)
    means = []
    for side in (theirs, ours):
        factor = math.sqrt(len(side) / (len(side) - 1)) if stretch else 1.0
        spread = side.mean() + factor * (side - side.mean())
        means.append(spread[random.integers(0, len(side), (RESAMPLES, len(side)))].mean(axis=1))
    return np.asarray(means[0] - means[1])


def _percentile(shifts: Values, tail: float) -> Span:
    low, high = np.quantile(shifts, [tail, 1 - tail])
    return float(low), float(high)


def coverage(sizes: tuple[int, int], noise: Noise, trials: int, method: str = "in use", seed: int = 0) -> Span:
    """(share of intervals that hold the truth, median of high / low - 1)."""
    random = np.random.default_rng(seed)
    truth = math.log(TRUTH)
    held, widths = 0, []
    for trial in range(trials):
        ours = draw(random, sizes[0], noise.ours, noise.outliers) - truth
        theirs = draw(random, sizes[1], noise.theirs, noise.outliers)
        low, high = METHODS[method](ours, theirs, trial)
        held += low <= truth <= high
        widths.append(math.expm1(high - low))
    return held / trials, float(np.median(widths))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--trials", type=int, default=1000, help="simulated trials a row (default 1000)")
    trials = parser.parse_args().trials
    print(f"{'runs':8}{'noise':24}" + "".join(f"{name:>18}" for name in METHODS))
    for sizes in SIZES:
        for noise in NOISES:
            cells = [coverage(sizes, noise, trials, method) for method in METHODS]
            row = "".join(f"{held:>10.1%} {width:>7.1%}" for held, width in cells)
            print(f"{sizes[0]}, {sizes[1]:<5}{noise.name:24}{row}", flush=True)


if __name__ == "__main__":
    main()
