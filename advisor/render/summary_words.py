"""What all forms of a summary say in the same words. All from the document, unescaped."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from advisor.render.numbers import UNKNOWN_SHORT, count, human_bytes, percent, plural
from advisor.render.words import POLICY_WORDS
from advisor.report.summary import ApplicationSums, Change, HostSums, PolicySums, Summary, Sums, memory_saved_bytes

HEADS = ("Processes", "Changes", "CPUs saved", "Gain unknown", "Pools", "Page tables saved", "Bloat at risk")
"""Columns of numbers, the same in every table."""

METHOD = (
    "CPUs saved: cores kept busy now, times the predicted share of time saved. The interval of a sum adds the bounds "
    "of its processes, as if all predictions erred in the same direction: one model made them. It is too wide where "
    "errors cancel out. What is not known is counted and is in no sum."
)


class Cell(NamedTuple):
    """A number in words, and to sort by; None is unknown."""

    text: str
    value: float | None


def cores(value: float) -> str:
    """Two digits behind the point below ten: 0.51, 12.3, 1,204."""
    size = abs(value)
    text = f"{value:,.2f}" if size < 10 else f"{value:,.1f}" if size < 100 else f"{value:,.0f}"
    return text.removeprefix("-") if not any(digit in text for digit in "123456789") else text


def saved(sums: Sums) -> str:
    """0.51 (0.18 to 0.99)."""
    one = sums.saved_cores
    if one is None:
        return UNKNOWN_SHORT
    if not sums.changes:
        return "0"
    return f"{cores(one.median)} ({cores(one.low)} to {cores(one.high)})"


def cells(sums: Sums) -> list[Cell]:
    """One for each of HEADS."""
    median = None if sums.saved_cores is None else sums.saved_cores.median
    return [
        Cell(count(sums.processes), sums.processes),
        Cell(count(sums.changes), sums.changes),
        Cell(saved(sums), median),
        Cell(count(sums.saved_unknown), sums.saved_unknown),
        _bytes(sums.pool_bytes, sums.pool_unknown, sums.changes),
        _bytes(sums.page_table_saved_bytes, sums.page_table_unknown, sums.changes),
        _bytes(sums.growth_bytes, sums.growth_unknown, sums.changes),
    ]


def _bytes(size: int, unknown: int, of: int) -> Cell:
    """A plus where more is not known; a question mark where nothing is."""
    if unknown and unknown >= of:
        return Cell(UNKNOWN_SHORT, None)
    return Cell(human_bytes(size) + (" + ?" if unknown else ""), size)


def program(application: str, *, recognised: bool) -> str:
    """An application, or in quotes the name of a program that is none."""
    return application if recognised else f'"{application}"'


def application(one: ApplicationSums) -> str:
    return program(one.application, recognised=one.recognised)


def host(one: HostSums) -> str:
    return one.host or f"unnamed, {one.file}"


def policy(one: PolicySums | Change) -> str:
    """THP 2 MiB; keep hugetlb 1 GiB."""
    size = human_bytes(one.page_bytes, "")
    keeps = isinstance(one, PolicySums) and not one.changes and one.policy != "leave"
    return f"{'keep ' if keeps else ''}{POLICY_WORDS[one.policy]} {size}".rstrip()


def change(one: Change) -> str:
    """db01: postgresql x 46 -> hugetlb 2 MiB."""
    number = f" x {count(one.sums.processes)}" if one.sums.processes > 1 else ""
    return f"{who(one)}{number} -> {policy(one)}"


def who(one: Change) -> str:
    """db01: postgresql."""
    return f"{one.host or one.file}: {program(one.application, recognised=one.recognised)}"


def memory_saved(one: Change) -> str:
    return human_bytes(memory_saved_bytes(one.sums))


def headline(summary: Summary) -> str:
    """Where the money is, in one or two sentences."""
    total = summary.total
    hosts = plural(len(summary.hosts), "host")
    if not total.changes:
        return f"Nothing should change: {plural(total.processes, 'process', 'processes')} on {hosts}."
    text = f"{count(total.changes)} of {plural(total.processes, 'process', 'processes')} on {hosts} should change."
    if total.saved_cores is not None:
        share = f" of {cores(total.cpu_cores)}" if total.cpu_cores is not None else ""
        text += f" Expected: {saved(total)}{share} CPUs saved, {percent(summary.level)} sure"
        first = [one for one in summary.applications if _median(one.sums) > 0][:2]
        named = [f"{cores(_median(one.sums))} by {application(one)}" for one in first]
        text += f"; {' and '.join(named)}." if named else "."
    return text


def _median(sums: Sums) -> float:
    return 0.0 if sums.saved_cores is None else sums.saved_cores.median


def facts(summary: Summary) -> list[str]:
    """What else is to be known of the whole."""
    total = summary.total
    said = []
    if total.saved_unknown:
        said.append(f"The time gain of {plural(total.saved_unknown, 'change')} is not known and is not in the sum.")
    if total.cpu_unknown:
        said.append(f"CPU use of {plural(total.cpu_unknown, 'process', 'processes')} is not known (one sample).")
    pools, tables, growth = cells(total)[4:]
    said.append(f"Pools take {pools.text} for processes that have no pages of one yet; page tables shrink by "
                f"{tables.text}.")  # fmt: skip
    said.append(f"Memory may grow by up to {growth.text} under THP (bloat at risk); THP off prevents up to "
                f"{human_bytes(total.growth_prevented_bytes)}.")  # fmt: skip
    short = [one for one in summary.hosts if one.sums.profiles_short]
    if short:
        said.append(f"{plural(len(short), 'host')} cannot supply {human_bytes(total.boot_only_bytes)} of pool pages "
                    "while running, only at boot.")  # fmt: skip
    else:
        said.append("Every host can supply its pool pages while running.")
    several = sum(one.sums.profiles > 1 for one in summary.hosts)
    if several:
        said.append(f"Of {plural(several, 'host')} there are several profiles; each of them is in the sums.")
    return said


def short_hosts(summary: Summary) -> Sequence[HostSums]:
    """Hosts that cannot supply the pages while running, the one that lacks most first."""
    short = [one for one in summary.hosts if one.sums.profiles_short]
    return sorted(short, key=lambda one: (-one.sums.boot_only_bytes, host(one)))
