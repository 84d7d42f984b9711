"""What huge pages save of faulting memory in: physics that needs no forest.

A program that takes memory anew all the time gains in proportion to what it faults in: each GiB costs base pages some
tenths of a CPU second more than huge pages, the same for programs of every kind (docs/measurements.md). How much is
learnt, one number a policy; the forests learn what is left.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Matrix = NDArray[np.float64]

CHURN, COVERAGE = "churn", "coverage"
"""The inputs that it is made from: log2 of 1 + MiB faulted in per CPU second, and the share on huge pages today."""

MIB_PER_GIB = 1024.0

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
    cost = fill_s_per_gib * gib_per_s
    on_huge = np.maximum(1.0 - (1.0 - coverage) * cost, LEAST_LEFT)
    result: Matrix = np.log((1.0 + coverage * cost) / on_huge)
    return result
