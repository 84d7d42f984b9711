"""What the screen of a trial says while it asks and while the trial runs. Pure functions of what the child sent."""

from __future__ import annotations

from collections.abc import Sequence
from statistics import median

from rich.text import Text

from advisor.render.live_text import plan_lines
from advisor.render.numbers import UNKNOWN_SHORT, count, duration, human_bytes, percent
from advisor.report.document import Report
from advisor.trial.document import Interval
from advisor.trial.live_document import LiveMetric, LivePlan, Response, SoFar
from advisor.tui.drawing import BLOCKS
from advisor.tui.ink import Ink

METRIC_HELP = (
    "A shell command, run with your rights, that prints how fast the process works; its last number counts. It finds"
    " the pid in $HUGEPAGE_ADVISOR_PID. Left empty: what is counted anyway per CPU second, which is requests"
    " of Redis or memcached, else bytes and calls of I/O, else waits. If none of them is steady, it cannot tell,"
    " and nothing is moved."
)

SETTLE_S = 0.5
"""Seconds that a trial waits after each step, about; only for the time that is left."""

LABEL = 8
"""Columns of the labels, as in the host strip."""

GAUGE = 12
"""Columns of the gauge of the dose."""

DOSE, CURVE, MEDIAN, SPEED_UP = 6, 14, 11, 26
"""Widths of the table's columns with the gaps beside them; "1.077 (1.050 to 1.104)" is the usual speed-up."""

PICTURE = 14
"""Columns of the picture of intervals at least; narrower screens go without."""

MARGIN = 0.02
"""Of the scale of the picture beside 1 at least, either way. Reason: less is not claimed by a live trial."""


def why_no_trial(report: Report, pid: int) -> str | None:
    """Why there can be none on this screen, whatever the process; None where it can be asked for."""
    here = {"profile": "This is a recording", "tree": "This is a captured tree"}.get(report.source.kind)
    if here is None:
        return None
    return f"{here}: a trial needs the running process. On its host: hugepage-advisor trial --pid {pid}"


def found(ink: Ink, plan: LivePlan) -> Text:
    """What a look at the process has found."""
    eligible = plan.eligible
    moved, added = human_bytes(eligible.populated_bytes), human_bytes(eligible.missing_bytes)
    more = ((eligible.huge_bytes, "are huge already"), (eligible.refused_bytes, "refuse huge pages"))
    others = ", ".join(f"{human_bytes(size)} {what}" for size, what in more if size)
    return ink.text(f"{moved} of it can be moved, which would add {added}{'; ' + others if others else ''}.")


def question(ink: Ink, plan: LivePlan, metric: LiveMetric | None) -> Text:
    """What will be done and what will stay, in the trial's own words, and by what it will be judged."""
    lines = [ink.text(line) for line in plan_lines(plan)]
    if metric is None:
        lines.append(ink.text("No metric command: judged by what the process counts, where that is steady."))
    else:
        prints = "a count that grows" if metric.kind == "counter" else "a rate"
        lines.append(ink.text(f"Judged by {prints}, {metric.better} is better: {metric.command}"))
    return Text("\n").join([*lines, Text(), ink.text("Go ahead?", "strong")])


def running(
    ink: Ink, plan: LivePlan, so_far: SoFar | None, *, since_s: float, ending: bool, width: int
) -> list[Text]:
    """Lines of at most `width` columns: dose, what is done now, response by dose. since_s: since `so_far` came."""
    lines = [_dose_line(ink, plan, so_far), _now_line(ink, plan, so_far, since_s, ending=ending), Text()]
    lines += _response_lines(ink, plan, so_far, width)
    for line in lines:
        line.truncate(width, overflow="ellipsis")
    return lines


def seconds_left(plan: LivePlan, so_far: SoFar | None, since_s: float = 0.0) -> float:
    """About how long it goes on, collapsing included as soon as it is known how long that takes."""
    if so_far is None:
        return plan.measuring_s
    doses = (0.0, *plan.steps)
    place = doses.index(so_far.dose) if so_far.dose in doses else 0
    windows = (len(doses) - place) * plan.windows - so_far.windows
    settling = len(plan.steps) - place + (so_far.windows == 0 and place > 0)
    wanted = round(plan.steps[-1] * plan.eligible.slots)
    a_slot = so_far.collapse_s / so_far.asked_slots if so_far.asked_slots else 0.0
    left = windows * (so_far.window_wall_s or plan.window_s) + settling * SETTLE_S
    return max(left + max(wanted - so_far.asked_slots, 0) * a_slot - since_s, 0.0)


def _dose_line(ink: Ink, plan: LivePlan, so_far: SoFar | None) -> Text:
    """Which share of its memory has been asked for, and what came of it."""
    slots, slot_bytes = plan.eligible.slots, plan.eligible.slot_bytes
    asked = so_far.asked_slots if so_far else 0
    share = asked / slots if slots else 0.0
    full = min(max(round(share * GAUGE), 1 if share else 0), GAUGE)
    gauge = ink.join(("█" * full, "pmd-anon"), ("░" * (GAUGE - full), "muted"))
    said = f" {percent(share)} of {human_bytes(plan.eligible.populated_bytes)}"
    if so_far is not None and asked:
        refused = asked - so_far.collapsed_slots
        moved, added = so_far.collapsed_slots * slot_bytes, so_far.filled_bytes
        said += f": {human_bytes(moved)} moved, {human_bytes(added)} added"
        said += f", {count(refused)} refused" if refused else ""
    return ink.join(("Dose".ljust(LABEL), "muted"), gauge, said)


def _now_line(ink: Ink, plan: LivePlan, so_far: SoFar | None, since_s: float, *, ending: bool) -> Text:
    label = ("Now".ljust(LABEL), "muted")
    if ending:
        return ink.join(label, ("ending early: what was measured by now is worked out", "medium"))
    left = f"about {duration(round(seconds_left(plan, so_far, since_s)))} left"
    if so_far is None:
        return ink.join(label, f"measuring as it is, {left}")
    if so_far.dose and not so_far.windows:
        return ink.join(label, f"moving memory up to {percent(so_far.dose)}, {left}")
    at = f"at {percent(so_far.dose)}" if so_far.dose else "as it is"
    return ink.join(label, f"measured {at}: window {count(so_far.windows)} of {count(plan.windows)}, {left}")


def _response_lines(ink: Ink, plan: LivePlan, so_far: SoFar | None, width: int) -> list[Text]:
    """A table: a row a dose, with its windows as a curve, their median, the speed-up, its interval as a picture."""
    if so_far is None or so_far.measure is None:
        return [ink.text("Response: not before four windows as it is, which show whether there is a steady measure.")]
    direction = "" if so_far.better == "higher" else ", lower is better"
    by = ink.join(("By".ljust(LABEL), "muted"), (so_far.measure, "strong"), f", {so_far.unit}{direction}")
    values = {dose: [value for at, value in so_far.values if at == dose] for dose in (0.0, *plan.steps)}
    responses = {response.dose: response for response in so_far.responses}
    room = width - DOSE - CURVE - MEDIAN - SPEED_UP
    intervals = [response.speed_up for response in so_far.responses if response.speed_up]
    picture = Picture.of(intervals, room) if intervals and room >= PICTURE else None
    head = "DOSE".rjust(DOSE) + "  " + "WINDOWS".ljust(CURVE - 2) + "MEDIAN".rjust(MEDIAN) + "  SPEED-UP"
    lines = [by, Text(), ink.text(head.ljust(width - room) + (picture.scale() if picture else ""), "heading")]
    scale = (min(value for _, value in so_far.values), max(value for _, value in so_far.values))
    for dose, seen in values.items():
        lines.append(_row(ink, dose, seen, values[0.0], responses.get(dose), so_far, scale, picture))
    return lines


def _row(
    ink: Ink,
    dose: float,
    seen: Sequence[float],
    at_rest: Sequence[float],
    response: Response | None,
    so_far: SoFar,
    scale: tuple[float, float],
    picture: Picture | None,
) -> Text:
    start = percent(dose).rjust(DOSE) + "  "
    if not seen:
        return ink.text(start + UNKNOWN_SHORT, "muted")
    interval = response.speed_up if response else None
    said = (
        "" if not dose
        else f"{interval.estimate:.3f} ({interval.low:.3f} to {interval.high:.3f})" if interval
        else f"{_ratio(seen, at_rest, so_far):.3f} so far" if at_rest else ""
    )  # fmt: skip
    role = "" if interval is None else "good" if interval.low > 1 else "high" if interval.high < 1 else ""
    return ink.join(
        start,
        (curve(seen, scale, CURVE - 2), "good"),
        f"{median(seen):.4g}".rjust(MEDIAN) + "  ",
        (said.ljust(SPEED_UP - 2), role),
        (picture.draw(interval), role) if picture and interval else "",
    )


def _ratio(seen: Sequence[float], at_rest: Sequence[float], so_far: SoFar) -> float:
    """How many times as good as dose 0 the middle of these windows is; a first look without an interval."""
    ours, theirs = median(seen), median(at_rest)
    ours, theirs = (theirs, ours) if so_far.better == "lower" else (ours, theirs)
    return ours / theirs if theirs else 0.0


def curve(values: Sequence[float], scale: tuple[float, float], width: int) -> str:
    """The newest values as a curve between the lowest and the highest of all doses."""
    low, high = scale
    top = len(BLOCKS) - 1
    marks = [BLOCKS[round((value - low) / (high - low) * top)] if high > low else BLOCKS[0] for value in values]
    return "".join(marks[-width:]).ljust(width)


class Picture:
    """Intervals on one scale, so that they can be compared by eye; 1 is marked."""

    def __init__(self, low: float, high: float, width: int) -> None:
        self._low, self._high, self._width = low, high, width

    @classmethod
    def of(cls, intervals: Sequence[Interval], width: int) -> Picture:
        """A scale that holds them all, and 1."""
        low = min([1 - MARGIN, *(interval.low for interval in intervals)])
        high = max([1 + MARGIN, *(interval.high for interval in intervals)])
        return cls(low, high, width)

    def scale(self) -> str:
        """What its ends and its mark stand for."""
        ends = f"{self._low:.2f}", f"{self._high:.2f}"
        between = list(" " * (self._width - len(ends[0]) - len(ends[1])))
        mark = self._place(1.0) - len(ends[0])
        if 0 < mark < len(between) - 1:
            between[mark] = "1"
        return ends[0] + "".join(between) + ends[1]

    def draw(self, interval: Interval) -> str:
        """├──●─┤, with ┊ or ┼ where 1 is."""
        line = [" "] * self._width
        one = self._place(1.0)
        first, middle, last = (self._place(value) for value in (interval.low, interval.estimate, interval.high))
        line[first : last + 1] = "─" * (last + 1 - first)
        line[one] = "┼" if first <= one <= last else "┊"
        line[first], line[last] = "├", "┤"
        line[middle] = "●"
        return "".join(line)

    def _place(self, value: float) -> int:
        return round((value - self._low) / (self._high - self._low) * (self._width - 1))
