"""Changes of host-wide counters between the first and the last sample."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from advisor.profile.model import HostState
from advisor.profile.timeline import Timeline

Counters = Callable[[HostState], Mapping[str, int] | None]


def vmstat(state: HostState) -> Mapping[str, int] | None:
    return state.vmstat


def khugepaged(state: HostState) -> Mapping[str, int] | None:
    return state.thp.khugepaged if state.thp is not None else None


def elapsed_s(timeline: Timeline, section: str) -> float | None:
    """Seconds between the first and the newest reading of one section of the host state; None for one reading."""
    first, last = timeline.host_first_t_s.get(section), timeline.host_last_t_s.get(section)
    return last - first if first is not None and last is not None and last > first else None


def change(timeline: Timeline, counters: Counters, *names: str) -> int | None:
    """Growth of the first of `names` that both readings have; None where none is, or where it went backwards.

    Several names: what one counter was called by older kernels.
    """
    first, last = counters(timeline.host_first), counters(timeline.host_last)
    if first is None or last is None:
        return None
    name = next((name for name in names if name in first and name in last), None)
    if name is None or last[name] < first[name]:
        return None
    return last[name] - first[name]


def per_second(amount: float | None, seconds: float | None) -> float | None:
    """A rate; None where either is unknown or no time passed."""
    return amount / seconds if amount is not None and seconds else None


def part_of(part: int | None, rest: int | None) -> float | None:
    """part / (part + rest); None where either is unknown or nothing happened."""
    if part is None or rest is None or part + rest == 0:
        return None
    return part / (part + rest)
