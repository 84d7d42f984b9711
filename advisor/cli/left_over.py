"""Before any command: put back what a trial that was killed left on this host, or say that it is there.

Costs one look for a folder that is normally absent. `--help` and `--version` come this way never: click answers them
before a command is invoked.
"""

from __future__ import annotations

import os
from typing import Any

import click

from advisor.cli.privileges import keep_what_is_needed
from advisor.cli.room import check_room
from advisor.cli.talk import say


class RestoringCommand(click.Command):
    """A command that first clears up after a killed trial, sees whether there is room for it, and gives up the
    capabilities that it does not need."""

    def invoke(self, ctx: click.Context) -> Any:
        """Clear up, give up, then run the command. Raises CommandError without room."""
        roots = ctx.find_root().params
        clear_up(roots["procfs"], roots["sysfs"])
        check_room(self.name or "", ctx.params.get("jobs"))
        keep_what_is_needed(self.name or "", ctx.params, (roots["procfs"], roots["sysfs"]))
        return super().invoke(ctx)


class RestoringGroup(click.Group):
    """A group whose commands, also those of groups below it, are RestoringCommands."""

    command_class = RestoringCommand
    group_class = type


def clear_up(procfs: str, sysfs: str) -> None:
    """Restore as root on the live host, one line on stderr for each thing; else one line that says who can."""
    from advisor.trial import state

    try:
        if not state.journal_names(state.STATE_DIRECTORY):
            return
    except OSError:  # no trial ever, or nothing that this user may see
        return
    from advisor.procfs.fs import KernelFs
    from advisor.trial import journal

    if os.geteuid() == 0 and KernelFs(procfs, sysfs).is_live:
        _restore()
    elif journal.killed_trials(state.STATE_DIRECTORY):
        _say("a trial was killed and what it changed on this host is not put back; any command run as root does it")


def _restore() -> None:
    from advisor.trial import journal, state
    from advisor.trial.errors import SettingError

    try:
        done = journal.restore_left_over(state.STATE_DIRECTORY)
    except SettingError as error:
        _say(str(error))
        return
    for one in done:
        _say(f"left by a trial that was killed: {one.message}")


def _say(message: str) -> None:
    say(f"hugepage-advisor: {message}")
