"""What huge pages save of faulting memory in: physics that needs no forest.

A program that takes memory anew all the time gains in proportion to what it faults in: each GiB costs base pages some
tenths of a CPU second more than huge pages, the same for programs of every kind (docs/measurements.md). Where it uses
its memory sparsely, huge pages zero what nobody asked for, and lose. How much faulting costs is learnt, one number a
policy; the forests learn what is left.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Matrix = NDArray[np.float64]

CHURN, COVERAGE, DENSITY = "churn", "coverage", "density"
"""The inputs that it is made from: log2 of 1 + MiB faulted in per CPU second, the share on huge pages today, and how
full the mappings are that could hold huge pages."""

MIB_PER_GIB = 1024.0

ZEROING = 0.12
"""What zeroing costs huge pages, as a share of what the same memory costs base pages more. Source:
docs/measurements.md, sparse-touch: 96 microseconds for 2 MiB, 0.05 s for each GiB, against 0.4."""

FULLEST = 0.5
"""Density from which memory counts as used up. Reason: what is filled and dropped all the time is half full at a
moment chosen at random."""

MOST_LOST = -20.0
"""Least share of the saving that is left where memory is sparse. Reason: a page in 2 MiB would give -30."""

LEAST_LEFT = 0.1
"""Share of the time that is left at least. Source: own choice. Reason: no program does nothing but fault."""


def faulting_log_ratio(matrix: Matrix, names: Sequence[str], fill_s_per_gib: float) -> Matrix:
    """ln(time on base pages / time on huge pages) from faulting alone, by row; 0 where its rate is unknown.

    matrix: inputs by row, in the order of `names`, behind which other columns may follow. fill_s_per_gib: CPU seconds
    that filling 1 GiB costs base pages more. Today's CPU second holds the cost for what is on base pages now, and
    not the one that is saved already.
    """
    if CHURN not in names or COVERAGE not in names or fill_s_per_gib == 0.0:
        return np.zeros(len(matrix))
    gib_per_s = np.nan_to_num(np.exp2(matrix[:, names.index(CHURN)]) - 1.0) / MIB_PER_GIB
    coverage = np.nan_to_num(matrix[:, names.index(COVERAGE)])
    cost = fill_s_per_gib * gib_per_s * _share_saved(matrix, names)
    on_huge = np.maximum(1.0 - (1.0 - coverage) * cost, LEAST_LEFT)
    result: Matrix = np.log(np.maximum(1.0 + coverage * cost, LEAST_LEFT) / on_huge)
    return result


def _share_saved(matrix: Matrix, names: Sequence[str]) -> Matrix:
    """Of what faulting costs base pages more: 1 for memory that is used up, below 0 where zeroing costs more."""
    if DENSITY not in names:
        return np.ones(len(matrix))
    density = np.nan_to_num(matrix[:, names.index(DENSITY)], nan=1.0)
    used = np.clip(density / FULLEST, np.finfo(np.float64).tiny, 1.0)
    result: Matrix = np.maximum(1.0 - ZEROING * (1.0 / used - 1.0), MOST_LOST)
    return result
