"""For processes that are this program's alone: what nobody needs is not imported."""

from __future__ import annotations

import sys


def leave_out_pandas() -> None:
    """From here on `import pandas` fails in this process.

    scikit-learn imports it where it is installed, to compare versions (1.9, sklearn/utils/fixes.py): 0.6 s of CPU and
    58 MiB in each process, measured. Not for a process of others, such as a worker of a Dask cluster.
    """
    sys.modules.setdefault("pandas", None)  # type: ignore[arg-type]  # None: cannot be imported
