"""How far a batch has come: on a terminal or where asked, and nowhere else."""

from __future__ import annotations

import io
import sys

import pytest

from advisor.cli import progress as module
from advisor.cli.progress import pace, progress


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def told(stream: io.StringIO, monkeypatch: pytest.MonkeyPatch, shown: bool | None) -> str:
    monkeypatch.setattr(sys, "stderr", stream)
    with progress("scoring", 1_200, shown=shown) as advance:
        for _ in range(75):
            advance(16)
    return stream.getvalue()


def test_a_pipe_is_told_nothing_unless_asked(monkeypatch: pytest.MonkeyPatch) -> None:
    assert told(io.StringIO(), monkeypatch, None) == ""
    assert told(Terminal(), monkeypatch, False) == ""
    asked = told(io.StringIO(), monkeypatch, True).splitlines()
    assert len(asked) == 1 and asked[0].startswith("scoring: 1,200 of 1,200, ")
    monkeypatch.setattr(module, "LINE_S", 0.0)
    assert len(told(io.StringIO(), monkeypatch, True).splitlines()) == 75


def test_a_terminal_has_a_bar(monkeypatch: pytest.MonkeyPatch) -> None:
    shown = told(Terminal(), monkeypatch, None)
    assert "scoring" in shown and "1200/1200" in shown and "/s, took 0:0" in shown


def test_rate_and_time_left() -> None:
    assert pace(0, 100, 5.0) == ""
    assert pace(25, 100, 10.0) == "2.5/s, 0:30 left"
    assert pace(100, 36_000, 36.0) == "2.8/s, 3:35:24 left"
