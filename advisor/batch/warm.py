"""Imported once by the process that the workers of this machine are forked from: what they then share.

scikit-learn, which loads the model: 128 MiB and over a second of CPU. Not polars: it starts threads when it is
imported, and a process with threads is not forked.
"""

from __future__ import annotations

import gc

from advisor.batch.rights import give_up
from advisor.lean import leave_out

give_up()  # workers decode what strangers wrote

leave_out("pandas", "dask", "pytest")

import sklearn.ensemble  # noqa: E402, F401
import skops.io  # noqa: E402, F401  # others were to be left out first

gc.freeze()  # a collection would write to pages that are shared
