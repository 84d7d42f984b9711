"""A live trial as text: the conclusion in a sentence, dose and response in a table, what weakens it, what stays."""

from __future__ import annotations

from collections.abc import Iterator

from advisor.render.escape import visible
from advisor.render.numbers import UNKNOWN_SHORT, duration, human_bytes, percent, plural
from advisor.render.page import Page, cell
from advisor.render.trial_json import trial_document_json
from advisor.trial.document import Interval
from advisor.trial.live_document import LivePlan, LiveTrial, Measure, Response, Step

NARROWEST = 70
"""Columns. A narrower terminal gets lines of this width. Reason: the table needs them."""

DOSE, HUGE, ADDED, TOOK, MEDIAN, SPEED_UP = 6, 10, 10, 9, 12, 23
"""Widths of the table's columns; "1.27 (1.25 to 1.29)" is the longest usual speed-up."""

LABEL_COLUMNS = 10
"""Width of the labels below the table, with the gap."""

ENDED_WORDS = {
    "interrupted": "interrupted",
    "gone": "the process exited",
    "tight-memory": "memory got tight before the last dose",
}
"""Endings to tell apart from the ordinary one; that there was no measure is in the first sentence."""


def render_live_text(trial: LiveTrial, *, width: int = 80, color: bool = False, unicode: bool = True) -> str:
    """The trial as lines of at most `width` columns (at least NARROWEST). color, unicode: as in `render_text`."""
    page = Page(max(width, NARROWEST), color=color)
    page.hanging("", (visible(conclusion(trial)), "bold"))
    _write_table(page, trial)
    page.blank()
    for label, text in _facts(trial):
        page.hanging(cell(label, LABEL_COLUMNS), visible(text))
    if trial.warnings:
        page.heading("What weakens it")
        for caveat in trial.warnings:
            page.hanging("· ", visible(caveat.message))
    return page.text(unicode=unicode)


def render_live_json(trial: LiveTrial) -> str:
    """The whole document, as `render_trial_json` writes a trial of a command."""
    return trial_document_json(trial)


def plan_lines(plan: LivePlan) -> list[str]:
    """What is about to be done, and what will stay, one sentence a line."""
    eligible = plan.eligible
    lines = [
        f"This moves {human_bytes(plan.asked_bytes)} of process {plan.pid} ({visible(plan.name)}) to huge pages,"
        f" in {plural(len(plan.steps), 'step')}, and measures for {duration(plan.measuring_s)} and as long as"
        " collapsing takes.",
        "Collapsed pages stay huge after the trial, until the process frees them or ends.",
        f"Its memory is expected to grow by {human_bytes(plan.missing_bytes)}.",
    ]
    if plan.copied_bytes:
        lines.append(
            f"Up to {human_bytes(plan.copied_bytes)} more are taken from the host: memory that it shares since a fork"
            " is copied."
        )
    if plan.children:
        lines.append(f"Only process {plan.pid} itself is moved and measured, {_children_words(plan.children)} not.")
    if eligible.sparse_slots:
        lines.append(
            f"Left out: {plural(eligible.sparse_slots, 'place')} of huge page size that are mostly empty; they would"
            f" add {human_bytes(eligible.sparse_missing_bytes)}."
        )
    return lines


def _children_words(children: int) -> str:
    return "the process that it started" if children == 1 else f"the {children:,d} processes that it started"


def conclusion(trial: LiveTrial) -> str:
    """One sentence: what it gives, how sure that is, what it costs."""
    who = f"{trial.name} (pid {trial.pid})"
    if trial.speed_up is None or trial.verdict == "cannot-tell":
        seen = f" (seen: {_interval(trial.speed_up)})" if trial.speed_up else ""
        return f"Cannot tell what huge pages give {who}{seen}: {trial.why}.{_remedy(trial)}"
    measured = f"{_interval(trial.speed_up)}, 95 % interval" if trial.speed_up.level == 0.95 else ""
    where = f"with {human_bytes(trial.huge_bytes_taken)} more on huge pages"
    cost = _growth(trial.rss_growth_bytes)
    if trial.verdict == "no-difference":
        return f"No difference seen for {who} {where} ({measured}; {trial.why}); {cost}."
    return f"{who} is {trial.verdict} {where}: {measured}; {cost}."


def _growth(size: int | None) -> str:
    if size is None:
        return "whether memory grew is unknown"
    return f"memory shrank by {human_bytes(-size)}" if size < 0 else f"memory grew by {human_bytes(size)}"


def _remedy(trial: LiveTrial) -> str:
    if trial.ended != "no-measure":
        return ""
    return " Nothing was changed; give --metric-cmd." if trial.metric is None else " Nothing was changed."


def _interval(interval: Interval) -> str:
    return f"{interval.estimate:.2f} times ({interval.low:.2f} to {interval.high:.2f})"


def _write_table(page: Page, trial: LiveTrial) -> None:
    """A row a dose: what was taken by then, and the response."""
    measure = next((one for one in trial.measures if one.id == trial.judged_by), None)
    responses = {response.dose: response for response in measure.responses} if measure else {}
    if not responses and not trial.steps:
        return
    columns = (("DOSE", DOSE), ("HUGE", HUGE), ("ADDED", ADDED), ("TOOK", TOOK), ("MEDIAN", MEDIAN))
    title = "".join(cell(name, width, right=True) for name, width in columns) + "  SPEED-UP"
    page.blank()
    page.line((title, "bold"))
    page.line(_row(0.0, 0, 0, None, responses.get(0.0)))
    huge = added = 0
    for step in trial.steps:
        huge += step.collapsed_slots * trial.eligible.slot_bytes
        added += step.filled_bytes
        page.line(_row(step.dose, huge, added, step, responses.get(step.dose)))


def _row(dose: float, huge: int, added: int, step: Step | None, response: Response | None) -> str:
    took = duration(step.wall_s) if step else ""
    median = f"{response.median:.4g}" if response else UNKNOWN_SHORT
    cells = (
        (percent(dose), DOSE), (human_bytes(huge), HUGE), (human_bytes(added), ADDED), (took, TOOK), (median, MEDIAN)
    )  # fmt: skip
    speed_up = ""
    if response and response.speed_up:
        ratio = response.speed_up
        speed_up = f"{ratio.estimate:.3f} ({ratio.low:.3f} to {ratio.high:.3f})"
    return "".join(cell(text, width, right=True) for text, width in cells) + "  " + cell(speed_up, SPEED_UP)


def _facts(trial: LiveTrial) -> Iterator[tuple[str, str]]:
    """Label and text of what the reader needs to check the result."""
    measure = next((one for one in trial.measures if one.id == trial.judged_by), None)
    if measure is not None:
        yield "Judged by", _measure_words(measure)
    for other in trial.measures:
        if other is not measure:
            yield "", _other_words(other)
    yield (
        "Windows",
        f"{trial.windows_per_dose} of {duration(trial.window_s)} at each dose, dose 0 first; what each dose adds lies"
        " evenly over the memory",
    )
    eligible = trial.eligible
    yield (
        "Memory",
        f"{human_bytes(eligible.populated_bytes)} could be collapsed, {human_bytes(eligible.huge_bytes)} are huge"
        f" already, {human_bytes(eligible.refused_bytes)} refuse huge pages",
    )
    if eligible.sparse_slots:
        left_out = f"{plural(eligible.sparse_slots, 'place')} of huge page size that are mostly empty"
        yield "Left out", f"{left_out}: collapsing them would add {human_bytes(eligible.sparse_missing_bytes)}"
    taken = sum(step.collapsed_slots for step in trial.steps) * eligible.slot_bytes
    if taken:
        yield "Stays", f"{human_bytes(taken)} were collapsed and stay huge until the process frees them or ends"
    if trial.children:
        yield "Beside it", f"{_children_words(trial.children)}, neither moved nor measured"
    if trial.ended in ENDED_WORDS:
        yield "Ended", ENDED_WORDS[trial.ended]


def _other_words(measure: Measure) -> str:
    """What a measure that was not judged by says, or why it says nothing."""
    last = measure.responses[-1] if measure.responses else None
    if not measure.usable or last is None or last.speed_up is None:
        return f"not by {measure.id}: {measure.why_not or 'further from the work, or less steady'}"
    return f"beside it {measure.id}, {measure.unit}: {_interval(last.speed_up)}"


def _measure_words(measure: Measure) -> str:
    spread = "" if measure.spread is None else f", spread {percent(measure.spread)} at dose 0"
    better = "" if measure.better == "higher" else ", lower is better"
    return f"{measure.id}: {measure.description}, {measure.unit}{better}{spread}"
