"""Rows to learn from: one configuration seen in one state, as the ordinary profiler saw it, and what was measured."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import polars as pl

from advisor.features import SCHEMA
from advisor.features.table import feature_table_of, observe
from advisor.profile.model import Profile
from advisor.profile.timeline import Timeline, fold
from advisor.recommendation.decide import WEIGHT_CEILING, WEIGHT_FLOOR
from advisor.training.dataset import Measurement
from advisor.training.labels import Effect, Measured, Role, measured, roles_of
from advisor.training.pooling import pooled

DEFAULT_ROLE: Mapping[str, Role] = {"default": "default"}
"""A program is watched on the host as it is, too, where no run was timed so."""


MOSTLY_HUGE = 0.5
"""Coverage from which a program counts as being on huge pages."""

ADVISED_AGAINST = ("advised_against_bytes", "advised_against_anon_bytes")
"""Memory that a program advised against huge pages; some measured programs do so to keep to base pages."""

FOUND_AS: Mapping[Role, int] = {"default": 0, "base": 1}
"""In which state advice is judged: as programs are found on a host, first known."""


@dataclass(frozen=True)
class Example:
    """One row. family: the unit that never stands on both sides of a split. state: what the program was on when it
    was watched. newest: start of its trial."""

    configuration: str
    family: str
    state: Role
    measured: Measured
    newest: str


@dataclass(frozen=True)
class Table:
    """Examples and the feature table, row by row, without what the trial did to keep a program on base pages.
    left_out: what gave no row, and why."""

    examples: Sequence[Example]
    frame: pl.DataFrame
    left_out: Sequence[str] = ()

    def __len__(self) -> int:
        return len(self.examples)

    @property
    def families(self) -> list[str]:
        return sorted({example.family for example in self.examples})

    def where(self, keep: Sequence[bool]) -> Table:
        """The rows for which `keep` is true."""
        return Table(
            [example for example, kept in zip(self.examples, keep, strict=True) if kept],
            self.frame.filter(pl.Series(list(keep), dtype=pl.Boolean)),
        )

    def found_rows(self) -> list[bool]:
        """Of each configuration the one row that it would be found as: on the host as it is where it was watched so,
        else on base pages, else any; the last of those, which was watched by the newest profiler."""
        chosen: dict[str, int] = {}
        for row, example in enumerate(self.examples):
            rank = FOUND_AS.get(example.state, len(FOUND_AS))
            before = chosen.get(example.configuration)
            if before is None or rank <= FOUND_AS.get(self.examples[before].state, len(FOUND_AS)):
                chosen[example.configuration] = row
        rows = set(chosen.values())
        return [row in rows for row in range(len(self))]

    def found_on(self) -> list[Role]:
        """What each program was on when it was seen: the host's default where runs were timed so, else its pages."""
        is_timed = [one.state == "default" and "default" in one.measured.outcomes for one in self.examples]
        return ["default" if timed else pages for timed, pages in zip(is_timed, self.pages_found(), strict=True)]

    def pages_found(self) -> list[Role]:
        """The pages that each program was on. On the host as it is: THP where most of its memory was huge."""
        coverages = self.frame["huge_coverage"].to_list()
        return [
            example.state if example.state != "default" else "thp" if (coverage or 0.0) >= MOSTLY_HUGE else "base"
            for example, coverage in zip(self.examples, coverages, strict=True)
        ]

    def effects(self, output: str) -> list[Effect | None]:
        """What was measured of one output, by row."""
        return [example.measured.effects.get(output) for example in self.examples]


def table_of(measurements: Iterable[Measurement]) -> Table:
    """One row for each profile of each configuration, ordered by configuration, start of its newest trial and state.

    Measurements of one configuration on one machine speak together, see `pooling`.
    """
    rows: list[tuple[Example, pl.DataFrame]] = []
    left_out: list[str] = []
    for measurement in pooled(measurements):
        what, roles = measured(measurement.trial), roles_of(measurement.trial)
        if not what.effects:
            left_out.append(f"{measurement.id}: no policy could be compared with base pages")
            continue
        for watched in measurement.profiles:
            row, role = main_process(watched.profile), DEFAULT_ROLE.get(watched.state, roles.get(watched.state))
            if row is None or role is None:
                why = "its state is no policy of the trial" if role is None else "its last sample holds no process"
                left_out.append(f"{measurement.id} on {watched.state}: {why}")
                continue
            newest = measurement.trial.started_at
            rows.append((Example(measurement.id, measurement.family, role, what, newest), row))
    rows.sort(key=lambda one: (one[0].configuration, one[0].newest, one[0].state))
    frame = pl.concat(row for _, row in rows) if rows else pl.DataFrame(schema=SCHEMA)
    examples = [example for example, _ in rows]
    return Table(examples, _as_found(examples, frame), sorted(left_out))


def _as_found(examples: Sequence[Example], frame: pl.DataFrame) -> pl.DataFrame:
    """The rows without what the trial did to keep a program on base pages: prctl, and advice against huge pages that
    the program does not give in every state that it was seen in, are then no traits of the program."""
    was_kept = pl.Series([example.state == "base" for example in examples], dtype=pl.Boolean)
    name = pl.Series("configuration", [example.configuration for example in examples], dtype=pl.String)
    own = {column: pl.col(column).min().over("configuration") for column in ADVISED_AGAINST}
    own["thp_disabled_by_process"] = pl.lit(False)
    kept = [pl.when(was_kept).then(value).otherwise(column).alias(column) for column, value in own.items()]
    return frame.with_columns(name).with_columns(kept).drop("configuration")


def main_process(profile: Profile) -> pl.DataFrame | None:
    """The feature row of the process that a program's speed depends on, of all of its tree; None where all are gone.

    The one with most memory by the CPU that it uses: not the launcher that waits with its libraries loaded, nor the
    small client that keeps a server busy.
    """
    frame = feature_table_of(observe(settled(profile)))
    memory = pl.sum_horizontal("anon_bytes", "shmem_rss_bytes", "hugetlb_bytes")
    weight = pl.col("cpu_cores").fill_null(0.0).clip(WEIGHT_FLOOR, WEIGHT_CEILING)
    return frame.sort(memory * weight, "pid", descending=[True, False]).head(1) if frame.height else None


def settled(profile: Profile) -> Timeline:
    """The state after the last sample, with rates over the second half of the profile: a program that is watched from
    its start is still setting up in the first, while one found on a host has long settled."""
    turn = (len(profile.samples) - 1) // 2
    timeline = fold(profile.header, profile.samples[: turn + 1])
    for process in timeline.processes.values():
        if process.stat is not None:
            process.first_stat, process.first_stat_t_s = process.stat, timeline.last_t_s
        process.first_anon_huge = None
    for sample in profile.samples[turn + 1 :]:
        timeline.add(sample)
    return timeline
