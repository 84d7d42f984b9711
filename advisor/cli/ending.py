"""How a command ends: what can be expected to go wrong becomes one line on stderr and an exit code."""

from __future__ import annotations

import errno
import io
import signal
import sys
from collections.abc import Callable

import click

from advisor.cli.errors import CommandError, ExitCode
from advisor.cli.talk import say
from advisor.interrupts import all_interrupt


def exit_code(run: Callable[[], int | None]) -> int:
    """What the shell is told of this command, whose own answer is an exit code or None. Raises what is a bug."""
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)  # ignored by the parent, it would cost us our children's exit codes
    try:
        with all_interrupt():
            code = run()
            sys.stdout.flush()
        return int(code or ExitCode.DONE)
    except (click.exceptions.Abort, KeyboardInterrupt):
        say("hugepage-advisor: interrupted")
        return ExitCode.INTERRUPTED
    except click.UsageError as error:
        shown = io.StringIO()
        error.show(shown)
        say(*shown.getvalue().rstrip().split("\n"))
        return ExitCode.USAGE
    except click.ClickException as error:
        say(f"hugepage-advisor: {error.format_message()}")
        return error.code if isinstance(error, CommandError) else ExitCode.USAGE
    except OSError as error:
        unnamed = "the current folder" if error.errno == errno.ENOENT else "output"
        say(f"hugepage-advisor: {error.filename or unnamed}: {error.strerror or error}")
    except MemoryError:
        say("hugepage-advisor: there is not enough memory for this; what was written until now is kept")
    except ImportError as error:  # where memory is limited (ulimit -v), mapping a library is what fails
        say(f"hugepage-advisor: a library could not be loaded: {str(error).strip().splitlines()[-1]}")
    return ExitCode.FAILED
