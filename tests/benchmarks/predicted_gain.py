"""Is the gain that is predicted for a live program the one that a trial then measures?

For each family named, a model is learnt from the data set without that family; then its programs are started anew,
watched by the ordinary profiler on base pages, and measured by a trial. Printed side by side: the predicted interval
and what was measured. As root:

    python -m tests.benchmarks.predicted_gain [FAMILY ...]
"""

from __future__ import annotations

import math
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path

from advisor.predictor import Predictor, models_folder
from advisor.training.dataset import Measurement, read_all, read_dataset
from advisor.training.labels import Effect, measured
from advisor.training.learn import learn, trained_on
from advisor.training.rows import Table, main_process, table_of
from advisor.training.settings import SHIPPED

FAMILIES = ("pointer-chase", "stream-copy", "compute-only", "numpy-gather", "jvm", "fork-copy", "redis", "sort")
"""Programs of different kinds: bound by the TLB, by bandwidth, by computing, by faults; servers, runtimes, tools."""

OUTPUTS = ("thp", "pool")


def main(families: Sequence[str]) -> int:
    table = table_of(read_all(sorted(models_folder().glob("measurements*.jsonl.zst"))))
    inside = answered = 0
    print(f"{'configuration':<32} {'policy':<6} {'predicted (90 %)':<26} {'measured (95 %)':<24} inside")
    for family in families:
        predictor = without(table, family)
        for measurement in measure_anew(family):
            for output, predicted, seen in compared(measurement, predictor):
                if isinstance(predicted, str):
                    print(f"{measurement.id:<32} {output:<6} abstains: {predicted}")
                    continue
                median, low, high = predicted
                gains = tuple(gain_of(part) for part in (seen.log_ratio, seen.low, seen.high))
                is_inside = low <= gains[0] <= high
                answered, inside = answered + 1, inside + is_inside
                print(
                    f"{measurement.id:<32} {output:<6} {percent(median, low, high):<26} {percent(*gains):<24} "
                    f"{'yes' if is_inside else 'NO'}",
                    flush=True,
                )
    print(f"{inside} of {answered} measured gains lie in the interval that was predicted without their family")
    return 0


def without(table: Table, family: str) -> Predictor:
    """A model that has never seen this family."""
    others = table.where([one.family != family for one in table.examples])
    return learn(others, SHIPPED).predictor(trained_on(others, [], ""))


def measure_anew(family: str) -> Iterator[Measurement]:
    """The family's configurations, profiled and measured now."""
    with tempfile.TemporaryDirectory() as folder:
        data = Path(folder) / "anew.jsonl.zst"
        command = [sys.executable, "-m", "advisor.training.campaign", "--families", family, "--out", str(data)]
        subprocess.run([*command, "--rounds", "7", "--profile-seconds", "4", "--min-coverage", "0.05"], check=False)
        if data.exists():
            yield from read_dataset(data)


def compared(
    measurement: Measurement, predictor: Predictor
) -> Iterator[tuple[str, tuple[float, float, float] | str, Effect]]:
    """For each policy that was measured: the prediction for the program as found on base pages, and the effect."""
    found = next((one.profile for one in measurement.profiles if one.state == "base"), None)
    effects = measured(measurement.trial).effects
    if found is None:
        return
    program = main_process(found)
    if program is None:
        return
    row = predictor.predict(program).to_dicts()[0]
    for output in OUTPUTS:
        if output in effects:
            names = (f"{output}_gain", f"{output}_gain_low", f"{output}_gain_high")
            yield output, row["abstained"] or tuple(row[name] for name in names), effects[output]


def gain_of(log_ratio: float) -> float:
    """Share of time saved."""
    return -math.expm1(-log_ratio)


def percent(median: float, low: float, high: float) -> str:
    return f"{median:+.1%} ({low:+.1%} to {high:+.1%})"


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:] or FAMILIES))
