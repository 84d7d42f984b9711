"""As advised beside as chosen: what both plans take and give, what is at risk, who loses. Pure functions of plans."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from typing import NamedTuple

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from advisor.render import plan_words
from advisor.render.numbers import UNKNOWN, count, human_bytes, plural
from advisor.report.document import Report
from advisor.report.plan import HostPlan
from advisor.tui.ink import Ink
from advisor.tui.what_if import pool_pages, pool_sizes

DIFFERENT = "≠"
"""Marks a line in which the two plans differ."""

WAITING = "..."
"""Stands for what has not come yet."""

LABEL = 14
"""Columns of the labels. Reason: the longest is "Steps to apply"."""


class Line(NamedTuple):
    """One line of the comparison."""

    label: str
    advised: str
    chosen: str


def lines(report: Report, advised: HostPlan) -> list[Line]:
    """Both plans side by side. report: with the plan as it was chosen."""
    chosen = report.plan
    found = [Line("THP mode", _mode(advised), _mode(chosen))]
    for size in pool_sizes(report.host):
        found.append(Line(f"{human_bytes(size)} pool", _pool(advised, size), _pool(chosen, size)))
        spare = _left_over(advised, size), _left_over(chosen, size)
        found += [Line("  for nobody", *map(count, spare))] if any(spare) else []
    return found + [Line(label, said(advised), said(chosen)) for label, said in SUMS]


def comparison(ink: Ink, report: Report, advised: HostPlan | None, *, waiting: bool) -> RenderableType:
    """The lines, then in full what is refused, at risk and lost as chosen. advised: None where nothing is wanted."""
    table = Table(box=None, expand=True, pad_edge=False, padding=(0, 1, 0, 0), header_style=ink.style("heading"))
    table.add_column("", width=LABEL, no_wrap=True)
    table.add_column("", width=1)
    table.add_column("As advised", ratio=1, overflow="fold")
    table.add_column("As you chose", ratio=1, overflow="fold")
    for line in lines(report, advised or report.plan):
        differs = line.advised != line.chosen
        chosen = WAITING if waiting else line.chosen if advised is not None else "the same"
        table.add_row(
            ink.text(line.label, "muted"),
            ink.text(DIFFERENT if differs and not waiting else "", "medium"),
            ink.text(line.advised),
            ink.text(chosen, "strong" if differs and not waiting else "muted"),
        )
    told = [] if waiting or advised is None else _told(ink, report.plan)
    return Group(table, *told)


def _told(ink: Ink, plan: HostPlan) -> list[Text]:
    """What is refused, what can go wrong, who loses what: as chosen."""
    refused = [
        ink.join(("not granted ", "medium"), f"{asked.what}{f': {asked.note}' if asked.note else ''}")
        for asked in plan.asked_for
        if not asked.granted
    ]
    risks = [
        ink.join((f"{risk.severity} risk ", risk.severity), risk.message, " ", (risk.remedy, "muted"))
        for risk in plan.risks
    ]
    losers = [
        ink.join(("loses ", "medium"), f"{plan_words.tenant(tenant)}: {tenant.loses} {tenant.how}")
        for tenant in plan_words.losers(plan)
    ]
    told = refused + risks + losers
    return [Text(), *told] if told else []


def _mode(plan: HostPlan) -> str:
    return f"{plan.thp.enabled or UNKNOWN}{'' if 'enabled' in plan.thp.changed else ', as today'}"


def _pool(plan: HostPlan, size: int) -> str:
    """657 pages, at once; 4 pages, only at boot; 268 pages, as today."""
    parts = [pool for pool in plan.pools if pool.page_bytes == size]
    if not parts:
        return "no pages"
    changed = [pool for pool in parts if pool.pages != pool.current_pages]
    when = "as today" if not changed else "only at boot" if any(p.when == "boot" for p in changed) else "at once"
    return f"{plural(pool_pages(plan, size), 'page')}, {when}"


def _left_over(plan: HostPlan, size: int) -> int:
    """Pages that nobody who is seen needs."""
    terms = (term for pool in plan.pools if pool.page_bytes == size for term in pool.terms)
    return sum(term.pages for term in terms if term.kind in ("kept", "asked"))


def _memory(name: str) -> Callable[[HostPlan], str]:
    """A part of the host's memory before and after."""
    return lambda plan: _change(getattr(plan.memory.before, name), getattr(plan.memory.after, name))


def _change(before: int | None, after: int | None) -> str:
    """22 GiB -> 21.4 GiB, or what it stays."""
    now, then = _bytes(before), _bytes(after)
    return then if now == then else f"{now} -> {then}"


def _bytes(value: int | None) -> str:
    """More may be asked for than there is."""
    return f"-{human_bytes(-value)}" if value is not None and value < 0 else human_bytes(value)


def _growth(plan: HostPlan) -> str:
    if plan.thp_growth_bytes is None:
        return UNKNOWN
    return f"at most {human_bytes(plan.thp_growth_bytes)}" if plan.thp_growth_bytes else "nothing"


def _risks(plan: HostPlan) -> str:
    counts = Counter(risk.severity for risk in plan.risks)
    return ", ".join(f"{counts[name]} {name}" for name in ("high", "medium", "low") if counts[name]) or "none"


def _losers(plan: HostPlan) -> str:
    pids = {pid for tenant in plan_words.losers(plan) for pid in tenant.pids}
    return plural(len(pids), "process", "processes") if pids else "nobody"


def _steps(plan: HostPlan) -> str:
    reboot = any(artefact.needs_reboot for artefact in plan.artefacts)
    return (count(len(plan.artefacts)) if plan.artefacts else "none") + (", a reboot among them" if reboot else "")


SUMS: tuple[tuple[str, Callable[[HostPlan], str]], ...] = (
    ("Available", _memory("available_bytes")),
    ("In pools", _memory("pool_bytes")),
    ("On huge pages", _memory("huge_bytes")),
    ("On base pages", _memory("base_bytes")),
    ("Page tables", lambda plan: _change(plan.page_table_bytes.before, plan.page_table_bytes.after)),
    ("THP may add", _growth),
    ("Risks", _risks),
    ("Who loses", _losers),
    ("Steps to apply", _steps),
)
"""Lines that every host has: what they are about, and what a plan says of it."""
