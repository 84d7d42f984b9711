"""What opt-in probes found of a process, and what each cost it, in words. All from the report, unescaped."""

from __future__ import annotations

from collections.abc import Iterator

from advisor.render.numbers import human_bytes, percent
from advisor.report.process import ProbeCost, Probed
from advisor.report.reasons import Evidence


def probe_lines(probed: Probed | None) -> Iterator[str]:
    """One sentence a probe, those that could not run last."""
    if probed is None:
        return
    for name, cost in probed.costs.items():
        yield f"probe {name}: {_found(name, probed.features)} ({_cost(cost)})"
    for name, problem in probed.problems.items():
        yield f"probe {name}: could not run, {problem}"


def _found(name: str, features: dict[str, Evidence]) -> str:
    """By the probe's name; one that this version does not know has its findings in the JSON."""
    words = {"referenced": _touched, "density": _density, "soft-dirty": _written}.get(name)
    found = words(features) if words is not None else ""
    return found or "nothing that tells"


def _touched(features: dict[str, Evidence]) -> str:
    within = ((delay_ms, _number(features, f"probe_touched_share_{delay_ms}ms")) for delay_ms in (1, 16, 256))
    parts = [f"{percent(share)} within {delay_ms} ms" for delay_ms, share in within if share is not None]
    return f"of its RSS it touched {', '.join(parts)}" if parts else ""


def _density(features: dict[str, Evidence]) -> str:
    mean, fill = _number(features, "probe_density_mean"), _number(features, "probe_fill_bytes")
    if mean is None or fill is None:
        return ""
    return f"its huge page slots are {percent(mean)} full, {human_bytes(round(fill))} would fill them"


def _written(features: dict[str, Evidence]) -> str:
    rate, scatter = _number(features, "probe_dirty_rate"), _number(features, "probe_dirty_scatter")
    if rate is None:
        return ""
    where = "" if scatter is None else f", {scatter:.2g} huge page slots for each page written"
    return f"it wrote anew {human_bytes(round(rate))}/s{where}"


def _number(features: dict[str, Evidence], name: str) -> float | None:
    value = features.get(name)
    return float(value) if isinstance(value, int | float) else None


def _cost(cost: ProbeCost) -> str:
    still = f", its page faults stood still for {cost.lock_s * 1e3:.3g} ms of it" if cost.lock_s else ""
    return f"took {cost.wall_s * 1e3:.3g} ms{still}"
