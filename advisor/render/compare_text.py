"""Comparison as text for a terminal or a ticket, at any width."""

from __future__ import annotations

from collections.abc import Sequence

from advisor.render import compare_words as words
from advisor.render.escape import visible
from advisor.render.numbers import plural
from advisor.render.page import Page, cell
from advisor.report.comparison import Comparison, FieldChange, ProcessSide

MOST_PROCESSES = 20
"""Groups of changed processes shown. Source: own choice. Reason: two screens; JSON has all."""

MOST_ALONE = 5
"""Processes named that are on one side alone, and reasons for what is unknown."""

TITLE_COLUMNS = 32
NARROWEST = 40
"""Columns of the titles, and of the narrowest page."""


def render_comparison_text(
    comparison: Comparison, width: int = 80, *, color: bool = False, unicode: bool = True
) -> str:
    """The whole comparison: what it is of, the summary, host, processes, what cannot be told."""
    page = Page(max(width, NARROWEST), color=color)
    page.hanging("Before  ", visible(words.side(comparison.before)))
    page.hanging("After   ", visible(words.side(comparison.after)))
    page.blank()
    if comparison.comparable == "no":
        page.hanging("", ("These two cannot be compared as before and after.", "bold red"))
    for caveat in comparison.caveats:
        page.hanging("! ", (visible(caveat.message), "yellow"))
    if comparison.caveats:
        page.blank()
    page.hanging("", (visible(comparison.summary), "bold"))
    _write_host(page, comparison.host)
    _write_processes(page, comparison)
    _write_alone(page, "Ended", comparison.ended)
    _write_alone(page, "Appeared", comparison.appeared)
    if unknown := words.unknowns(comparison):
        page.heading("What cannot be told")
        for text in unknown:
            page.hanging("· ", visible(text))
    return page.text(unicode=unicode)


def _write_host(page: Page, changes: Sequence[FieldChange]) -> None:
    changed = [change for change in changes if change.status == "changed"]
    if not changed:
        return
    page.heading("Host")
    for change in changed:
        more = words.difference(change)
        text = words.arrow(change) + (f" ({more})" if more else "")
        if page.width < 2 * TITLE_COLUMNS:
            page.hanging("  ", visible(f"{change.title}: {text}"))
        else:
            page.line("  ", cell(visible(change.title), TITLE_COLUMNS), visible(text))


def _write_processes(page: Page, comparison: Comparison) -> None:
    groups = words.groups(comparison.processes)
    page.heading(f"Processes ({words.matched(comparison)})")
    for group in groups[:MOST_PROCESSES]:
        page.line("  ", (visible(words.group_name(group)), "bold"))
        page.hanging("    ", visible("; ".join(words.process_lines(group[0]))))
    if hidden := sum(map(len, groups[MOST_PROCESSES:])):
        page.line(f"  and {plural(hidden, 'changed process', 'changed processes')} more (--json has all)")
    if still := len(comparison.processes) - sum(map(len, groups)):
        page.line(f"  {plural(still, 'process', 'processes')} without a change")


def _write_alone(page: Page, title: str, processes: Sequence[ProcessSide]) -> None:
    if not processes:
        return
    page.heading(f"{title} ({len(processes)})")
    for process in processes[:MOST_ALONE]:
        page.hanging("· ", visible(words.alone(process)))
    if len(processes) > MOST_ALONE:
        page.line(f"  and {len(processes) - MOST_ALONE} more")
