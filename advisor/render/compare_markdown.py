"""Comparison as Markdown for a ticket."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from advisor.render import compare_words as words
from advisor.render.escape import code, markdown
from advisor.render.numbers import plural
from advisor.report.comparison import Comparison, ProcessSide

MOST_PROCESSES = 40
"""Groups of changed processes in the table. Source: own choice. Reason: a ticket is read, JSON is processed."""

MOST_ALONE = 20
"""Processes named that are on one side alone."""


def render_comparison_markdown(comparison: Comparison) -> str:
    """GitHub-flavoured Markdown, ending in one newline. Names from processes stand in code spans or are escaped."""
    blocks = [
        *_head(comparison),
        *_host(comparison),
        *_processes(comparison),
        *_alone("Ended", comparison.ended),
        *_alone("Appeared", comparison.appeared),
        *_unknown(comparison),
    ]
    return "\n\n".join(blocks) + "\n"


def _text(text: str) -> str:
    """Escaped, but for the arrow between two values, which is drawn."""
    return " → ".join(map(markdown, text.split(" -> ")))


def _head(comparison: Comparison) -> Iterator[str]:
    yield f"# What changed on {code(comparison.after.hostname or 'unnamed host')}"
    yield f"Before: {markdown(words.side(comparison.before))}\\\nAfter: {markdown(words.side(comparison.after))}"
    if comparison.comparable == "no":
        yield "**These two cannot be compared as before and after.**"
    if comparison.caveats:
        yield "\n".join(f"- {markdown(caveat.message)}" for caveat in comparison.caveats)
    yield f"**{_text(comparison.summary)}**"


def _host(comparison: Comparison) -> Iterator[str]:
    rows = [change for change in comparison.host if change.status == "changed"]
    if rows:
        yield "## Host"
        lines = ["| What | Before | After | Change |", "| --- | ---: | ---: | ---: |"]
        for change in rows:
            before, after = words.value(change.unit, change.before), words.value(change.unit, change.after)
            cells = (change.title, before, after, words.difference(change))
            lines.append("| " + " | ".join(map(markdown, cells)) + " |")
        yield "\n".join(lines)


def _processes(comparison: Comparison) -> Iterator[str]:
    groups = words.groups(comparison.processes)
    yield "## Processes"
    yield markdown(words.matched(comparison)[:1].upper() + words.matched(comparison)[1:]) + "."
    if groups:
        lines = ["| PID | Name | Changed | Matched |", "| ---: | --- | --- | --- |"]
        for group in groups[:MOST_PROCESSES]:
            first = group[0]
            what = "<br>".join(map(_text, words.process_lines(first)))
            name = code(words.who(first)) + (f" +{len(group) - 1}" if len(group) > 1 else "")
            lines.append(
                f"| {_text(words.pids(first))} | {name} | {what} | {words.MATCHED_WORDS[first.matched_by]} |"
            )
        yield "\n".join(lines)
    if hidden := sum(map(len, groups[MOST_PROCESSES:])):
        yield f"And {plural(hidden, 'changed process', 'changed processes')} more."
    if still := len(comparison.processes) - sum(map(len, groups)):
        yield f"{plural(still, 'process', 'processes')} without a change."


def _alone(title: str, processes: Sequence[ProcessSide]) -> Iterator[str]:
    if processes:
        yield f"## {title} ({len(processes)})"
        lines = [f"- {markdown(words.alone(process))}" for process in processes[:MOST_ALONE]]
        if len(processes) > MOST_ALONE:
            lines.append(f"- and {len(processes) - MOST_ALONE} more")
        yield "\n".join(lines)


def _unknown(comparison: Comparison) -> Iterator[str]:
    if unknown := words.unknowns(comparison):
        yield "## What cannot be told"
        yield "\n".join(f"- {markdown(text)}" for text in unknown)
