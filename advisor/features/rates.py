"""What changed between the first and the last sample of a process, per second; and its age."""

from __future__ import annotations

import polars as pl

from advisor.features.declare import ONE_SAMPLE, count, number

NO_CHILDREN = "seen in one sample only, or recorded by a version that did not read it"

FEATURES = (
    number("minor_faults_per_s", "faults/s", "Page faults without I/O.", "stat: minflt, two samples", ONE_SAMPLE),
    number("major_faults_per_s", "faults/s", "Page faults with I/O.", "stat: majflt, two samples", ONE_SAMPLE),
    number("cpu_cores", "CPU seconds/s", "CPU that it uses.", "stat: utime + stime, two samples", ONE_SAMPLE),
    number("system_cores", "CPU seconds/s", "The part of it in the kernel.", "stat: stime, two samples", ONE_SAMPLE),
    number(
        "children_cores",
        "CPU seconds/s",
        "CPU that children used which ended meanwhile, when they are waited for.",
        "stat: cutime + cstime, two samples",
        NO_CHILDREN,
    ),
    number(
        "children_minor_faults_per_s",
        "faults/s",
        "Page faults without I/O of these children.",
        "stat: cminflt, two samples",
        NO_CHILDREN,
    ),
    number(
        "rss_growth_bytes_per_s",
        "bytes/s",
        "Growth of its RSS; negative when it shrinks.",
        "stat: rss x base page, two samples",
        ONE_SAMPLE,
    ),
    number(
        "anon_huge_growth_bytes_per_s",
        "bytes/s",
        "Growth of AnonHugePages between the first and the last walk of its page tables.",
        "smaps or smaps_rollup: AnonHugePages, two walks",
        "walked once only (an unchanged process is not walked again), or the field is absent",
    ),
    count("minor_faults", "Page faults without I/O since it started.", "stat: minflt", "stat could not be read"),
    number(
        "age_s",
        "s",
        "Time since it started.",
        "/proc/uptime at the last sample - stat: starttime",
        "the host's uptime was not recorded",
    ),
)


def derive(frame: pl.DataFrame) -> pl.DataFrame:
    """Add this theme's columns to the process frame, which has first and last counters and their times."""
    elapsed = pl.col("elapsed_s")
    walk_elapsed = pl.col("walked_t_s") - pl.col("first_walked_t_s")
    return frame.with_columns(
        minor_faults_per_s=_per_second(_change("minor_faults"), elapsed),
        major_faults_per_s=_per_second(_change("major_faults"), elapsed),
        cpu_cores=_per_second(_change("cpu_s"), elapsed),
        system_cores=_per_second(_change("system_s"), elapsed),
        children_cores=_per_second(_change("children_cpu_s"), elapsed),
        children_minor_faults_per_s=_per_second(_change("children_minor_faults"), elapsed),
        rss_growth_bytes_per_s=_per_second(_change("stat_rss_pages") * pl.col("host_base_page_bytes"), elapsed),
        anon_huge_growth_bytes_per_s=_per_second(pl.col("anon_huge_bytes") - pl.col("first_anon_huge"), walk_elapsed),
        age_s=pl.col("uptime_s") - pl.col("start_s"),
    )


def _change(counter: str) -> pl.Expr:
    return pl.col(counter) - pl.col(f"first_{counter}")


def _per_second(change: pl.Expr, elapsed_s: pl.Expr) -> pl.Expr:
    return pl.when(elapsed_s > 0).then(change / elapsed_s)
