"""What a command says on stderr. Paths of arguments and words of damaged files are foreign text, too."""

from __future__ import annotations

import contextlib

import click

from advisor.render.escape import visible


def say(*lines: str) -> None:
    """Each stays one line, and nothing in it moves the cursor or colours anything. Nothing where nobody listens."""
    with contextlib.suppress(OSError):
        for line in lines:
            click.echo(visible(line), err=True)
