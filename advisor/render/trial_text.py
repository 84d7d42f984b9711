"""A trial as text: the conclusion, a row a policy, then what weakens it, how it was done, and how to repeat it."""

from __future__ import annotations

import shlex
from collections import Counter
from collections.abc import Sequence

from advisor.render import trial_words as words
from advisor.render.escape import visible
from advisor.render.numbers import UNKNOWN_SHORT, count, duration, human_bytes, percent, plural
from advisor.render.page import Page, cell
from advisor.trial.document import Change, Comparison, Run, Summary, Trial, Way

NARROWEST = 80
"""Columns. A narrower terminal gets lines of this width. Reason: the tables need them."""

WARM_UP_ROUND = 0

POLICY, VERDICT, SPEED_UP, RUNS, MEDIAN, SPREAD = 9, 14, 25, 5, 11, 9
"""Widths of the columns of the first table; the longest speed-up is "1.002x (0.996 to 1.008)"."""

COSTS = (
    ("HUGE", 6), ("PEAK RSS", 10), ("POOL", 10), ("VS BASE", 11), ("SET-UP", 10), ("FAULTS", 12), ("SYSTEM", 10),
)  # fmt: skip
"""Titles and widths of the columns of the second table."""

LABEL_COLUMNS = 8
"""Width of the labels of the block below the conclusion, with the gap."""

MOST_COMMAND_LINES = 3
"""Lines of the command under trial that are shown; JSON has all of it."""

VERDICT_STYLE = {"faster": "green", "slower": "red", "failed": "yellow", "not-applied": "yellow"}


def render_trial_text(
    trial: Trial, *, repeat: Sequence[str] = (), width: int = 80, color: bool = False, unicode: bool = True
) -> str:
    """The trial as lines of at most `width` columns (at least NARROWEST).

    repeat: the command line that makes the same trial again, redacted by the caller. color, unicode: as in
    `render_text`.
    """
    page = Page(max(width, NARROWEST), color=color)
    page.hanging("", (words.conclusion(trial), "bold"))
    page.blank()
    _write_about(page, trial)
    _write_verdicts(page, trial)
    _write_costs(page, trial)
    _write_warnings(page, trial)
    _write_ways(page, trial)
    _write_left_out(page, trial)
    if repeat:
        page.heading("To repeat it")
        page.hanging("", visible(shlex.join(repeat)))
    return page.text(unicode=unicode)


def _write_about(page: Page, trial: Trial) -> None:
    """What was run, compared, and where."""
    host = trial.environment
    runs = f"{plural(trial.rounds, 'round')} of {plural(len(trial.ways), 'policy', 'policies')}"
    cpus = None if host.cpus is None else plural(host.cpus, "CPU")
    kernel, thp = host.kernel and f"kernel {host.kernel}", host.thp_enabled and f"THP {host.thp_enabled}"
    machine = (host.cpu_model, cpus, kernel, host.virtualization, thp, host.libc)  # "none": no virtualization
    command = visible(shlex.join(trial.command))
    page.hanging(cell("Command", LABEL_COLUMNS), command, most_lines=MOST_COMMAND_LINES)
    page.hanging(
        cell("Metric", LABEL_COLUMNS), f"{words.metric_words(trial.metric)}; {runs}, {duration(trial.duration_s)}"
    )
    page.hanging(
        cell("Machine", LABEL_COLUMNS), visible(", ".join(part for part in machine if part and part != "none"))
    )


def _write_verdicts(page: Page, trial: Trial) -> None:
    """A row a policy, with a second one for what it gives beyond the next smaller page size."""
    page.blank()
    head = cell("POLICY", POLICY) + cell("VERDICT", VERDICT) + cell(f"SPEED-UP ({percent(_level(trial))})", SPEED_UP)
    columns = (("RUNS", RUNS), ("MEDIAN", MEDIAN), ("SPREAD", SPREAD))
    page.line((head + "".join(cell(name, width, right=True) for name, width in columns), "bold"))
    summaries = {summary.policy: summary for summary in trial.summaries}
    for way in trial.ways:
        name = way.policy.name
        mine = [one for one in trial.comparisons if one.policy == name]
        first = next((one for one in mine if one.against == words.BASE), None)
        _write_verdict(page, trial, name, first, summaries.get(name))
        for comparison in mine:
            if comparison is not first:
                page.line(cell("", POLICY), *_verdict(comparison), f" vs {visible(comparison.against)}")


def _write_verdict(
    page: Page, trial: Trial, name: str, comparison: Comparison | None, summary: Summary | None
) -> None:
    verdict = (
        _verdict(comparison)
        if comparison
        else (cell("reference" if name == words.BASE else "", VERDICT), cell("-", SPEED_UP))
    )
    counted = 0 if summary is None else summary.runs
    figures = (
        (str(counted), RUNS),
        (words.metric_value(summary.value, trial.metric) if summary and counted else "-", MEDIAN),
        (words.spread_words(summary.spread) if summary and counted else "-", SPREAD),
    )
    row = "".join(cell(text, width, right=True) for text, width in figures)
    page.line(cell(visible(name), POLICY), *verdict, row)


def _verdict(comparison: Comparison) -> tuple[tuple[str, str], str]:
    word = cell(words.VERDICT_WORDS[comparison.verdict], VERDICT)
    return (word, VERDICT_STYLE.get(comparison.verdict, "")), cell(words.speed_up(comparison.speed_up), SPEED_UP)


def _level(trial: Trial) -> float:
    return next((one.speed_up.level for one in trial.comparisons if one.speed_up), 0.95)


def _write_costs(page: Page, trial: Trial) -> None:
    """Medians of what else the policy did: memory, set-up, faults, time in the kernel."""
    summaries = [summary for summary in trial.summaries if summary.runs]
    if not summaries:
        return
    page.blank()
    page.line((cell("POLICY", POLICY) + "".join(cell(title, width, right=True) for title, width in COSTS), "bold"))
    base = next((one for one in summaries if one.policy == words.BASE), None)
    for summary in summaries:
        figures = zip(_costs(summary, base), COSTS, strict=True)
        row = "".join(cell(text, width, right=True) for text, (_, width) in figures)
        page.line(cell(visible(summary.policy), POLICY), row)
    page.hanging("", ("HUGE: share of memory on huge pages. VS BASE: peak RSS and pool together.", "dim"))


def _costs(summary: Summary, base: Summary | None) -> tuple[str, ...]:
    """The columns of COSTS."""
    return (
        percent(summary.coverage, UNKNOWN_SHORT),
        human_bytes(summary.peak_rss_bytes, UNKNOWN_SHORT),
        human_bytes(summary.peak_hugetlb_bytes, UNKNOWN_SHORT) if summary.peak_hugetlb_bytes else "-",
        _more_memory(summary, base),
        words.seconds(summary.setup_s),
        count(summary.minor_faults, UNKNOWN_SHORT),
        words.seconds(summary.system_s),
    )


def _more_memory(summary: Summary, base: Summary | None) -> str:
    """How much more (or less) memory than under base pages; RSS does not contain pool pages."""
    if base is None or not base.runs or base.peak_rss_bytes is None or summary.peak_rss_bytes is None:
        return UNKNOWN_SHORT
    if summary is base:
        return "-"
    more = _memory(summary) - _memory(base)
    return f"{'-' if more < 0 else '+'}{human_bytes(abs(more))}"


def _memory(summary: Summary) -> int:
    return (summary.peak_rss_bytes or 0) + (summary.peak_hugetlb_bytes or 0)


def _write_warnings(page: Page, trial: Trial) -> None:
    lost = [change for change in trial.changes if not change.restored]
    if not trial.warnings and not lost:
        return
    page.heading("What weakens this result")
    for change in lost:
        page.hanging("! ", (f"{visible(change.path)} could not be put back to {visible(change.before)}.", "bold red"))
    for caveat in trial.warnings:
        page.hanging("! ", f"{visible(caveat.message)}", (f" ({visible(caveat.id)})", "dim"))


def _write_ways(page: Page, trial: Trial) -> None:
    """How each policy was brought to the command, and what was changed on the host for it."""
    page.heading("How each policy was brought")
    for way in trial.ways:
        if way.why_unusable is None:
            page.hanging(
                "· ", f"{visible(way.policy.name)}: {visible(way.description)}", (f" ({visible(way.id)})", "dim")
            )
    for change in trial.changes:
        page.hanging("· ", ("Changed on the host: ", "dim"), _change_words(change))


def _change_words(change: Change) -> str:
    """A setting that went to and fro ended as it began."""
    during = f" -> {change.during}" if change.during != change.before else ", changed between runs"
    return visible(f"{change.path}: {change.before}{during}{', put back' if change.restored else ''}")


def _write_left_out(page: Page, trial: Trial) -> None:
    """Runs that are not compared, policies that could not be tried, and what could not be told from the rest."""
    lines = [line for way in trial.ways for line in _left_out(way, trial.runs)]
    lines += [
        f"{one.policy} against {one.against} cannot be told: {one.why}"
        for one in trial.comparisons
        if one.verdict == "cannot-tell" and one.runs and one.why
    ]
    if not lines:
        return
    page.heading("Not counted")
    for line in lines:
        page.hanging("· ", visible(line))


def _left_out(way: Way, runs: Sequence[Run]) -> list[str]:
    name = way.policy.name
    if way.why_unusable is not None:
        return [f"{name}: {way.why_unusable}"]
    mine = [run for run in runs if run.policy == name]
    mine = [run for run in mine if run.round > WARM_UP_ROUND] or mine
    reasons = Counter(run.not_counted for run in mine if run.not_counted is not None)
    return [f"{name}, {number} of {plural(len(mine), 'run')}: {why}" for why, number in reasons.most_common()]
