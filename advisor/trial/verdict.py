"""Why a run is left out of the comparison: the command failed, or its policy was not seen to take effect. Pure."""

from __future__ import annotations

import math
import re
import signal
from collections import deque
from collections.abc import Mapping, Sequence

from advisor.trial.document import Metric, Way
from advisor.trial.text import percent
from advisor.trial.watch import Seen

MIN_COVERAGE = 0.25
"""Least share of the main process's memory on the pages of the policy for a run to count as one under it. Low on
purpose: thread stacks, code caches and small heaps stay on base pages under every policy; a quarter of the memory
can carry most of the accesses. Below it a result says more about the way than about the pages."""

MAX_BASE_HUGE_SHARE = 0.02
"""Most of it that may be huge in a run on base pages: remains of a few pages, not a policy."""

MAX_LINE_CHARACTERS = 200
"""Of the last output line that explains a failure."""


def why_not_counted(
    way: Way,
    *,
    exit_code: int,
    timed_out_s: float | None,
    last_line: str,
    metric: Metric,
    value: float | None,
    seen: Seen,
    min_coverage: float = MIN_COVERAGE,
    needed_bytes: int | None = None,
    left: Sequence[int] = (),
) -> str | None:
    """None where the run counts. timed_out_s: the limit that it ran into. needed_bytes: as in `Place`. left: pids of
    the run that would not end."""
    if left:
        return f"process {left[0]} of it would not end"
    if timed_out_s is not None:
        return f"did not end within {timed_out_s:g} s"
    if exit_code:
        return f"{_ending(exit_code)}: {last_line}" if last_line else _ending(exit_code)
    if value is None:
        return f"no number in the output matches {metric.regex}"
    return _why_not_applied(way, seen, min_coverage) or _why_hollow(way, seen, min_coverage, needed_bytes)


def _ending(exit_code: int) -> str:
    if exit_code > 0:
        return f"exit code {exit_code}"
    try:
        return f"ended by {signal.Signals(-exit_code).name}"
    except ValueError:
        return f"ended by signal {-exit_code}"


def _why_not_applied(way: Way, seen: Seen, min_coverage: float) -> str | None:
    kind = way.policy.kind
    if kind == "default":
        return None
    if seen.thp_share is None:
        return f"its memory was not seen: {seen.problem or 'it ended before smaps could be read'}"
    if kind == "base":
        huge = seen.thp_share + sum(seen.hugetlb_share.values())
        return f"{percent(huge)} of its memory was on huge pages" if huge > MAX_BASE_HUGE_SHARE else None
    if kind == "thp":
        return _too_little(seen.thp_share, min_coverage, "on transparent huge pages")
    share = seen.hugetlb_share.get(way.policy.page_bytes or 0, 0.0)
    return _too_little(share, min_coverage, f"on pages of {way.policy.name}")


def _why_hollow(way: Way, seen: Seen, min_coverage: float, needed_bytes: int | None) -> str | None:
    """Where one page of a pool is so large that it would do alone, however little of it is used: what must not have
    stayed on base pages, next to what the command is known to need."""
    page_bytes = way.pool_page_bytes or 0
    if not needed_bytes or page_bytes < min_coverage * (page_bytes + needed_bytes):
        return None
    left = ((seen.memory.peak_anon_bytes or 0) + (seen.memory.peak_shmem_bytes or 0)) / needed_bytes
    if 1 - left >= min_coverage:
        return None
    return f"{percent(min(left, 1.0))} of the memory that it needs stayed on base pages, the pool's were hardly used"


def _too_little(share: float, least: float, where: str) -> str | None:
    return f"only {percent(share)} of its memory was {where}, less than {percent(least)}" if share < least else None


def last_line(output: str) -> str:
    """The last line with something in it, bounded, and with characters that cannot be seen as escapes."""
    lines = output.rstrip().rpartition("\n")[2].strip()
    shown = lines[:MAX_LINE_CHARACTERS]
    return "".join(one if one.isprintable() else one.encode("unicode_escape").decode("ascii") for one in shown)


def metric_value(metric: Metric, output: str, wall_s: float, cpu_s: float) -> float | None:
    """What is compared. Of the output the regex's last match: its group "value", else its first group, else all.

    None where nothing matches or what matches is no finite number; a comma for thousands is not a number.
    """
    if metric.kind == "wall":
        return wall_s
    if metric.kind == "cpu":
        return cpu_s
    last = deque(re.finditer(metric.regex or "", output, re.MULTILINE), maxlen=1)
    return _number(_group(last[0])) if last else None


def _group(match: re.Match[str]) -> str:
    groups: Mapping[str, str | None] = match.groupdict()
    text = groups["value"] if "value" in groups else match.group(1 if match.re.groups else 0)
    return text or ""


def _number(text: str) -> float | None:
    try:
        value = float(text)
    except ValueError:
        return None
    return value if math.isfinite(value) else None
