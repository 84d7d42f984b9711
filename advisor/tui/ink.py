"""Text for the screen: foreign strings made inert, styles by the role that a text plays."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from rich.console import RenderableType
from rich.style import StyleType
from rich.table import Table
from rich.text import Text

from advisor.render.escape import visible, visible_lines

ROLES = (
    "heading",
    "muted",
    "strong",
    "high",
    "medium",
    "low",
    "good",
    "base",
    "mthp",
    "pmd-anon",
    "pmd-file",
    "hugetlb",
    "swap",
    "unseen",
)
"""What a text can be. The kinds of backing at the end have a mark of their own besides: colour alone says nothing."""

LABEL = 12
"""Columns of the labels of `Ink.facts`, the gap not counted. Reason: the longest is "page tables"."""

Facts = Iterable[tuple[str, str | Text | None]]


class Ink:
    """Makes rich Text. Whatever comes in is shown as it is spelt: no markup, no control character, no link.

    styles: the style of each role; a role without one is plain, so that without styles nothing is lost but colour.
    """

    def __init__(self, styles: Mapping[str, StyleType] | None = None) -> None:
        self._styles = dict(styles or {})

    def style(self, role: str) -> StyleType:
        """The style of a role; of none where it has none."""
        return self._styles.get(role, "")

    def text(self, text: str, role: str = "") -> Text:
        """One paragraph."""
        return Text(visible(text), self.style(role))

    def lines(self, text: str, role: str = "") -> Text:
        """Text whose line feeds count; long lines are folded, none is cut."""
        return Text(visible_lines(text.rstrip("\n")), self.style(role), overflow="fold")

    def join(self, *parts: str | Text | tuple[str, str]) -> Text:
        """Parts side by side: plain, ready, or (text, role)."""
        whole = Text()
        for part in parts:
            whole.append_text(part if isinstance(part, Text) else self._part(part))
        return whole

    def heading(self, title: str) -> Text:
        return self.text(title, "heading")

    def facts(self, facts: Facts) -> Table:
        """Labels with what they say; those that say nothing are left out."""
        table = Table.grid(padding=(0, 2, 0, 0), expand=True)
        table.add_column(width=LABEL, no_wrap=True)
        table.add_column(ratio=1, overflow="fold")
        for label, said in facts:
            if said:
                table.add_row(self.text(label, "muted"), said if isinstance(said, Text) else self.text(said))
        return table

    def hanging(self, bullet: Text, *lines: RenderableType, width: int) -> Table:
        """Lines that hang `width` columns in, the first after its bullet."""
        table = Table.grid(padding=(0, 1, 0, 0), expand=True)
        table.add_column(width=width, no_wrap=True)
        table.add_column(ratio=1, overflow="fold")
        for number, line in enumerate(lines):
            table.add_row(bullet if number == 0 else "", line)
        return table

    def _part(self, part: str | tuple[str, str]) -> Text:
        return self.text(part) if isinstance(part, str) else self.text(*part)
