"""What a command tells the shell when it ends, and the one line on stderr that goes with it."""

from __future__ import annotations

from enum import IntEnum

import click


class ExitCode(IntEnum):
    """What the shell is told."""

    DONE = 0
    """The command did what was asked; limitations, if any, are in its output."""

    FAILED = 1
    """Something unexpected: a bug, or the output could not be written."""

    USAGE = 2
    """The command line is wrong (click's own code)."""

    TARGET = 3
    """A process named with --pid is gone, or access to it was denied."""

    UNUSABLE = 4
    """The profile (or captured tree) holds nothing that can be used."""

    SOME_FAILED = 5
    """Some inputs of a batch could not be read; what came of the others is complete."""

    CHANGE_ADVISED = 10
    """With --check: something should change."""

    ABSTAINED = 11
    """With --check: nothing is advised, but of a process too little is known for a change to be proposed."""

    INTERRUPTED = 130
    """Ctrl-C, SIGTERM or SIGHUP; what was gathered is kept, and a report is of what was seen until then."""


NO_PROC = "neither a process nor meminfo can be read; is this a /proc?"
"""Said of the folder that was to be one."""


class CommandError(click.ClickException):
    """One clear line on stderr and a documented exit code."""

    def __init__(self, message: str, code: ExitCode) -> None:
        super().__init__(message)
        self.code = code
