"""A plan as text for a terminal: the arithmetic, then each step's text as it is pasted, and its undo."""

from __future__ import annotations

from collections.abc import Iterator

from advisor.render import plan_words
from advisor.render.escape import visible, visible_lines
from advisor.report.document import Report
from advisor.report.plan import Artefact

INDENT = "    "


def render_plan(report: Report) -> str:
    """Plain lines, ending in one newline. Texts are never wrapped, so that they can be pasted."""
    plan = report.plan
    lines = [visible(plan.summary), "", *(f"- {visible(line)}" for line in plan.arithmetic)]
    lines += [f"! {visible(risk.message)} {visible(risk.remedy)}" for risk in plan.risks]
    lines += [
        f"! {visible(plan_words.tenant(one))} loses: {visible(one.loses or '')} {visible(one.how)}"
        for one in plan_words.losers(plan)
    ]
    if not plan.artefacts:
        lines += ["", "There is nothing to apply."]
    for number, artefact in enumerate(plan.artefacts, 1):
        lines += ["", *_step(number, artefact)]
    if plan.artefacts:
        lines += ["", "As files, with a script that applies them and one that undoes it: plan -o DIR"]
    return "\n".join(lines) + "\n"


def _step(number: int, artefact: Artefact) -> Iterator[str]:
    reboot = " (needs a reboot)" if artefact.needs_reboot else ""
    yield f"{number}. {visible(artefact.title)}{reboot}"
    yield from (f"note: {visible(warning)}" for warning in artefact.warnings)
    yield f"{_place(artefact)}:"
    yield from _indented(artefact.text)
    if artefact.after:
        yield "then, as root:"
        yield from _indented("\n".join(artefact.after))
    if artefact.undo:
        yield "to undo:"
        yield from _indented(artefact.undo)


def _place(artefact: Artefact) -> str:
    if artefact.path:
        return f"content of {visible(artefact.path)}"
    return "by hand" if artefact.by_hand else "as root"


def _indented(text: str) -> Iterator[str]:
    for line in visible_lines(text).rstrip("\n").split("\n"):
        yield f"{INDENT}{line}" if line else ""
