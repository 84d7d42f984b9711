"""A program on glibc's malloc, put into a pool by its tunable."""

from __future__ import annotations

import platform
import re
import shlex
from pathlib import Path

import pytest

from tests.host.end_to_end import advise, applied, assert_as_forecast, host_on_base_pages, in_pool, needs, pmd_label

pytestmark = pytest.mark.host

SOURCE = Path(__file__).with_name("malloc_mix.c")

SHAPES = {
    "large blocks": [20, 2, 150, 0, 0],
    "threads": [40, 0, 0, 4, 220],
    "all of it": [300, 1, 200, 3, 100],
}
"""Small blocks, number and size of large ones, threads and the small blocks of each, in MiB."""


def on_base_pages(pid: int) -> int:
    """Anonymous memory outside of the pool, bytes."""
    (kib,) = re.findall(r"(?m)^Anonymous: +(\d+) kB$", Path(f"/proc/{pid}/smaps_rollup").read_text())
    return int(kib) * 1024


@pytest.mark.parametrize("shape", SHAPES)
def test_malloc_fills_the_pool_that_was_forecast(shape: str) -> None:
    (compiler,) = needs("gcc")
    name, version = platform.libc_ver()
    if name != "glibc" or tuple(int(part) for part in version.split(".")) < (2, 35):
        pytest.skip("glibc.malloc.hugetlb came with glibc 2.35")
    with host_on_base_pages() as bench:
        program = str(bench.folder / "malloc_mix")
        bench.run([compiler, "-O2", "-pthread", "-o", program, bench.copy(SOURCE)])
        command = [program, *map(str, SHAPES[shape])]
        process = bench.start_until_ready(command)
        assert in_pool(process.pid).mapped == 0
        advice = advise(bench, [process.pid], process.pid, want=pmd_label())
        bench.end_all()
        with applied(advice):
            (line,) = advice.lines("environment")
            process = bench.start_until_ready(shlex.split(line))
            found = in_pool(process.pid)
            assert_as_forecast(advice, found.mapped)
            assert found.resident >= 0.97 * found.mapped, "the last heap of an arena alone may be empty"
            assert on_base_pages(process.pid) < 2 << 20
            bench.end_all()
