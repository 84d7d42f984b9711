"""Where a command's data goes, and what it may hold there."""

from __future__ import annotations

import io
import sys
from pathlib import Path

import pytest

from advisor.cli.output import look_of


class Stdout(io.TextIOWrapper):
    """A terminal in this encoding, or a pipe."""

    def __init__(self, encoding: str, *, terminal: bool) -> None:
        super().__init__(io.BytesIO(), encoding=encoding)
        self._terminal = terminal

    def isatty(self) -> bool:
        return self._terminal


@pytest.mark.parametrize("encoding", ["utf-8", "ascii", "iso8859-1"])
@pytest.mark.parametrize("terminal", [True, False])
def test_stdout_decides_for_itself_alone(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, encoding: str, terminal: bool
) -> None:
    monkeypatch.setattr(sys, "stdout", Stdout(encoding, terminal=terminal))
    assert look_of(None) == {"color": terminal, "unicode": encoding == "utf-8"}
    assert look_of(tmp_path / "out.txt") == {"color": False, "unicode": True}, "no colours of a terminal in a file"
