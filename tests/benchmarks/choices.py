"""The figures behind docs/decisions.md: `python -m tests.benchmarks.choices`. Prints medians of CPU time.

What parsing smaps costs by reader and window, what one parse and one folding cost whatever the length, what a stat
costs beside a psutil.Process, and what all rules cost over many rows.
"""

from __future__ import annotations

import os
import statistics
import time
from collections.abc import Callable
from pathlib import Path

import polars as pl
import psutil

from advisor.collect.fold import Folder
from advisor.features import SCHEMA
from advisor.procfs.fs import KernelFs
from advisor.procfs.process import parse_stat
from advisor.procfs.smaps import SmapsParser, last_boundary
from advisor.procfs.smaps_lines import parse_lines
from advisor.rules import RULES, evaluate
from tests.programs import processes_with_vmas

VMAS = 40_000
ROUNDS = 7
RULE_ROWS = 1_000_000
PMD_BYTES = 2 << 20


def cpu_s(work: Callable[[], object], rounds: int = ROUNDS) -> float:
    """Median CPU seconds of one call; the first is not counted."""
    work()
    seconds = []
    for _ in range(rounds):
        began = time.process_time()
        work()
        seconds.append(time.process_time() - began)
    return statistics.median(seconds)


def in_windows(text: bytes, window: int, parser: SmapsParser, folder: Folder) -> None:
    begin = 0
    while begin < len(text):
        end = len(text) if len(text) - begin <= window else last_boundary(text, begin, begin + window)
        table = parser.parse(text[begin:end])
        folder.fold(table, [0, len(table)])
        begin = end


def smaps_readers(text: bytes) -> None:
    vmas = text.count(b"\nVmFlags:")
    parser, folder = SmapsParser(), Folder(PMD_BYTES, os.sysconf("SC_PAGE_SIZE"))
    print(f"line reader: {cpu_s(lambda: parse_lines(text), 3) / vmas * 1e6:.1f} us a VMA")
    for window in (256 << 10, 1 << 20, 2 << 20):
        spent = cpu_s(lambda window=window: in_windows(text, window, parser, folder))  # type: ignore[misc]
        print(f"columns and folding, windows of {window >> 10} KiB: {spent / vmas * 1e6:.2f} us a VMA")
    one = text[: last_boundary(text, 1, 4096)]
    table = parser.parse(one)
    print(f"one parse whatever the length: {cpu_s(lambda: parser.parse(one), 200) * 1e3:.2f} ms")
    print(f"one folding: {cpu_s(lambda: folder.fold(table, [0, len(table)]), 200) * 1e3:.2f} ms")


def stat_and_psutil() -> None:
    fs, pid = KernelFs(), os.getpid()
    print(f"stat: {cpu_s(lambda: fs.parse_process(pid, 'stat', parse_stat), 500) * 1e6:.0f} us")
    print(f"psutil.Process: {cpu_s(lambda: psutil.Process(pid), 500) * 1e6:.0f} us")


def rules_over_rows() -> None:
    values = {name: pl.repeat(None, RULE_ROWS, dtype=dtype, eager=True) for name, dtype in SCHEMA.items()}
    numbers = pl.int_range(0, RULE_ROWS, eager=True)
    frame = pl.DataFrame(
        {name: numbers.cast(series.dtype) if series.dtype.is_numeric() else series for name, series in values.items()}
    )
    began = time.perf_counter()
    evaluate(frame)
    print(f"{len(RULES)} rules over {RULE_ROWS} rows: {(time.perf_counter() - began) * 1e3:.0f} ms wall")


def main() -> None:
    with processes_with_vmas(1, VMAS) as pids:
        text = Path(f"/proc/{pids[0]}/smaps").read_bytes()
    smaps_readers(text)
    stat_and_psutil()
    rules_over_rows()


if __name__ == "__main__":
    main()
