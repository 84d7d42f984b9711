"""Dark, light and high contrast, and what the roles of `ink` look like in each."""

from __future__ import annotations

from collections.abc import Mapping

from rich.style import Style
from textual.color import Color
from textual.theme import Theme

DARK, LIGHT, CONTRAST = "advisor-dark", "advisor-light", "advisor-high-contrast"

THEMES = (
    Theme(
        name=DARK,
        primary="#5aa9e6",
        secondary="#7fc8a9",
        accent="#f2c14e",
        success="#6fcf97",
        warning="#f2c14e",
        error="#ff6b6b",
        foreground="#d7dde5",
        background="#12161c",
        surface="#171c24",
        panel="#202733",
        dark=True,
    ),
    Theme(
        name=LIGHT,
        primary="#0b5cad",
        secondary="#1d6b4f",
        accent="#8a5a00",
        success="#1b6e3c",
        warning="#8a5a00",
        error="#b3261e",
        foreground="#1b2430",
        background="#fbfcfe",
        surface="#f2f5f9",
        panel="#e3e9f1",
        dark=False,
    ),
    Theme(
        name=CONTRAST,
        primary="#00e5ff",
        secondary="#7dff7d",
        accent="#ffff00",
        success="#00ff66",
        warning="#ffff00",
        error="#ff7070",
        foreground="#ffffff",
        background="#000000",
        surface="#000000",
        panel="#262626",
        dark=True,
        text_alpha=1.0,
    ),
)

MUTED = 0.35
"""How far muted text goes towards the background; 0 at high contrast."""


def role_styles(name: str, colors: Mapping[str, str]) -> dict[str, Style]:
    """The style of each role. colors: the theme's variables."""

    def color(variable: str) -> str:
        return Color.parse(colors[variable]).hex6

    foreground, background = Color.parse(colors["foreground"]), Color.parse(colors["background"])
    muted = foreground.blend(background, 0 if name == CONTRAST else MUTED)
    plain = {
        "muted": Style(color=muted.hex6),
        "heading": Style(color=color("primary"), bold=True),
        "strong": Style(bold=True),
    }
    colored = {
        "good": "success",
        "high": "error",
        "medium": "warning",
        "low": "primary",
        "base": "warning",
        "mthp": "secondary",
        "pmd-anon": "success",
        "pmd-file": "secondary",
        "hugetlb": "primary",
        "swap": "error",
        "unseen": "foreground",
    }
    return plain | {role: Style(color=color(variable)) for role, variable in colored.items()}
