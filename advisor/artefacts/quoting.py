"""Words as the configuration files of other programs take them. What cannot be said in a syntax raises ValueError."""

from __future__ import annotations

import re
from xml.sax.saxutils import escape

DNS_LABEL = re.compile(r"[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?")
"""Names of Kubernetes containers and volumes (RFC 1123 label)."""


def printable(text: str, what: str) -> str:
    """A text of one line without control characters. Raises ValueError."""
    if not text or not text.isprintable():
        raise ValueError(f"{what} cannot be pasted: {text!r}")
    return text


def comment(text: str) -> str:
    """A text for the rest of a comment line: what would end the line or hide in it is shown as an escape."""
    return "".join(character if character.isprintable() else ascii(character)[1:-1] for character in text)


def systemd_word(word: str, *, command: bool) -> str:
    """A word of a unit file in double quotes: specifiers (%) and, in a command, variables ($) are said literally.

    systemd.syntax(7), "Quoting"; systemd.service(5), "Command lines". Raises ValueError for control characters.
    """
    text = "".join(character if character.isprintable() else _refuse(word) for character in word)
    text = text.replace("\\", "\\\\").replace('"', '\\"').replace("%", "%%")
    return f'"{text.replace("$", "$$") if command else text}"'


def xml_text(text: str) -> str:
    """Text between tags or in a quoted attribute."""
    return escape(printable(text, "a name"), {"'": "&apos;", '"': "&quot;"})


def xml_comment(text: str) -> str:
    """Text inside a comment, where no two hyphens may stand together."""
    return re.sub("-(?=-|$)", "- ", comment(text))


def yaml_text(text: str) -> str:
    """A YAML scalar in single quotes, in which nothing but the quote is special."""
    quote = "'"
    return f"{quote}{printable(text, 'a name').replace(quote, quote * 2)}{quote}"


def dns_label(text: str) -> str:
    """A text made fit for the name of a container: small letters, digits and hyphens, at most 63."""
    label = re.sub(r"[^a-z0-9]+", "-", text.lower()).strip("-")[:63].strip("-")
    return label if DNS_LABEL.fullmatch(label) else "app"


def _refuse(word: str) -> str:
    raise ValueError(f"not a word that a unit file can hold: {word!r}")
