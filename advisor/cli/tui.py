"""`tui`: the host on the screen, live or from a recording."""

from __future__ import annotations

import os
import sys
import tempfile
import traceback
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING

from advisor import __version__
from advisor.cli.errors import CommandError, ExitCode
from advisor.cli.talk import say
from advisor.render.escape import visible
from advisor.tui.app import AdvisorApp
from advisor.tui.hangup import end_with_input
from advisor.tui.keyboard import take_any_bytes
from advisor.tui.watch_app import INTERRUPTED
from advisor.watch.child import Watcher
from advisor.watch.frames import Job

if TYPE_CHECKING:
    from advisor.watch.trial_child import Trier

SHOWN_OF_FAILURE = 200
"""Characters of an exception's words that are shown; the file has all."""


def run(roots: tuple[str, str], profile: Path | None, interval_s: float | None, *, redact: bool) -> int:
    """Until somebody quits. Returns the exit code; raises CommandError where there is no terminal or no profile."""
    is_served = os.environ.get("TEXTUAL_DRIVER", "").endswith("WebDriver")
    if not (is_served or (sys.stdin.isatty() and sys.stdout.isatty())):
        raise CommandError("the interface needs a terminal; `report` prints without one", ExitCode.USAGE)
    _check(profile)
    job = Job(*roots, profile=None if profile is None else str(profile), interval_s=interval_s, redact=redact)
    take_any_bytes()
    end_with_input(sys.stdin.fileno(), INTERRUPTED)

    def trial() -> Trier:
        from advisor.watch.trial_child import Trier

        return Trier(redact=redact)

    return show(AdvisorApp(Watcher(job), trials=trial))


def serve(
    roots: tuple[str, str], profile: Path | None, interval_s: float | None, host: str, port: int, *, redact: bool
) -> int:
    """The same in browsers, until Ctrl-C."""
    from advisor.cli import web

    _check(profile)
    options = [*([] if interval_s is None else [f"--interval={interval_s}"]), *([] if redact else ["--no-redact"])]
    shown = [] if profile is None else ["--", str(profile)]
    return web.serve([f"--procfs={roots[0]}", f"--sysfs={roots[1]}", "tui", *options, *shown], host, port)


def _check(profile: Path | None) -> None:
    if profile is not None and not profile.is_file():
        raise CommandError(f"{profile}: no such file", ExitCode.UNUSABLE)


def show(app: AdvisorApp) -> int:
    """Run it. Raises CommandError where a bug ended it: by then the terminal is as it was."""
    app.run()
    if isinstance(app.failure, BrokenPipeError):  # the server of the page: nobody looks any more
        return INTERRUPTED
    if app.failure is not None:
        raise CommandError(_report(app.failure), ExitCode.FAILED)
    return app.return_code or 0


def _report(failure: Exception) -> str:
    """One line; the traceback goes into a file that only this user may read: names of processes may be in it."""
    said = visible(f"{type(failure).__name__}: {failure}")[:SHOWN_OF_FAILURE]
    versions = f"hugepage-advisor {__version__}, textual {version('textual')}, Python {sys.version}\n"
    text = versions + "".join(traceback.format_exception(failure))
    try:
        descriptor, path = tempfile.mkstemp(prefix="hugepage-advisor-", suffix=".txt")
        with os.fdopen(descriptor, "w", errors="backslashreplace") as file:
            file.write(text)
    except OSError:
        say(*text.splitlines())
        return f"a bug ended the interface: {said}. Please report it with the traceback above"
    return f"a bug ended the interface: {said}. Please report it with the traceback in {path}"
