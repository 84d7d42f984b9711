"""For processes that are this program's alone: what nobody needs is not imported."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from importlib.abc import MetaPathFinder
from importlib.machinery import ModuleSpec
from types import ModuleType


class _LeftOut(MetaPathFinder):
    """Says of some modules that they are not installed. (None in sys.modules would, too, but scikit-learn looks there
    itself, and takes what it finds for the module.)"""

    def __init__(self) -> None:
        self.names: set[str] = set()

    def find_spec(
        self, fullname: str, path: Sequence[str] | None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        """Raises ModuleNotFoundError for what is left out; None, so that others are asked, for all else."""
        del path, target
        if fullname in self.names:
            raise ModuleNotFoundError(f"No module named {fullname!r}: left out", name=fullname)
        return None


_left_out = _LeftOut()


def leave_out(*modules: str) -> None:
    """From here on none of them can be imported in this process, unless it was before.

    scikit-learn imports these where they are installed and does without them otherwise (1.9), measured: pandas to
    compare versions (sklearn/utils/fixes.py), 0.6 s of CPU and 58 MiB in each process; dask for array types
    (sklearn/externals/array_api_compat), 0.3 s; pytest for helpers of tests (sklearn/utils/_testing.py), 0.1 s. Not
    for a process of others, such as a worker of a Dask cluster.
    """
    _left_out.names.update(modules)
    if _left_out not in sys.meta_path:
        sys.meta_path.insert(0, _left_out)


def take_in(*modules: str) -> None:
    """They are wanted after all."""
    _left_out.names.difference_update(modules)
