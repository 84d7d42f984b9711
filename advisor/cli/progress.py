"""How far a long command has come, on stderr: a bar on a terminal, lines elsewhere where they were asked for."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from advisor.cli.talk import say
from advisor.render.numbers import count

LINE_S = 10.0
"""Seconds between lines where there is no terminal. Source: own choice. Reason: an hour's log stays readable."""

Advance = Callable[[int], None]


@contextmanager
def progress(what: str, total: int, *, shown: bool | None = None) -> Iterator[Advance]:
    """Yields what is to be told how many were done. shown: None for on a terminal only."""
    terminal = sys.stderr.isatty()
    if not (terminal if shown is None else shown) or not total:
        yield _nothing
    elif terminal:
        with _bar(what, total) as advance:
            yield advance
    else:
        yield _Lines(what, total)


def _nothing(_number: int) -> None:
    """Nobody looks."""


@contextmanager
def _bar(what: str, total: int) -> Iterator[Advance]:
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, ProgressColumn, Task, TextColumn
    from rich.text import Text

    class Pace(ProgressColumn):
        """Rate and time left, both since the beginning of what is waited for."""

        def render(self, task: Task) -> Text:
            return Text(pace(int(task.completed), total, task.elapsed or 0.0))

    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), Pace())
    with Progress(*columns, console=Console(stderr=True)) as bar:
        task = bar.add_task(what, total=total)
        yield lambda number: bar.advance(task, number)


class _Lines:
    """A line at most every LINE_S, and one at the end."""

    def __init__(self, what: str, total: int) -> None:
        self._what, self._total, self._done = what, total, 0
        self._began = self._said = time.monotonic()

    def __call__(self, number: int) -> None:
        self._done += number
        now = time.monotonic()
        if now - self._said >= LINE_S or self._done >= self._total:
            self._said = now
            said = pace(self._done, self._total, now - self._began)
            say(f"{self._what}: {count(self._done)} of {count(self._total)}, {said}")


def pace(done: int, total: int, elapsed_s: float) -> str:
    """Such as "12.5/s, 0:42 left"; nothing can be said before something is done."""
    if not done or elapsed_s <= 0:
        return ""
    rate = done / elapsed_s
    if done >= total:
        return f"{rate:.1f}/s, took {_clock(elapsed_s)}"
    return f"{rate:.1f}/s, {_clock((total - done) / rate)} left"


def _clock(seconds: float) -> str:
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{rest:02}" if hours else f"{minutes}:{rest:02}"
