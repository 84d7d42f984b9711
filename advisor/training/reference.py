"""docs/measurements.md: what each page policy gave every measured program, from the data set alone.

Every row can be repeated by the command above the tables; nothing here is computed from anything but counted runs.
"""

from __future__ import annotations

import math
import statistics
from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import groupby

from advisor.training.dataset import Measurement, noisy_policies
from advisor.training.labels import Role, roles_of
from advisor.trial.document import Comparison, Environment, Summary, Trial

MIB = 1 << 20
GIB = 1 << 30

COLUMNS: tuple[tuple[str, Role, Role], ...] = (
    ("THP", "thp", "base"),
    ("2M pool", "pool", "base"),
    ("1G pool", "gigantic", "base"),
    ("1G over 2M", "gigantic", "pool"),
)
"""Columns of speed-ups: heading, policy, what it is compared with."""

TIE = "tie"
"""How a comparison reads whose interval contains 1."""

NOT_MEASURED = ""
"""A policy that this program was not run under."""


def reference_page(measurements: Sequence[Measurement], marker: str = "") -> str:
    """The whole page as Markdown. marker: a first line, such as a note that it is generated."""
    ordered = sorted(measurements, key=lambda one: (one.family, one.working_set_bytes, one.id, one.key))
    families = [(name, list(rows)) for name, rows in groupby(ordered, key=lambda one: one.family)]
    lines = [marker + "# What page policies really gave\n", *_introduction(ordered, families), *_overview(families)]
    for _, rows in families:
        lines += _family(rows)
    return "\n".join(lines) + "\n"


def _introduction(measurements: Sequence[Measurement], families: Sequence[object]) -> Iterator[str]:
    yield (
        f"{len(measurements)} configurations of {len(families)} families of programs, each run under base pages, "
        "THP, a 2M pool and a 1G pool as far as it can use them: fresh processes, rotated order, warm-up dropped. A "
        "run counts only if its policy was seen to take effect in smaps. All runs: `models/measurements.jsonl.zst`."
    )
    yield ""
    yield (
        "Numbers above 1 are better: 1.20 is 1.20 times the work in the same time. In brackets the 95 % interval "
        f"(bootstrap over the runs); *{TIE}* where it contains 1, so that no difference was seen. Empty: the program "
        "cannot use that policy, or it never took effect. `~` marks a row with a policy whose runs spread by more "
        "than 10 %."
    )
    yield ""
    yield "Measured on:"
    yield ""
    for identity, environment in _environments(measurements).items():
        yield f"- `{identity}`: {_machine(environment)}"
    yield ""
    yield "To repeat one row on your machine, as root:"
    yield ""
    yield "```sh"
    yield "python -m advisor.training.campaign --configuration FAMILY/CONFIGURATION --out mine.jsonl.zst"
    yield "```"
    yield ""


def _environments(measurements: Iterable[Measurement]) -> dict[str, Environment]:
    return {one.campaign_environment: one.environment for one in measurements}


def _machine(environment: Environment) -> str:
    memory = environment.memory_total_bytes
    parts = [
        environment.cpu_model,
        f"{environment.cpus} CPUs" if environment.cpus else None,
        f"{memory / GIB:.0f} GiB" if memory else None,
        f"{environment.virtualization} guest" if environment.virtualization else None,
        f"Linux {environment.kernel}" if environment.kernel else None,
        environment.libc,
    ]
    return ", ".join(part for part in parts if part)


def _overview(families: Sequence[tuple[str, Sequence[Measurement]]]) -> Iterator[str]:
    yield "## By family"
    yield ""
    yield (
        "Geometric mean over a family's configurations, and the range. "
        "*Steady* families leave set-up out; in the others it is part of the time."
    )
    yield ""
    yield "| Family | Configurations | Metric | THP | 2M pool | 1G pool |"
    yield "| --- | ---: | --- | --- | --- | --- |"
    for name, rows in sorted(families, key=lambda family: -_mean_gain(family[1])):
        cells = [_range(rows, policy, against) for _, policy, against in COLUMNS[:3]]
        metric = "steady" if rows[0].steady else "whole run"
        yield f"| [{rows[0].title}](#{name}) | {len(rows)} | {metric} | " + " | ".join(cells) + " |"
    yield ""


def _mean_gain(rows: Sequence[Measurement]) -> float:
    """Mean log ratio of the better of THP and 2M pool; for ordering."""
    best = []
    for one in rows:
        found = [_estimate(one.trial, policy, "base") for policy in ("thp", "pool")]
        best.append(max((math.log(ratio) for ratio in found if ratio is not None), default=0.0))
    return statistics.fmean(best)


def _range(rows: Sequence[Measurement], policy: Role, against: Role) -> str:
    ratios = [ratio for one in rows if (ratio := _estimate(one.trial, policy, against)) is not None]
    if not ratios:
        return NOT_MEASURED
    mean = math.exp(statistics.fmean(math.log(ratio) for ratio in ratios))
    return f"{mean:.2f}" if len(ratios) == 1 else f"{mean:.2f} ({min(ratios):.2f} to {max(ratios):.2f})"


def _family(rows: Sequence[Measurement]) -> Iterator[str]:
    first = rows[0]
    yield f'## <a id="{first.family}"></a>{first.title}'
    yield ""
    yield f"{first.about} {'Steady state.' if first.steady else 'The whole run, set-up included.'}"
    yield ""
    yield (
        "| Configuration | Memory | " + " | ".join(name for name, _, _ in COLUMNS) + " | THP: seen, bloat | Set-up |"
    )
    yield "| --- | ---: | " + " | ".join("---" for _ in COLUMNS) + " | --- | --- |"
    for one in rows:
        mark = " ~" if noisy_policies(one) else ""
        cells = [_speed_up(one.trial, policy, against) for _, policy, against in COLUMNS]
        yield (
            f"| `{one.id}`{mark} | {_size(one.working_set_bytes)} | "
            + " | ".join(cells)
            + f" | {_coverage_and_bloat(one.trial)} | {_set_up(one.trial)} |"
        )
    yield ""


def _comparison(trial: Trial, policy: Role, against: Role) -> Comparison | None:
    roles = roles_of(trial)
    return next(
        (
            one
            for one in trial.comparisons
            if roles.get(one.policy) == policy and roles.get(one.against) == against and one.speed_up is not None
        ),
        None,
    )


def _estimate(trial: Trial, policy: Role, against: Role) -> float | None:
    found = _comparison(trial, policy, against)
    return found.speed_up.estimate if found is not None and found.speed_up is not None else None


def _speed_up(trial: Trial, policy: Role, against: Role) -> str:
    found = _comparison(trial, policy, against)
    if found is None or found.speed_up is None:
        return NOT_MEASURED
    ratio = found.speed_up
    text = f"{ratio.estimate:.2f} ({ratio.low:.2f} to {ratio.high:.2f})"
    return f"{text} {TIE}" if found.verdict == "no-difference" else f"**{ratio.estimate:.2f}**{text[4:]}"


def _summary(trial: Trial, role: Role) -> Summary | None:
    names = {kind: name for name, kind in roles_of(trial).items()}
    return next((one for one in trial.summaries if one.policy == names.get(role)), None)


def _coverage_and_bloat(trial: Trial) -> str:
    thp, base = _summary(trial, "thp"), _summary(trial, "base")
    if thp is None or thp.coverage is None:
        return NOT_MEASURED
    seen = f"{thp.coverage:.0%}".replace("%", " %")
    if base is None or base.peak_rss_bytes is None or thp.peak_rss_bytes is None:
        return seen
    growth = (thp.peak_rss_bytes - base.peak_rss_bytes) / MIB
    return f"{seen}, {growth:+.0f} MiB"


def _set_up(trial: Trial) -> str:
    """Seconds until the memory was there, under base, THP, 2M and 1G pool."""
    parts = []
    labels: Mapping[Role, str] = {"base": "base", "thp": "THP", "pool": "2M", "gigantic": "1G"}
    for role, label in labels.items():
        summary = _summary(trial, role)
        if summary is not None and summary.setup_s is not None:
            parts.append(f"{label} {summary.setup_s:.2f} s")
    return ", ".join(parts)


def _size(size: int) -> str:
    return f"{size / GIB:.1f} GiB" if size >= GIB else f"{size / MIB:.0f} MiB"
