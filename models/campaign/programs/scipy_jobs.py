"""Jobs of scipy and scikit-learn: `scipy_jobs.py JOB THOUSANDS SECONDS`; libraries are loaded as needed."""

from __future__ import annotations

import sys
from collections.abc import Callable

import numpy as np
from steady import repeat

ENTRIES = 16
"""Entries of a row of the sparse matrix."""

Job = Callable[[], int]


def sparse(count: int) -> Job:
    """Sparse matrix in rows, times vector."""
    from scipy.sparse import csr_matrix

    columns = np.random.default_rng(1).integers(0, count, count * ENTRIES, dtype=np.int32)
    starts = np.arange(0, count * ENTRIES + 1, ENTRIES, dtype=np.int32)
    matrix = csr_matrix((np.ones(len(columns)), columns, starts), shape=(count, count))
    vector = np.ones(count)

    def step() -> int:
        matrix.dot(vector)
        return count

    return step


def nearest(count: int) -> Job:
    """The eight nearest points in three dimensions, from a tree."""
    from scipy.spatial import cKDTree

    generator = np.random.default_rng(1)
    tree = cKDTree(generator.random((count, 3)), balanced_tree=False)

    def step() -> int:
        tree.query(generator.random((5000, 3)), k=8)
        return 5000

    return step


def clusters(count: int) -> Job:
    """A few rounds of k-means."""
    from sklearn.cluster import KMeans

    points = np.random.default_rng(1).random((count, 16))

    def step() -> int:
        KMeans(16, init="random", n_init=1, max_iter=5, random_state=1).fit(points)
        return 1

    return step


JOBS: dict[str, Callable[[int], Job]] = {
    "sparse": sparse,
    "nearest": nearest,
    "clusters": clusters,
}


def main() -> None:
    job, thousands, seconds = sys.argv[1:]
    repeat(float(seconds), JOBS[job](int(thousands) * 1000))


if __name__ == "__main__":
    main()
