"""The texts that carry the advice out: which, where they go, what they say, how they are undone."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from rich.console import Group, RenderableType
from rich.text import Text

from advisor.render.plan_files import steps_of
from advisor.report.plan import Artefact, HostPlan
from advisor.report.process import ProcessEntry
from advisor.tui.ink import Ink


class Paste(NamedTuple):
    """One artefact of a process. file_name: what it is called where plans are written as files."""

    artefact: Artefact
    file_name: str


def pastes_of(process: ProcessEntry, plan: HostPlan) -> list[Paste]:
    """The process's artefacts in the order of applying, with those of its line in the plan."""
    wanted = set(process.recommendation.artefacts)
    wanted.update(one for tenant in plan.tenants if process.pid in tenant.pids for one in tenant.artefacts)
    return [Paste(step.artefact, step.name) for step in steps_of(plan.artefacts) if step.artefact.id in wanted]


def entry(ink: Ink, paste: Paste) -> Text:
    """One line of the list; plain, as the highlighted one has the list's own colours."""
    artefact = paste.artefact
    goes_to = f" -> {artefact.path}" if artefact.path else ""
    return ink.text(f"{artefact.title}{goes_to}{' (needs a reboot)' if artefact.needs_reboot else ''}")


def text(ink: Ink, paste: Paste) -> RenderableType:
    """The text as it is pasted, after what must be known first, before how it is undone."""
    artefact = paste.artefact
    parts: list[RenderableType] = [ink.text(warning, "medium") for warning in artefact.warnings]
    parts += [ink.text(line, "muted") for line in _where(artefact)]
    parts += ["", ink.lines(artefact.text)]
    parts += _commands(ink, "Then", artefact.after)
    if undo := undo_text(artefact):
        parts += _commands(ink, "To undo", [undo])
    return Group(*parts)


def undo_text(artefact: Artefact) -> str:
    """What undoes it, as it is pasted; empty where nothing is said."""
    lines = (*artefact.undo_before, artefact.undo or "", *artefact.undo_after)
    return "".join(f"{line.rstrip()}\n" for line in lines if line.strip())


def nothing(ink: Ink, process: ProcessEntry) -> Text:
    """Why there is no text."""
    if process.recommendation.changes:
        return ink.text("No text carries this advice out: the program itself has to change. See Advice.", "muted")
    return ink.text("Nothing to apply: nothing should change for this process.", "muted")


def _where(artefact: Artefact) -> list[str]:
    lines = []
    if artefact.by_hand:
        lines.append("By hand: it belongs into a file or a command line that only you know.")
    elif artefact.path:
        lines.append(f"Content of {artefact.path}:")
    else:
        lines.append("Commands, as root:")
    if artefact.needs_reboot:
        lines.append("In force after a reboot.")
    if artefact.restart:
        lines.append(f"Restart {artefact.restart} when it suits.")
    return lines


def _commands(ink: Ink, title: str, commands: Sequence[str]) -> list[RenderableType]:
    return ["", ink.heading(title), *map(ink.lines, commands)] if commands else []
