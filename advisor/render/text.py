"""Report as text for a terminal or a file: the host, then who matters, then what should change and how."""

from __future__ import annotations

from collections.abc import Sequence

from rich.cells import cell_len

from advisor.render import host_words, why_words, words
from advisor.render.escape import visible
from advisor.render.numbers import count, human_bytes, plural
from advisor.render.page import Page, cell, style_of
from advisor.render.plan_part import write_plan
from advisor.render.processes_text import write_processes
from advisor.render.select import Selection, select
from advisor.report.document import Report

NARROWEST = 60
"""Columns. A narrower terminal gets lines of this width. Reason: the process table needs them."""

SEPARATOR = " · "
"""Between the parts of a line of the host block."""

LABEL_COLUMNS = 8
"""Width of the labels of the host block, with the gap."""

MOST_CHANGES = 20
"""Groups of processes to change that are shown. Source: own choice. Reason: two screens; JSON has all."""

MOST_FINDINGS = 4
"""Findings about the host that are shown, the gravest first. Source: own choice. Reason: as above."""


def render_text(
    report: Report, *, width: int = 80, color: bool = False, unicode: bool = True, details: bool = False
) -> str:
    """The report as lines of at most `width` columns (at least NARROWEST).

    color: ANSI styles; without, there is no escape sequence at all. unicode: False draws in ASCII. details: all
    reasons, alternatives and unused opportunities of each process shown.
    """
    page = Page(max(width, NARROWEST), color=color)
    _write_host(page, report)
    page.blank()
    page.hanging("", (visible(report.plan.summary), "bold"))
    _write_processes(page, report, details)
    write_plan(page, report.plan)
    _write_limits(page, report)
    return page.text(unicode=unicode)


def _write_host(page: Page, report: Report) -> None:
    """A title line, the host in five lines, and what the rules find about it."""
    host = report.host
    when = visible(report.source.observed_at or report.generated_at)
    source = visible(words.source_words(report))
    origin = f"{cell(source, min(cell_len(source), max(page.width - cell_len(when) - 12, 8)))}, {when}"
    name = visible(host.hostname or "unnamed host")
    page.line((cell(name, max(page.width - cell_len(origin) - 2, 8)), "bold"), "  ", (origin, "dim"))
    for label, parts in (
        ("Host", host_words.machine_parts(host)),
        ("Memory", host_words.memory_parts(host)),
        ("THP", host_words.thp_parts(host)),
        ("Pools", host_words.pool_parts(host)),
        ("TLB", host_words.tlb_parts(host)),
    ):
        page.line((cell(label, LABEL_COLUMNS), "bold"), _fitting(parts, page.width - LABEL_COLUMNS))
    if host.khugepaged.listened is not None:
        page.hanging(cell("", LABEL_COLUMNS), visible(why_words.listened(host.khugepaged.listened)))
    for finding in host.findings[:MOST_FINDINGS]:
        page.hanging(cell("!", LABEL_COLUMNS), (visible(finding.message), style_of(finding.severity)))


def _fitting(parts: Sequence[str], width: int) -> str:
    """As many of the parts, the most important first, as fit on the line; the first is cut where it must be."""
    line = cell(visible(parts[0]), width).rstrip()
    for part in parts[1:]:
        longer = f"{line}{SEPARATOR}{visible(part)}"
        if cell_len(longer) <= width:
            line = longer
    return line


def _write_processes(page: Page, report: Report, details: bool) -> None:
    selection = select(report, MOST_CHANGES)
    if selection.groups:
        page.blank()
        write_processes(page, selection.groups, details=details)
    if selection.rest_changes:
        more = plural(selection.rest_changes, "more process", "more processes")
        page.line(f"and {more} that should change (--json lists all)")
    _write_rest(page, selection)


def _write_rest(page: Page, selection: Selection) -> None:
    """The closing line: how many processes are left alone, and how large they can be."""
    rest = [process for process in selection.rest if not words.is_change(process)]
    if not rest:
        return
    sizes = [size for process in rest if (size := words.resident_bytes(process)) is not None]
    largest = f", at most {human_bytes(max(sizes))} each" if sizes else ""
    lead = "and " if selection.groups else ""
    page.line((f"{lead}{plural(len(rest), 'process', 'processes')} with nothing at stake{largest}", "dim"))


def _write_limits(page: Page, report: Report) -> None:
    page.heading("What this report cannot tell")
    for limitation in report.limitations:
        remedy = f" {visible(limitation.remedy)}" if limitation.remedy else ""
        page.hanging("· ", visible(limitation.message), (remedy, "dim"))
    if report.skipped:
        reasons = visible(words.skipped_words(report.skipped))
        page.hanging("· ", f"{plural(len(report.skipped), 'process', 'processes')} not observed: {reasons}.")
    if unknown := report.totals.unknown.get("anon_huge_bytes"):
        page.hanging("· ", f"Huge pages unknown for {count(unknown)} of {count(report.totals.processes)} processes.")
    page.hanging("· ", (f"Observing cost {words.cost_words(report)}.", "dim"))
