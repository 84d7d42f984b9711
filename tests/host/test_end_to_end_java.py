"""A JVM with a heap of 2 GiB, put into a pool by its own flags."""

from __future__ import annotations

import shlex

import pytest

from tests.host.end_to_end import advise, applied, assert_as_forecast, host_on_base_pages, in_pool, needs, pmd_label
from tests.samples.bench import PROGRAMS

pytestmark = pytest.mark.host

HEAP = ["-Xms2g", "-Xmx2g", "-XX:+AlwaysPreTouch"]


@pytest.mark.parametrize("options", [[*HEAP, "-XX:+UseG1GC"], ["-Xmx1500m", "-XX:+UseParallelGC"]])
def test_heap_tables_and_code_are_in_the_pool_that_was_forecast(options: list[str]) -> None:
    java, javac = needs("java", "javac")
    with host_on_base_pages() as bench:
        bench.run([javac, "-d", str(bench.folder), bench.copy(PROGRAMS / "RandomAccess.java")])
        program = ["-cp", str(bench.folder), "RandomAccess"]
        process = bench.start_until_ready([java, *options, *program])
        assert in_pool(process.pid).mapped == 0
        advice = advise(bench, [process.pid], process.pid, want=pmd_label())
        bench.end_all()
        with applied(advice):
            flags = [flag for line in advice.lines("jvm") for flag in shlex.split(line)]
            process = bench.start_until_ready([java, *options, *flags, *program])
            said = bench.log_of(process).read_text()
            assert said.strip() == "ready", "a JVM that falls back to base pages says so and goes on"
            found = in_pool(process.pid)
            assert_as_forecast(advice, found.mapped)
            if "-XX:+AlwaysPreTouch" in options:
                assert found.resident >= 2 << 30
            bench.end_all()
