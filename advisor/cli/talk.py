"""What a command says on stderr. Paths of arguments and words of damaged files are foreign text, too."""

from __future__ import annotations

import click

from advisor.render.escape import visible_lines


def say(text: str) -> None:
    """A line, or several: nothing in them moves the cursor or colours anything."""
    click.echo(visible_lines(text), err=True)
