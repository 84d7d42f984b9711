"""The interface with a bug in it: `python -m tests.host.crashing`. It ends with the tick that has the model."""

from __future__ import annotations

import click

from advisor.cli.errors import CommandError
from advisor.cli.tui import show
from advisor.tui.app import AdvisorApp
from advisor.watch.child import Watcher
from advisor.watch.frames import Job, Tick


class Crashing(AdvisorApp):
    def _take(self, tick: Tick) -> None:
        super()._take(tick)
        if tick.model:
            raise ValueError("planted \x1b[31mbug")


def main() -> None:
    try:
        show(Crashing(Watcher(Job())))
    except CommandError as error:
        click.echo(f"hugepage-advisor: {error.format_message()}", err=True)
        raise SystemExit(error.code) from error


if __name__ == "__main__":
    main()
