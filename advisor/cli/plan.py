"""`plan`: what to change on the host, as text or as a folder of files with a script that applies them."""

from __future__ import annotations

from pathlib import Path

import click

from advisor.cli.errors import CommandError, ExitCode
from advisor.cli.report import Request as Request
from advisor.cli.report import make
from advisor.cli.talk import say
from advisor.render.numbers import plural
from advisor.render.plan_files import plan_files
from advisor.render.plan_text import render_plan
from advisor.report.plan import Artefact
from advisor.save.plan_folder import FolderRefused, write_folder


def run(request: Request, profile_path: Path | None, folder: Path | None) -> None:
    """Print the plan, or write its folder. Raises CommandError with a documented exit code."""
    report = make(request, profile_path)
    if folder is None:
        click.echo(render_plan(report), nl=False)
        return
    try:
        write_folder(folder, plan_files(report))
    except FolderRefused as refusal:
        raise CommandError(str(refusal), ExitCode.USAGE) from refusal
    say(_done(folder, report.plan.artefacts))


def _done(folder: Path, artefacts: list[Artefact]) -> str:
    """One line on what lies there now and what to do with it."""
    if not artefacts:
        return f"{folder}: nothing to apply; README.md says why"
    steps, by_hand = plural(len(artefacts), "step"), sum(artefact.by_hand for artefact in artefacts)
    if by_hand == len(artefacts):
        return f"{folder}: {steps}, all by hand; README.md says how"
    rest = f", {by_hand} of them by hand" if by_hand else ""
    return f"{folder}: {steps}{rest}; read README.md, then run apply.sh as root"
