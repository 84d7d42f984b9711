"""docs/measurements.md: what each page policy gave every measured program, from the data set alone.

Every row can be repeated by the command above the tables; nothing here is computed from anything but counted runs.
"""

from __future__ import annotations

import math
import statistics
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import groupby, pairwise

from advisor.training.dataset import Measurement, noisy_policies
from advisor.training.labels import Role, roles_of
from advisor.training.pooling import pooled
from advisor.trial.document import Comparison, Environment, Interval, Summary
from advisor.trial.summary import NOISY_SPREAD
from advisor.units import GIB, KIB, MIB

ORIGIN_FAMILY = "qemu-guest"
"""The case that the project began with: which pages should back a virtual machine's memory?"""

POLICIES: Mapping[Role, str] = {"base": "base", "thp": "THP", "pool": "2M pool", "gigantic": "1G pool"}
"""Policies in the order of the rows. The labels are those of x86_64."""

COMPARED: tuple[Role, ...] = ("thp", "pool", "gigantic")

TIE = "tie"
"""How a comparison reads whose interval contains 1."""

NOT_MEASURED = ""
"""A policy that this program was not run under."""


def reference_page(measurements: Sequence[Measurement], marker: str = "") -> str:
    """The whole page as Markdown. marker: a first line, such as a note that it is generated."""
    ordered = sorted((_Row(one) for one in pooled(measurements)), key=lambda row: row.order)
    families = [list(rows) for _, rows in groupby(ordered, key=lambda row: row.source.family)]
    machines = {row.source.campaign_environment: row.source.environment for row in ordered}
    lines = [marker + "# What page policies really gave\n", *_introduction(ordered, families, machines)]
    for rows in families:
        if rows[0].source.family == ORIGIN_FAMILY:
            lines += _origin_case(rows)
    lines += _overview(families)
    for rows in families:
        lines += _family(rows, name_machine=len(machines) > 1)
    return "\n".join(lines).rstrip("\n") + "\n"


@dataclass(frozen=True)
class _Row:
    """One measurement, asked by what a policy is and not by its name."""

    source: Measurement

    @property
    def order(self) -> tuple[str, int, str, str, str]:
        one = self.source
        return one.family, one.working_set_bytes, one.id, one.campaign_environment, one.trial.started_at

    @cached_property
    def names(self) -> dict[Role, str]:
        return {role: name for name, role in roles_of(self.source.trial).items()}

    def comparison(self, policy: Role, against: Role = "base") -> Comparison | None:
        pair = self.names.get(policy), self.names.get(against)
        return next((one for one in self.source.trial.comparisons if (one.policy, one.against) == pair), None)

    def speed_up(self, policy: Role, against: Role = "base") -> Interval | None:
        found = self.comparison(policy, against)
        return found.speed_up if found is not None else None

    def summary(self, policy: Role) -> Summary | None:
        found = (one for one in self.source.trial.summaries if one.policy == self.names.get(policy) and one.runs)
        return next(found, None)

    def peak_bytes(self, policy: Role) -> int | None:
        """Peak of RSS and hugetlb."""
        found = self.summary(policy)
        if found is None or found.peak_rss_bytes is None:
            return None
        return found.peak_rss_bytes + (found.peak_hugetlb_bytes or 0)

    def is_noisy(self, policy: Role) -> bool:
        return self.names.get(policy) in noisy_policies(self.source)


def _introduction(
    rows: Sequence[_Row], families: Sequence[object], machines: Mapping[str, Environment]
) -> Iterator[str]:
    configurations = len({row.source.id for row in rows})
    yield (
        f"{_count(configurations, 'configuration')} of {_count(len(families), 'family')} of programs, each run under "
        "base pages, THP, a 2M pool and a 1G pool as far as it can use them: fresh processes, rotated order, warm-up "
        "dropped. A run counts only if its policy was seen to take effect in smaps. All runs: "
        "`models/measurements.jsonl.zst`."
    )
    yield ""
    yield "How to read the tables:"
    yield ""
    yield (
        "- **Times as fast**: the work done in the same time, against base pages; 1.20 is 20 % more. In brackets the "
        f"95 % interval (bootstrap over the runs). *{TIE}*: it contains 1, so no difference was seen; clear ones are "
        "bold."
    )
    yield (
        f"- **~**: the runs of this policy spread by more than {NOISY_SPREAD:.0%}".replace("%", " %")
        + " (scaled median deviation): take the interval seriously, not the number."
    )
    yield (
        "- **On huge pages**: the share of the largest process's memory that was seen on them. **Memory**: peak of "
        "all processes, hugetlb included; for the other policies, how much more than on base pages."
    )
    yield "- **Set-up**: seconds until its memory was there; no part of the speed where the state is called steady."
    yield ""
    yield "Measured on:"
    yield ""
    for identity, environment in machines.items():
        yield f"- `{identity}`: {_machine(environment)}"
    yield ""
    yield "To repeat one row on your machine, as root:"
    yield ""
    yield "```sh"
    yield "python -m advisor.training.campaign --configuration FAMILY/CONFIGURATION --out mine.jsonl.zst"
    yield "```"
    yield ""


def _count(number: int, noun: str) -> str:
    several = f"{noun.removesuffix('y')}ies" if noun.endswith("y") else f"{noun}s"
    return f"{number} {noun if number == 1 else several}"


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


def _origin_case(rows: Sequence[_Row]) -> Iterator[str]:
    """A virtual machine's memory in a few sentences; its rows are in its table."""
    yield "## A virtual machine's memory"
    yield ""
    how = {
        "kvm": "The guests ran on KVM.",
        "tcg": "The guests ran under emulation (TCG), as KVM does not work on this machine: address translation is "
        "then QEMU's own work, and what huge pages save of a nested page walk is not in these numbers.",
    }
    said = [how[name] for name in sorted(_accelerators(rows)) if name in how]
    yield " ".join([rows[0].source.about, *said])
    yield ""
    for row in rows:
        cells = [
            f"{POLICIES[role]} {_ratio(found)}" for role in COMPARED if (found := row.speed_up(role)) is not None
        ]
        if cells:
            yield f"- `{row.source.id}`, times as fast as with base pages: {', '.join(cells)}."
    yield ""


def _accelerators(rows: Sequence[_Row]) -> set[str]:
    """What follows `-accel` on the command lines that the profiler saw."""
    found: set[str] = set()
    for row in rows:
        for watched in row.source.profiles:
            for process in watched.samples[0].processes if watched.samples else ():
                line = (process.facts.command_line if process.facts is not None else None) or []
                found.update(after for option, after in pairwise(line) if option == "-accel")
    return found


def _overview(families: Sequence[Sequence[_Row]]) -> Iterator[str]:
    yield "## By family"
    yield ""
    yield (
        "Times as fast as on base pages: geometric mean over a family's configurations, and the range. *Steady*: "
        "set-up is left out; *whole run*: it is part of the time. Empty: the program cannot use that policy, or it "
        "never took effect."
    )
    yield ""
    yield "| Family | Configurations | Metric | " + " | ".join(POLICIES[role] for role in COMPARED) + " |"
    yield "| --- | ---: | --- |" + " --- |" * len(COMPARED)
    for rows in sorted(families, key=lambda rows: (-_mean_gain(rows), rows[0].source.family)):
        first = rows[0].source
        cells = [
            f"[{first.title}](#{first.family})",
            str(len({row.source.id for row in rows})),
            "steady" if first.steady else "whole run",
            *(_range(rows, role) for role in COMPARED),
        ]
        yield f"| {' | '.join(cells)} |"
    yield ""


def _mean_gain(rows: Sequence[_Row]) -> float:
    """Mean log ratio of the better of THP and 2M pool; for ordering."""
    return statistics.fmean(max(_logs([row], ("thp", "pool")), default=0.0) for row in rows)


def _logs(rows: Iterable[_Row], policies: Iterable[Role]) -> list[float]:
    found = (row.speed_up(policy) for policy in policies for row in rows)
    return [math.log(ratio.estimate) for ratio in found if ratio is not None]


def _range(rows: Sequence[_Row], policy: Role) -> str:
    logs = _logs(rows, [policy])
    if not logs:
        return NOT_MEASURED
    mean = f"{math.exp(statistics.fmean(logs)):.2f}"
    return mean if len(logs) == 1 else f"{mean} ({math.exp(min(logs)):.2f} to {math.exp(max(logs)):.2f})"


def _family(rows: Sequence[_Row], *, name_machine: bool) -> Iterator[str]:
    first = rows[0].source
    yield f'## <a id="{first.family}"></a>{first.title}'
    yield ""
    yield f"{first.about} {'Steady state.' if first.steady else 'The whole run, set-up included.'}"
    yield ""
    yield "| Configuration | Pages | Times as fast | On huge pages | Memory | Set-up |"
    yield "| --- | --- | --- | ---: | ---: | ---: |"
    for row in rows:
        machine = f" on `{row.source.campaign_environment}`" if name_machine else ""
        name = f"`{row.source.id}`{machine}"
        for policy in POLICIES:
            if policy in row.names:
                yield f"| {name} | {' | '.join(_cells(row, policy))} |"
                name = ""
    yield ""


def _cells(row: _Row, policy: Role) -> list[str]:
    """Pages, speed-up or why there is none, coverage, memory, set-up."""
    found = row.summary(policy)
    mark = " ~" if row.is_noisy(policy) else ""
    if found is None:
        return [POLICIES[policy], _why_none(row, policy), "", "", ""]
    return [
        POLICIES[policy] + mark,
        "1" if policy == "base" else _speed_up(row, policy),
        "" if found.coverage is None else f"{found.coverage:.0%}".replace("%", " %"),
        _memory(row, policy),
        "" if found.setup_s is None else f"{found.setup_s:.2f} s",
    ]


def _speed_up(row: _Row, policy: Role) -> str:
    ratio = row.speed_up(policy)
    if ratio is None:
        return _why_none(row, policy)
    further = row.speed_up(policy, "pool") if policy == "gigantic" else None
    return _ratio(ratio) + (f"; over 2M {_ratio(further)}" if further is not None else "")


def _ratio(ratio: Interval) -> str:
    """ "**1.20** (1.15 to 1.25)", or "1.01 (0.98 to 1.04) tie"."""
    interval = f"({ratio.low:.2f} to {ratio.high:.2f})"
    is_tie = ratio.low <= 1.0 <= ratio.high
    return f"{ratio.estimate:.2f} {interval} *{TIE}*" if is_tie else f"**{ratio.estimate:.2f}** {interval}"


def _why_none(row: _Row, policy: Role) -> str:
    found = row.comparison(policy)
    why = found.why if found is not None else None
    return f"not measured: {why or 'no run counted'}".replace("|", "\\|").replace("\n", " ")


def _memory(row: _Row, policy: Role) -> str:
    peak, base = row.peak_bytes(policy), row.peak_bytes("base")
    if peak is None or (policy != "base" and base is None):
        return ""
    return _size(peak) if policy == "base" or base is None else f"{(peak - base) / MIB:+.0f} MiB"


def _size(size: int) -> str:
    if size >= GIB:
        return f"{size / GIB:.1f} GiB"
    return f"{size / MIB:.0f} MiB" if size >= MIB else f"{size / KIB:.0f} KiB"
