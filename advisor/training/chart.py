"""The two axes as pictures: time lost across, and upwards what it costs: memory taken, and programs that were changed
for nothing. The lower left corner is best."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from html import escape

from advisor.training.scores import Score

COLUMNS, LINES = 60, 14
"""Size of the plot in a terminal, without its frame."""

WIDTH, HEIGHT, MARGIN = 720, 420, 70
"""Size of the picture and of the room for its axes, pixels."""

LETTERS = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"

LOST = "time lost against the best policy, geometric mean"
TAKEN = "memory reserved or added, share of what the programs hold"
WASTED = "advice to change that gained next to nothing, share of such advice"


@dataclass(frozen=True)
class Point:
    """One adviser: time lost (0.02 is 2 %), memory taken (0.5 is half as much again), advice for nothing (share)."""

    label: str
    lost: float
    taken: float
    wasted: float


COSTS: tuple[tuple[str, Callable[[Point], float]], ...] = (
    (TAKEN, lambda point: point.taken),
    (WASTED, lambda point: point.wasted),
)
"""What goes upwards, one picture each."""


def points_of(scores: Sequence[Score]) -> list[Point]:
    """The advisers on the axes, in their order."""
    return [Point(score.adviser, score.regret - 1.0, score.cost_share, score.wasted_share) for score in scores]


def text_chart(points: Sequence[Point]) -> list[str]:
    """Lines for a terminal: a letter an adviser, and what the letters mean. Letters that meet show as the first."""
    lines = [line for title, cost in COSTS for line in (*_text_panel(points, title, cost), "")]
    return lines + [f"  {letter}  {point.label}" for letter, point in zip(LETTERS, points, strict=False)]


def _text_panel(points: Sequence[Point], title: str, cost: Callable[[Point], float]) -> list[str]:
    across, up = _limit(point.lost for point in points), _limit(cost(point) for point in points)
    grid = [[" "] * (COLUMNS + 1) for _ in range(LINES + 1)]
    for letter, point in reversed(list(zip(LETTERS, points, strict=False))):
        grid[LINES - round(cost(point) / up * LINES)][round(point.lost / across * COLUMNS)] = letter
    lines = [title]
    for number, row in enumerate(grid):
        label = f"{up * (1 - number / LINES):>6.0%}" if number % (LINES // 2) == 0 else " " * 6
        lines.append(f"{label} |{''.join(row).rstrip()}")
    lines.append(f"{'':6} +{'-' * (COLUMNS + 1)}")
    lines.append(f"{'':7}0 %{across:>{COLUMNS - 1}.1%}")
    return [*lines, f"{'':7}{LOST}"]


def svg_chart(points: Sequence[Point]) -> str:
    """The same as one picture in SVG, readable on light and dark pages."""
    height = HEIGHT * len(COSTS)
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {height}" font-family="sans-serif" '
        'font-size="13" fill="#555">'
    ]
    for number, (title, cost) in enumerate(COSTS, 1):
        parts += _svg_panel(points, title, cost, bottom=number * HEIGHT - MARGIN)
    return "\n".join([*parts, "</svg>", ""])


def _svg_panel(points: Sequence[Point], title: str, cost: Callable[[Point], float], bottom: float) -> list[str]:
    across, up = _limit(point.lost for point in points), _limit(cost(point) for point in points)
    left, wide, high = MARGIN, WIDTH - 2 * MARGIN, HEIGHT - 2 * MARGIN
    parts = [
        f'<path d="M{left} {bottom - high}V{bottom}H{left + wide}" stroke="#888" fill="none"/>',
        _text(left + wide / 2, bottom + MARGIN - 18, "middle", LOST),
        _text(left, bottom - high - 24, "start", title),
    ]
    for share in (0.0, 0.5, 1.0):
        parts.append(_text(left + share * wide, bottom + 20, "middle", f"{share * across:.1%}"))
        parts.append(_text(left - 8, bottom - share * high + 4, "end", f"{share * up:.0%}"))
    taken_places: list[tuple[float, float]] = []
    for number, point in enumerate(points):
        x, y = left + point.lost / across * wide, bottom - cost(point) / up * high
        colour = "#c2410c" if number == 0 else "#2563eb"
        parts.append(f'<circle cx="{x:.1f}" cy="{y:.1f}" r="5" fill="{colour}"/>')
        is_right = x > left + 0.75 * wide
        place = _free_place(x, y, taken_places)
        parts.append(_text(x + (-9 if is_right else 9), place, "end" if is_right else "start", point.label))
    return parts


def _free_place(x: float, y: float, taken: list[tuple[float, float]]) -> float:
    """Height for a label near (x, y) that no earlier label has."""
    place = y + 4
    while any(abs(place - other) < 15 and abs(x - other_x) < 150 for other_x, other in taken):
        place -= 15
    taken.append((x, place))
    return place


def _text(x: float, y: float, anchor: str, text: str) -> str:
    return f'<text x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}">{escape(text)}</text>'


def _limit(values: Iterable[float]) -> float:
    """The end of an axis: the next round number above all values."""
    highest = max([*values, 1e-3])
    step = 10.0 ** math.floor(math.log10(highest))
    return next(limit * step for limit in (1.0, 2.0, 5.0, 10.0) if limit * step >= highest * (1 - 1e-9))
