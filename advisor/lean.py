"""For processes that are this program's alone: what nobody needs is not imported."""

from __future__ import annotations

import sys


def leave_out(*modules: str) -> None:
    """From here on none of them can be imported in this process, unless it was before.

    scikit-learn imports these where they are installed and does without them otherwise (1.9), measured: pandas to
    compare versions (sklearn/utils/fixes.py), 0.6 s of CPU and 58 MiB in each process; dask for array types
    (sklearn/externals/array_api_compat), 0.3 s; pytest for helpers of tests (sklearn/utils/_testing.py), 0.1 s. Not
    for a process of others, such as a worker of a Dask cluster.
    """
    for module in modules:
        sys.modules.setdefault(module, None)  # type: ignore[arg-type]  # None: cannot be imported
