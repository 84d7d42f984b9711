"""Settings of applications as the table of applications knows them, with this host's numbers filled in."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence

from advisor.artefacts.model import Artefact, lines, slug
from advisor.artefacts.quoting import comment, printable
from advisor.units import MIB

PLACEHOLDER = re.compile(r"\b(?:SIZE|0xBYTES|MB|PAGES|N|GID|NODE|COMMAND|PATH|NAME)\b|(?<=/node)X\b")
"""Words in the table that stand for a number or name: SIZE bytes, 0xBYTES the same in hexadecimal, MB MiB, PAGES or N
pages of the pool; the others only a person knows."""


def fill(setting: str, numbers: Mapping[str, str]) -> str:
    """The setting with the placeholders that are known replaced."""
    return PLACEHOLDER.sub(lambda match: numbers.get(match[0], match[0]), setting)


def numbers_for(size_bytes: int | None, page_bytes: int | None) -> dict[str, str]:
    """What placeholders stand for; unknown ones are left out."""
    if size_bytes is None:
        return {}
    known = {"SIZE": str(size_bytes), "0xBYTES": f"{size_bytes:#x}", "MB": str(-(-size_bytes // MIB))}
    if page_bytes:
        pages = str(-(-size_bytes // page_bytes))
        known |= {"PAGES": pages, "N": pages}
    return known


def application_settings(
    name: str, application: str, what: str, settings: Sequence[str], numbers: Mapping[str, str], *notes: str
) -> Artefact:
    """The settings of one process of a known application, for a person to put where they belong.

    name: what tells the process from others; what: what they do, for the title. Raises ValueError without settings,
    or where one is no line of text.
    """
    filled = [fill(printable(setting, "a setting"), numbers) for setting in settings]
    if not filled:
        raise ValueError(f"{application} has no settings for this")
    open_words = sorted({match[0] for setting in filled for match in PLACEHOLDER.finditer(setting)})
    replace_note = [f"Put in what only you know: {', '.join(open_words)}."] if open_words else []
    return Artefact(
        id=f"settings-{slug(name)}",
        kind="application",
        title=comment(f"{application} {name}: {what}"),
        path=None,
        text=lines(*(f"# {comment(note)}" for note in [*notes, *replace_note]), *filled),
        undo=lines("# put back the settings that were there, and restart the program"),
        by_hand=True,
    )
