"""The page to read before a plan's scripts are run: order, reboot, arithmetic, what is left to a person, undo."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from advisor.render import plan_words
from advisor.render.escape import code, fenced, markdown
from advisor.render.languages import language_of
from advisor.render.numbers import plural
from advisor.report.document import Report
from advisor.report.plan import Artefact

NamedStep = tuple[str, str, Artefact]
"""Number as text, file name, artefact."""


def plan_page(report: Report, steps: Sequence[NamedStep]) -> str:
    """GitHub-flavoured Markdown, ending in one newline."""
    by_hand = [step for step in steps if step[2].by_hand]
    scripted = [step for step in steps if not step[2].by_hand]
    blocks = [
        *_head(report, scripted, by_hand),
        *_risks(report),
        *_losers(report),
        *_order(steps),
        *_arithmetic(report),
        *_conflicts(steps),
        *_by_hand(by_hand),
        *_undo(scripted, by_hand),
        *_warnings(report),
    ]
    return "\n\n".join(blocks) + "\n"


def _head(report: Report, scripted: Sequence[NamedStep], by_hand: Sequence[NamedStep]) -> Iterator[str]:
    yield f"# Huge page plan for {code(report.host.hostname or 'unnamed host')}"
    yield f"**{markdown(report.plan.summary)}**"
    made = f"{markdown(report.tool.name)} {markdown(report.tool.version)}, {markdown(report.generated_at)}"
    yield f"Made by {made}. Nothing has been changed yet."
    if not scripted and not by_hand:
        yield "There is nothing to apply."
        return
    lines = ["1. Read this page and the files."]
    if scripted:
        lines.append("2. As root: `./apply.sh`. It does the steps in order and stops where one fails.")
    if any(artefact.needs_reboot for _, _, artefact in scripted):
        lines.append("3. Reboot.")
    if by_hand:
        lines.append(f"{len(lines) + 1}. Do {plural(len(by_hand), 'step')} by hand, see below.")
    yield "\n".join(lines)


def _risks(report: Report) -> Iterator[str]:
    if report.plan.risks:
        yield "## Before you apply it"
        yield "\n".join(
            f"- **{risk.severity}**: {markdown(risk.message)} {markdown(risk.remedy)}" for risk in report.plan.risks
        )


def _losers(report: Report) -> Iterator[str]:
    losers = plan_words.losers(report.plan)
    if losers:
        yield "## Who loses"
        yield "\n".join(
            f"- {code(one.name)} (pid {plan_words.named_pids(one)}): {markdown(one.loses or '')} {markdown(one.how)}"
            for one in losers
        )


def _order(steps: Sequence[NamedStep]) -> Iterator[str]:
    if not steps:
        return
    yield "## Steps, in this order"
    lines = ["| | What | File | Goes to | Needs |", "| --- | --- | --- | --- | --- |"]
    for key, name, artefact in steps:
        cells = (str(int(key)), markdown(artefact.title), code(name), _goes_to(artefact), _needs(artefact))
        lines.append(f"| {' | '.join(cells)} |")
    yield "\n".join(lines)


def _goes_to(artefact: Artefact) -> str:
    if artefact.path:
        return code(artefact.path)
    return "where you decide" if artefact.by_hand else "run once"


def _needs(artefact: Artefact) -> str:
    if artefact.restart:
        return f"a restart of {code(artefact.restart)}"
    return "a reboot" if artefact.needs_reboot else ""


def _conflicts(steps: Sequence[NamedStep]) -> Iterator[str]:
    said = [f"- Step {int(key)}: {markdown(warning)}" for key, _, artefact in steps for warning in artefact.warnings]
    if said:
        yield "## What else on this host sets the same"
        yield "\n".join(said)


def _arithmetic(report: Report) -> Iterator[str]:
    yield "## The arithmetic"
    yield "\n".join(f"- {markdown(line)}" for line in report.plan.arithmetic)


def _by_hand(steps: Sequence[NamedStep]) -> Iterator[str]:
    if not steps:
        return
    yield "## By hand"
    yield (
        "These go into files or command lines that only you know. Do them after `apply.sh`, and after the reboot "
        "where there is one, so that the pages are there when the program asks for them."
    )
    for key, name, artefact in steps:
        yield f"### {int(key)}. {markdown(artefact.title)}"
        yield f"{code(name)}:"
        yield fenced(artefact.text, language_of(artefact.kind))
        if artefact.undo:
            yield "To undo:"
            yield fenced(artefact.undo, "sh")


def _undo(scripted: Sequence[NamedStep], by_hand: Sequence[NamedStep]) -> Iterator[str]:
    if not scripted:
        return
    yield "## To undo"
    first = "First undo what you did by hand, so that nobody holds pages of a pool that shrinks. Then, as"
    yield (
        f"{first if by_hand else 'As'} root: `./undo.sh`. It puts back every file and every value that `apply.sh` "
        "found, which it keeps in `before/`: do not delete this folder as long as you may want to go back."
    )


def _warnings(report: Report) -> Iterator[str]:
    if not report.limitations:
        return
    yield "## What the plan could not know"
    yield "\n".join(
        f"- {markdown(one.message)}{' ' + markdown(one.remedy) if one.remedy else ''}" for one in report.limitations
    )
