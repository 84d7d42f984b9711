"""`tui`: the host on the screen, live or from a recording."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING

from advisor.cli.errors import CommandError, ExitCode
from advisor.tui.app import INTERRUPTED, AdvisorApp
from advisor.tui.hangup import end_with_terminal
from advisor.watch.child import Watcher
from advisor.watch.frames import Job

if TYPE_CHECKING:
    from advisor.watch.trial_child import Trier


def run(roots: tuple[str, str], profile: Path | None, interval_s: float | None, *, redact: bool) -> int:
    """Until somebody quits. Returns the exit code; raises CommandError where there is no terminal or no profile."""
    if not (sys.stdin.isatty() and sys.stdout.isatty()):
        raise CommandError("the interface needs a terminal; `report` prints without one", ExitCode.USAGE)
    if profile is not None and not profile.is_file():
        raise CommandError(f"{profile}: no such file", ExitCode.UNUSABLE)
    job = Job(*roots, profile=None if profile is None else str(profile), interval_s=interval_s, redact=redact)
    end_with_terminal(sys.stdin.fileno(), INTERRUPTED)

    def trial() -> Trier:
        from advisor.watch.trial_child import Trier

        return Trier(redact=redact)

    app = AdvisorApp(Watcher(job), trials=trial)
    app.run()
    return app.return_code or 0
