"""The measuring campaign's families: which programs are measured, how they are started, what number counts.

A family is one kind of program and the unit of cross-validation: its configurations differ in size and parameters and
never stand on both sides of a split. One TOML file a family; `models/campaign/README.md` says how to add one.
"""

from __future__ import annotations

import re
import shutil
import string
import sys
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import msgspec
from msgspec import Struct, field
from msgspec.structs import replace

MEASURING_SECONDS = 1.0
"""Steady state of one measured run, seconds: above the spread that a shorter one showed, short enough that a
configuration of four policies and six runs each takes less than a minute."""

PROFILING_SECONDS = 6.0
"""Steady state of a run that the profiler watches, seconds: several samples at its shortest interval."""

DEFAULT_TIMEOUT_S = 60.0
"""A run is ended after this long, seconds; the slowest family (a guest under emulation) states its own."""

KNOWN_PLACEHOLDERS = frozenset({"seconds", "build", "programs", "python", "policy", "page_bytes"})
"""What a command may name besides the parameters of its configurations."""

LEFT_TO_TRIAL = frozenset({"policy", "page_bytes"})
"""Placeholders that stay in the expanded command: the trial replaces them for each policy."""

POLICY_NAME = re.compile(r"base|thp|default|pool-[0-9]+[KMG]")
"""Policies by name; pool sizes are labels, since each host has its own."""

SLUG = re.compile(r"[a-z0-9]+(?:[-.][a-z0-9]+)*")
"""Form of an id of a family or configuration: it becomes part of file names."""


class FamilyError(Exception):
    """A family file that cannot be used: which file and why."""


class MetricSpec(Struct, frozen=True, forbid_unknown_fields=True):
    """What is compared. kind output: `regex` (one group, the number) is searched in stdout and stderr and its last
    match counts, in `unit`; wall and cpu: seconds of the whole command, better is then always lower."""

    kind: Literal["wall", "cpu", "output"]
    better: Literal["lower", "higher"]
    unit: str
    regex: str | None = None


class CustomSpec(Struct, frozen=True, forbid_unknown_fields=True):
    """An application's own way for one policy, complete: the trial adds nothing. command: in place of the family's
    (None: the same one); environment: added; thp_disable, thp_enabled, shmem_enabled as in the trial's `Way`."""

    command: list[str] | None = None
    environment: dict[str, str] = field(default_factory=dict)
    thp_disable: bool = False
    thp_enabled: Literal["always", "madvise", "never"] | None = None
    shmem_enabled: Literal["always", "within_size", "advise", "never"] | None = None


class ConfigurationSpec(Struct, frozen=True, forbid_unknown_fields=True):
    """One configuration as written. working_set_bytes: rough size of the memory it works on; pool_bytes: what a pool
    must hold for it where that is not about the working set; policies: fewer than the family's, if given."""

    id: str
    working_set_bytes: int
    parameters: dict[str, str | int | float] = field(default_factory=dict)
    pool_bytes: int | None = None
    policies: list[str] | None = None


class Family(Struct, frozen=True, forbid_unknown_fields=True):
    """One family as written in its file.

    steady: the metric leaves set-up out. needs: executable -> Debian package. build: commands that are run once
    beforehand. way: "own" where the program applies the policy that it is told, "general" where the trial does.
    custom: by policy, in place of the general way. timeout_s: a run is ended after that long.
    """

    id: str
    title: str
    about: str
    steady: bool
    metric: MetricSpec
    command: list[str]
    way: Literal["general", "own"]
    policies: list[str]
    configuration: list[ConfigurationSpec]
    needs: dict[str, str] = field(default_factory=dict)
    build: list[list[str]] = field(default_factory=list)
    environment: dict[str, str] = field(default_factory=dict)
    custom: dict[str, CustomSpec] = field(default_factory=dict)
    timeout_s: float = DEFAULT_TIMEOUT_S

    @property
    def fixed_job(self) -> bool:
        """Whether a run is a fixed job, not a time: its length does not follow {seconds}."""
        return not any("{seconds}" in word for command in commands_of(self) for word in command)


@dataclass(frozen=True)
class Place:
    """Where a campaign runs: build: folder for what is built, programs: the campaign's own sources and wrappers."""

    build: Path
    programs: Path
    python: str = sys.executable


@dataclass(frozen=True)
class Configuration:
    """One configuration ready for the trial. id: "family/configuration". command, environment and custom hold no
    placeholders but {policy} and {page_bytes}. pool_bytes: about what a pool must hold."""

    id: str
    family: Family
    command: tuple[str, ...]
    environment: Mapping[str, str]
    custom: Mapping[str, CustomSpec]
    policies: tuple[str, ...]
    working_set_bytes: int
    pool_bytes: int


def campaign_folder() -> Path:
    """`models/campaign` of the source tree, or of the installed package."""
    here = Path(__file__).resolve()
    candidates = (here.parents[2] / "models" / "campaign", here.parents[1] / "models" / "campaign")
    return next((folder for folder in candidates if folder.is_dir()), candidates[0])


def load_families(folder: Path | None = None) -> list[Family]:
    """Every family of `folder`/families, by id. FamilyError for the first file that is wrong."""
    root = folder or campaign_folder()
    families = [read_family(path) for path in sorted((root / "families").glob("*.toml"))]
    return sorted(families, key=lambda family: family.id)


def read_family(path: Path) -> Family:
    """One family from its file; the file's name is its id."""
    try:
        family = msgspec.toml.decode(path.read_bytes(), type=Family)
    except (OSError, msgspec.DecodeError) as error:
        raise FamilyError(f"{path}: {error}") from error
    problems = list(_problems(family))
    if family.id != path.stem:
        problems.append(f"id {family.id!r} differs from the file's name")
    if problems:
        raise FamilyError(f"{path}: {'; '.join(problems)}")
    return family


def configurations(family: Family, place: Place, seconds: float = MEASURING_SECONDS) -> list[Configuration]:
    """The family's configurations with every placeholder filled but those of the trial."""
    return [_expanded(family, spec, place, seconds) for spec in family.configuration]


def build_commands(family: Family, place: Place) -> list[list[str]]:
    """The commands to run once before the family's configurations, in order; safe to repeat."""
    values = _place_values(place)
    return [[_fill(word, values) for word in command] for command in family.build]


def missing_programs(family: Family) -> dict[str, str]:
    """Executables that the family needs and this machine lacks, with the Debian package that has each."""
    return {program: package for program, package in family.needs.items() if shutil.which(program) is None}


def commands_of(family: Family) -> list[Sequence[str]]:
    """Every command of the family as written: its own and those of the custom ways."""
    return [family.command, *(way.command for way in family.custom.values() if way.command is not None)]


def _expanded(family: Family, spec: ConfigurationSpec, place: Place, seconds: float) -> Configuration:
    values = {
        **{name: str(value) for name, value in spec.parameters.items()},
        **_place_values(place),
        "seconds": f"{seconds:g}",
        **{name: f"{{{name}}}" for name in LEFT_TO_TRIAL},
    }
    custom = {
        policy: replace(
            way,
            command=None if way.command is None else [_fill(word, values) for word in way.command],
            environment=_fill_values(way.environment, values),
        )
        for policy, way in family.custom.items()
    }
    return Configuration(
        id=f"{family.id}/{spec.id}",
        family=family,
        command=tuple(_fill(word, values) for word in family.command),
        environment=_fill_values(family.environment, values),
        custom=custom,
        policies=tuple(spec.policies or family.policies),
        working_set_bytes=spec.working_set_bytes,
        pool_bytes=spec.pool_bytes or spec.working_set_bytes,
    )


def _place_values(place: Place) -> dict[str, str]:
    return {"build": str(place.build), "programs": str(place.programs), "python": place.python}


def _fill(word: str, values: Mapping[str, str]) -> str:
    return word.format_map(values)


def _fill_values(environment: Mapping[str, str], values: Mapping[str, str]) -> dict[str, str]:
    return {name: _fill(value, values) for name, value in environment.items()}


def _problems(family: Family) -> Iterator[str]:
    yield from _metric_problems(family.metric)
    yield from _id_problems([family.id], "family")
    yield from _id_problems([spec.id for spec in family.configuration], "configuration")
    if not family.configuration:
        yield "no configuration"
    for policies in (family.policies, *(spec.policies or [] for spec in family.configuration)):
        yield from (f"unknown policy {name!r}" for name in policies if not POLICY_NAME.fullmatch(name))
    yield from (
        f"custom way for {name!r}, not a policy of it" for name in family.custom if name not in family.policies
    )
    if "base" not in family.policies:
        yield "no base policy to compare with"
    for spec in family.configuration:
        yield from _placeholder_problems(family, spec)
        if spec.working_set_bytes <= 0:
            yield f"{spec.id}: working_set_bytes must be positive"
        if not set(spec.policies or ()) <= set(family.policies):
            yield f"{spec.id}: a policy that the family does not have"


def _metric_problems(metric: MetricSpec) -> Iterator[str]:
    if metric.kind != "output":
        if metric.regex is not None or metric.better != "lower":
            yield f"metric {metric.kind} takes no regex and is better lower"
        return
    try:
        if re.compile(metric.regex or "").groups != 1:
            yield "metric.regex needs exactly one group"
    except re.error as error:
        yield f"metric.regex: {error}"


def _id_problems(ids: Iterable[str], what: str) -> Iterator[str]:
    seen: set[str] = set()
    for name in ids:
        if not SLUG.fullmatch(name):
            yield f"{what} id {name!r} is not of lower-case letters, digits, dots and dashes"
        if name in seen:
            yield f"{what} id {name!r} is there twice"
        seen.add(name)


def _placeholder_problems(family: Family, spec: ConfigurationSpec) -> Iterator[str]:
    clash = KNOWN_PLACEHOLDERS & spec.parameters.keys()
    if clash:
        yield f"{spec.id}: parameter {sorted(clash)} has a meaning of its own"
    words = [word for command in commands_of(family) for word in command]
    words += [*family.environment.values(), *(v for way in family.custom.values() for v in way.environment.values())]
    used: set[str] = set()
    for word in words:
        try:
            used |= {name for _, name, _, _ in string.Formatter().parse(word) if name is not None}
        except ValueError as error:
            yield f"{word!r}: {error}"
    known = KNOWN_PLACEHOLDERS | spec.parameters.keys()
    yield from (f"{spec.id}: nothing fills {{{name}}}" for name in sorted(used - known))
    yield from (f"{spec.id}: parameter {name} is not used" for name in sorted(spec.parameters.keys() - used))
