"""What is left out is as if it were not installed."""

from __future__ import annotations

import subprocess
import sys

PROGRAM = """
import sys
from advisor.lean import leave_out
leave_out("pandas", "dask", "pytest")
import numpy as np
from sklearn.ensemble import ExtraTreesRegressor
forest = ExtraTreesRegressor(n_estimators=2).fit(np.eye(4), np.arange(4.0))
forest.predict(np.eye(4))
try:
    import pandas
except ModuleNotFoundError as error:
    print(error.name, *sorted({"pandas", "dask", "pytest"} & set(sys.modules)))
"""


def test_scikit_learn_learns_and_predicts_without_what_is_left_out() -> None:
    done = subprocess.run([sys.executable, "-c", PROGRAM], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout.strip()) == (0, "pandas"), done.stderr
