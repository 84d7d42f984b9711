"""What a command says on stderr. Paths of arguments and words of damaged files are foreign text, too."""

from __future__ import annotations

import errno
import os
import select
import stat
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import TextIO

import click

from advisor.render.escape import visible

PATIENCE_S = 5.0
"""Source: own choice. Reason: a write to a terminal that is stopped waits for ever, and SIGTERM would not end it."""


def say(*lines: str) -> None:
    """Each stays one line, and nothing in it moves the cursor or colours anything. Nothing where nobody listens.

    A terminal that takes nothing (Ctrl-S) is waited for, PATIENCE_S at most: then the words are lost.
    """
    for line in lines:
        if not sys.stderr.isatty() or _takes_text(PATIENCE_S):
            with suppress(OSError), unless_gone(sys.stderr):
                click.echo(visible(line), err=True)


def say_in_passing(text: str) -> None:
    """A line that rewrites itself, on a terminal only, of at most some 100 characters.

    Left out while the terminal takes nothing (Ctrl-S): a write would wait for Ctrl-Q, whatever signal comes.
    """
    if sys.stderr.isatty() and _takes_text(0):
        with unless_gone(sys.stderr):
            click.echo(f"\r{text}", err=True, nl=False)


def _takes_text(wait_s: float) -> bool:
    """Whether the terminal does so within this time. The kernel says yes only where there is room for more than one
    line (drivers/tty/tty_buffer.c: 256 bytes)."""
    return bool(select.select([], [sys.stderr], [], wait_s)[1])


@contextmanager
def unless_gone(stream: TextIO) -> Iterator[None]:
    """What is written inside to a terminal that has gone away meanwhile (EIO) is lost: the command did its part.

    Raises any other OSError, and EIO of a file.
    """
    try:
        yield
    except OSError as error:
        if error.errno != errno.EIO or not stat.S_ISCHR(os.fstat(stream.fileno()).st_mode):
            raise
        null = os.open(os.devnull, os.O_WRONLY)
        os.dup2(null, stream.fileno())  # else what is still buffered fails again at exit, with code 120
        os.close(null)
