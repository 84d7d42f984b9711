"""The keys at the bottom of the screen, as one line of text.

Textual's footer makes a widget for each key anew whenever the focus moves: tens of milliseconds, and the old ones are
never let go (Textual 8.2, its issue 6666).
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import ClassVar, NamedTuple

from rich.cells import cell_len
from rich.text import Text
from textual.binding import Binding
from textual.events import Click
from textual.screen import Screen
from textual.widget import Widget


class Key(NamedTuple):
    """A key in its place. begin, end: columns; the last is not its own."""

    binding: Binding
    begin: int
    end: int
    is_enabled: bool


class KeyBar(Widget):
    """Shows what keys do where the focus is, the palette on the right; a click on one presses it."""

    COMPONENT_CLASSES: ClassVar[set[str]] = {"key-bar--key", "key-bar--off"}

    DEFAULT_CSS = """
    KeyBar { dock: bottom; height: 1; color: $footer-foreground; background: $footer-background; }
    KeyBar > .key-bar--key { color: $footer-key-foreground; background: $footer-background; text-style: bold; }
    KeyBar > .key-bar--off { color: $footer-foreground 50%; background: $footer-background; }
    """

    def on_mount(self) -> None:
        self.screen.bindings_updated_signal.subscribe(self, self._changed)

    def render(self) -> Text:
        """As many keys as fit, the palette before all others."""
        key_style = self.get_component_rich_style("key-bar--key")
        off = self.get_component_rich_style("key-bar--off")
        line = Text(no_wrap=True, end="")
        for key in self._keys():
            line.append(" " * (key.begin - cell_len(line.plain)))
            line.append(f" {self.app.get_key_display(key.binding)} ", key_style if key.is_enabled else off)
            line.append(key.binding.description, "" if key.is_enabled else off)
        return line

    def on_click(self, event: Click) -> None:
        for key in self._keys():
            if key.begin <= event.x < key.end and key.is_enabled:
                self.app.simulate_key(key.binding.key)

    def _changed(self, screen: Screen[object]) -> None:
        if screen is self.screen:
            self.refresh()

    def _keys(self) -> Iterator[Key]:
        """The keys that are shown, each once, from left to right."""
        active = self.screen.active_bindings
        palette = active.get(self.app.COMMAND_PALETTE_BINDING) if self.app.ENABLE_COMMAND_PALETTE else None
        width, place = self.size.width, 0
        if palette is not None:
            width -= self._width(palette.binding)
        shown = {one.binding.action: one for one in reversed(active.values()) if one.binding.show}
        for one in reversed(shown.values()):
            end = place + self._width(one.binding)
            if end > width:
                break
            yield Key(one.binding, place, end, one.enabled)
            place = end
        if palette is not None and width >= place:
            yield Key(palette.binding, width, self.size.width, palette.enabled)

    def _width(self, binding: Binding) -> int:
        return cell_len(f" {self.app.get_key_display(binding)} {binding.description} ")
