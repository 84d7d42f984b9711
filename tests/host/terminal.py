"""A real terminal for tests: a shell in tmux, on a server of its own, which is ended whatever happens."""

from __future__ import annotations

import itertools
import os
import re
import shlex
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

import psutil
import pytest

ROOT = Path(__file__).resolve().parents[2]

PATIENCE_S = 60.0
"""Seconds until a wait gives up, which a busy machine may need; a pass takes a small part of it."""

SERVERS = itertools.count()
"""Numbers for the names of this process's tmux servers."""

OVER = re.compile(r"(?m)^(?:[#$] )?over: (\d+)$")
"""What the shell says behind a command; behind its prompt, where the command was typed before that was there."""


class Flags(NamedTuple):
    """What a program has switched on the terminal. mouse: whether it is told of clicks."""

    alternate_screen: bool
    cursor: bool
    mouse: bool
    keypad: bool


AT_REST = Flags(alternate_screen=False, cursor=True, mouse=False, keypad=False)


MODE = re.compile(rb"\x1b\[\?([\d;]+)([hl])")
"""A private mode that is switched on or off (xterm, Control Sequences: DECSET, DECRST)."""

ON_AT_REST = {b"7", b"25"}
"""Long lines wrap, and the cursor is shown."""

KEYBOARD = re.compile(rb"\x1b\[([<>])\d*u")
"""Keys reported in another way, from here on or no more (kitty's keyboard protocol: push, pop)."""


def left_on(written: bytes) -> set[bytes]:
    """Which modes are not as they were, after all that a terminal was sent."""
    modes: dict[bytes, bool] = {}
    for match in MODE.finditer(written):
        modes |= dict.fromkeys(match[1].split(b";"), match[2] == b"h")
    pushed = sum(1 if match[1] == b">" else -1 for match in KEYBOARD.finditer(written))
    changed = {mode for mode, is_on in modes.items() if is_on != (mode in ON_AT_REST)}
    return changed | ({b"keyboard"} if pushed else set())


class Terminal:
    """The only window of a tmux server. Keys go in, the screen comes out."""

    def __init__(self, tmux: str, server: str) -> None:
        self._tmux = [tmux, "-L", server, "-f", "/dev/null"]

    def tmux(self, *arguments: str) -> str:
        done = subprocess.run([*self._tmux, *arguments], capture_output=True, text=True, timeout=PATIENCE_S)
        assert done.returncode == 0, done.stderr
        return done.stdout

    def screen(self) -> list[str]:
        """Its lines, without blanks at their ends."""
        return [line.rstrip() for line in self.tmux("capture-pane", "-p").split("\n")[:-1]]

    def text(self) -> str:
        return "\n".join(self.screen())

    def press(self, *keys: str) -> None:
        """Keys by their names in tmux: Enter, Escape, C-c, q."""
        self.tmux("send-keys", *keys)

    def type(self, text: str) -> None:
        self.tmux("send-keys", "-l", text)

    def run(self, command: Sequence[str]) -> None:
        """Type a command; `until_over` tells its exit code.

        Not before the prompt is there: what is echoed earlier would stand before it, and shift the first line.
        """
        self.type("clear; echo ready\n")
        self.until(lambda: re.fullmatch(r"ready\s+\S+\s*", self.text()) is not None, "a clear screen")
        self.type(f"{shlex.join(command)}; echo over: $?\n")

    def until_over(self) -> int:
        """The exit code of what `run` started."""
        self.until(lambda: self._code() is not None, "the end of the command")
        code = self._code()
        assert code is not None
        return code

    def until(self, holds: Callable[[], bool], what: str) -> None:
        """Wait for it; fails with the screen."""
        give_up = time.monotonic() + PATIENCE_S
        while not holds():
            assert time.monotonic() < give_up, f"never came: {what}\n{self.text()}"
            time.sleep(0.05)

    def until_shown(self, *words: str) -> str:
        """Wait until all of these are on the screen at once, and give that."""
        seen = ""

        def holds() -> bool:
            nonlocal seen
            seen = self.text()
            return all(word in seen for word in words)

        self.until(holds, " and ".join(map(repr, words)))
        return seen

    def until_gone(self, word: str) -> None:
        self.until(lambda: word not in self.text(), f"a screen without {word!r}")

    def log(self, file: Path) -> None:
        """From now on all that is written to the terminal goes to this file, too."""
        self.tmux("pipe-pane", f"cat >>{shlex.quote(str(file))}")

    def flags(self) -> Flags:
        said = self.tmux("display", "-p", "#{alternate_on} #{cursor_flag} #{mouse_any_flag} #{keypad_flag}").split()
        return Flags(*(word == "1" for word in said))

    def title(self) -> str:
        return self.tmux("display", "-p", "#{pane_title}").strip("\n")

    def settings(self) -> str:
        """What `stty -a` says of it."""
        tty = self.tmux("display", "-p", "#{pane_tty}").strip()
        return subprocess.run(["stty", "-a", "-F", tty], capture_output=True, text=True, check=True).stdout

    def program(self) -> psutil.Process:
        """What `run` started."""
        self.until(lambda: bool(self._shell().children()), "the start of the command")
        (started,) = self._shell().children()
        return started

    def _shell(self) -> psutil.Process:
        return psutil.Process(int(self.tmux("display", "-p", "#{pane_pid}")))

    def _code(self) -> int | None:
        found = OVER.search(self.text())
        return int(found[1]) if found else None


@contextmanager
def terminal(size: tuple[int, int]) -> Iterator[Terminal]:
    """A shell at its prompt; this project is importable in it. Skips without tmux."""
    tmux = shutil.which("tmux")
    if tmux is None:
        pytest.skip("tmux is not on this host")
    # A server of its own for each: one of the same name may still be ending, and takes the new session with it.
    server = f"hugepage-advisor-test-{os.getpid()}-{next(SERVERS)}"
    one = Terminal(tmux, server)
    environment = {"PYTHONPATH": str(ROOT), "LC_ALL": "C.UTF-8"}
    settings = [word for name, value in environment.items() for word in ("-e", f"{name}={value}")]
    columns, lines = map(str, size)
    try:
        one.tmux("new-session", "-d", "-x", columns, "-y", lines, *settings, "-c", str(ROOT), "/bin/sh")
        one.until(lambda: one.text().strip() != "", "the prompt of the shell")
        yield one
    finally:
        subprocess.run([tmux, "-L", server, "kill-server"], capture_output=True)


def advisor(*arguments: str) -> list[str]:
    """The command line of the program under test."""
    return [sys.executable, "-m", "advisor", *arguments]
