"""The table of processes in text: who, how much memory, how much of it huge, what to do, and why."""

from __future__ import annotations

from collections.abc import Sequence

from advisor.render import why_words, words
from advisor.render.escape import visible
from advisor.render.numbers import UNKNOWN_SHORT, count, human_bytes, plural
from advisor.render.page import Page, bar_and_share, cell, style_of
from advisor.render.probe_words import probe_lines
from advisor.render.select import Group
from advisor.report.process import ProcessEntry, RecommendationEntry
from advisor.report.reasons import Reason

PID, NAME, MEMORY, BAR, SHARE, STATE = 7, 15, 8, 5, 4, 7
"""Widths of the columns. Reason: pids have at most 7 digits, names 15 bytes, sizes "1023 MiB", "unknown" 7. The
rest of 80 columns is enough for the longest advice, "hugetlb 2 MiB x 24,682"."""

INDENT = PID + 2
"""Where the reason below a row begins: under the name."""

WIDE_NAME = 26
WIDE_FROM = 100
"""Columns of the page from which names get WIDE_NAME: room for escapes and for how many are alike."""

WHY_LINES = 2
"""Lines that the deciding reason may take. Source: own choice. Reason: the figures stand at its beginning."""

POLICY_STYLE = {"leave": "dim", "thp": "green", "thp-off": "yellow", "hugetlb": "cyan"}


def write_processes(page: Page, groups: Sequence[Group], *, details: bool) -> None:
    """Two lines a group: numbers and advice, then the deciding reason. details: everything known of each."""
    name_width = WIDE_NAME if page.width >= WIDE_FROM else NAME
    page.line((_row("PID", "NAME", "MEMORY", "HUGE", "NOW", name_width), "bold"), ("    ADVICE", "bold"))
    for group in groups:
        process, advice = group.leader, group.leader.recommendation
        memory = human_bytes(words.resident_bytes(process), UNKNOWN_SHORT)
        huge = bar_and_share(process.memory.huge_coverage, BAR)
        row = _row(str(process.pid), _name(group, name_width), memory, huge, words.state(process), name_width)
        page.line(row, " -> ", (words.advice(advice), POLICY_STYLE[advice.policy] if advice.changes else ""))
        if details:
            _write_details(page, process)
        else:
            page.hanging("", (visible(_why(advice)), "dim"), indent=INDENT, most_lines=WHY_LINES)


def _row(pid: str, name: str, memory: str, huge: str, state: str, name_width: int) -> str:
    """The columns up to the state, which is as wide as it is, so that the arrow stands in one column."""
    columns = (cell(pid, PID, right=True), "  ", cell(name, name_width), " ", cell(memory, MEMORY, right=True), "  ")
    return "".join(columns) + cell(huge, BAR + 1 + SHARE) + " " + cell(state, STATE)


def _name(group: Group, width: int) -> str:
    """Name, cut so that the number of processes alike stays readable."""
    alike = f" +{count(group.alike)}" if group.alike else ""
    name = visible(group.leader.name)
    return cell(name, min(len(name), width - len(alike))).rstrip() + alike if alike else name


def _why(advice: RecommendationEntry) -> str:
    """The deciding reason, what it is worth where that is predicted, and how sure it is."""
    gain = "" if advice.expected_gain is None else f"{words.gain(advice.expected_gain)}: "
    reason = advice.reasons[0].message if advice.reasons else "no reason given"
    return f"{gain}{reason}" if advice.confidence == "high" else f"({advice.confidence} confidence) {gain}{reason}"


def _write_details(page: Page, process: ProcessEntry) -> None:
    advice = process.recommendation
    if process.command_line:
        page.hanging("command ", (visible(" ".join(process.command_line)), "dim"), indent=INDENT)
    about = [words.identity(process), f"{advice.confidence} confidence, decided by {advice.decided_by}"]
    if advice.override_reason:
        about.append(advice.override_reason)
    page.hanging("", visible("; ".join(filter(None, about))), indent=INDENT)
    page.hanging("", f"gain {words.gain(advice.expected_gain)}; {words.bloat(advice)}", indent=INDENT)
    if advice.gigantic_verdict:
        page.hanging("", visible(advice.gigantic_verdict), indent=INDENT)
    if process.memory.mthp is not None:
        page.hanging("", words.mthp(process.memory), indent=INDENT)
    if process.bloat_forecast is not None:
        page.hanging("", words.bloat_forecast(process.bloat_forecast), indent=INDENT)
    for line in probe_lines(process.probes):
        page.hanging("", visible(line), indent=INDENT)
    for place, reason in enumerate(advice.reasons):
        _write_reason(page, reason, with_remedy=place == 0 or reason.title is None)
    for alternative in advice.alternatives:
        cost = f"; cost: {', '.join(words.costs(alternative, process))}"
        lead = f"not {words.policy(alternative)}: "
        page.hanging("· ", lead, visible(alternative.why_not), (cost, "dim"), indent=INDENT)
    for base in process.why_not_huge:
        where = "" if base.vmas is None else f" in {plural(base.vmas, 'VMA')}"
        lead = f"not huge: {why_words.amount(base)}{where}, {visible(why_words.title(base))}. "
        page.hanging("· ", lead, (visible(why_words.advice(base)), "dim"), indent=INDENT)


def _write_reason(page: Page, reason: Reason, *, with_remedy: bool) -> None:
    """with_remedy: of what decides, and of what no rule says (the model asking for a measurement)."""
    mark = "? " if reason.status == "cannot-tell" else "* "
    evidence = words.evidence_line(reason)
    page.hanging(mark, (visible(reason.message), style_of(reason.severity)), indent=INDENT)
    if evidence:
        page.hanging("  ", (f"{visible(reason.rule)}: {visible(evidence)}", "dim"), indent=INDENT)
    if with_remedy and reason.remedy:
        page.hanging("  ", visible(reason.remedy), indent=INDENT)
