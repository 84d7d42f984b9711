"""Foreign text made harmless: what a process calls itself must not move the cursor, colour, link or mention."""

from __future__ import annotations

import re
import unicodedata

INVISIBLE_CATEGORIES = frozenset({"Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"})
"""Unicode general categories shown as escapes: controls (C0, C1), formats (bidi overrides, zero width, tags),
surrogates, private use, unassigned, line and paragraph separators."""

VARIATION_SELECTORS = frozenset(map(chr, (*range(0xFE00, 0xFE10), *range(0xE0100, 0xE01F0), *range(0x180B, 0x1810))))
"""Marks that only change how the character before them is drawn; terminals do not agree on how wide it is then."""

INVISIBLE_LETTERS = frozenset("\u115f\u1160\u3164\uffa0\u2800\u034f\u17b4\u17b5") | VARIATION_SELECTORS
"""Characters that show nothing although Unicode calls them letters, symbols or marks: Hangul fillers, blank Braille,
combining grapheme joiner, inherent vowels of Khmer. Source: Default_Ignorable_Code_Point of Unicode, and Braille."""

SHORT_ESCAPES = {"\t": r"\t", "\n": r"\n", "\r": r"\r"}
"""Controls that have a well known short form."""

FORMULA_STARTS = tuple("=+-@\uff1d\uff0b\uff0d\uff20")
"""What makes a spreadsheet take a cell for a formula. Source: OWASP, CSV Injection. Reason for the wide forms: Excel
in Japanese and Chinese takes them for the others."""

_MARKDOWN_SPECIAL = re.compile(r"[\\`*\[\]<>|~&@$!#]")
_MARKDOWN_UNDERSCORE = re.compile(r"(?<![^\W_])_|_(?![^\W_])")
_MARKDOWN_LINE_START = re.compile(r"^(\s*)([-+=]|\d+(?=[.)](?:\s|$)))")
_AUTOLINK = re.compile(r"(?i)(https?|ftp|mailto|xmpp):|(www)\.")
_CODE_SPECIAL = re.compile(r"[`|]")
_FENCE = re.compile(r"`{3,}")
_CELL_IN_CELL = re.compile(rf";(?=[\s\"']*[{re.escape(''.join(FORMULA_STARTS))}])")
_SAFE_URL = re.compile(r"https://[A-Za-z0-9.-]+(?:/[A-Za-z0-9._~/?#=&%+-]*)?")


def visible(text: str) -> str:
    """`text` on one line with each character that cannot be seen as an escape: ESC is `\\x1b`, RLO is `\\u202e`."""
    if text.isascii() and text.isprintable():
        return text
    return "".join(map(_visible_character, text))


def visible_lines(text: str) -> str:
    """Like `visible`, but line feeds stay: for text of several lines."""
    return "\n".join(map(visible, text.split("\n")))


def csv_cell(text: str) -> str:
    """`text` as a cell of a CSV file: visible, and where a spreadsheet would work it out, an apostrophe before it.

    So behind a semicolon, too: where the comma is the decimal mark, spreadsheets take cells apart at it.
    """
    text = _CELL_IN_CELL.sub(lambda match: _escape(match[0]), visible(text))
    return f"'{text}" if text.lstrip().startswith(FORMULA_STARTS) else text


def _visible_character(character: str) -> str:
    if character == " ":
        return character
    if unicodedata.category(character) in INVISIBLE_CATEGORIES or character in INVISIBLE_LETTERS:
        return _escape(character)
    return character


def _escape(character: str) -> str:
    code = ord(character)
    if character in SHORT_ESCAPES:
        return SHORT_ESCAPES[character]
    if code <= 0xFF:
        return f"\\x{code:02x}"
    return f"\\u{code:04x}" if code <= 0xFFFF else f"\\U{code:08x}"


def markdown(text: str) -> str:
    """`text` as prose in Markdown, also inside a table cell: no markup, HTML, link, mention or reference is left."""
    text = visible(text)
    text = _MARKDOWN_SPECIAL.sub(_markdown_escape, text)
    text = _MARKDOWN_UNDERSCORE.sub(r"\\_", text)
    text = _MARKDOWN_LINE_START.sub(r"\1\\\2" if not text.lstrip()[:1].isdigit() else r"\1\2\\", text)
    return _AUTOLINK.sub(lambda match: f"{match[1]}&#58;" if match[1] else f"{match[2]}&#46;", text)


def _markdown_escape(match: re.Match[str]) -> str:
    """By character reference where a backslash is not enough: `\\@name` still notifies somebody."""
    return f"&#{ord(match[0])};" if match[0] in "<>&@#" else f"\\{match[0]}"


def code(text: str) -> str:
    """`text` as a Markdown code span, also inside a table cell; backticks and pipes in it become escapes."""
    shown = _CODE_SPECIAL.sub(lambda match: _escape(match[0]), visible(text)).strip()
    return f"`{shown}`" if shown else "` `"


def fenced(text: str, language: str = "") -> str:
    """`text` as a fenced code block; the fence is longer than any in it."""
    text = visible_lines(text).rstrip("\n")
    longest = max((len(run) for run in _FENCE.findall(text)), default=2)
    fence = "`" * (longest + 1)
    return f"{fence}{language}\n{text}\n{fence}"


def link(text: str) -> str:
    """A plain https address as a Markdown autolink; anything else as prose."""
    return f"<{text}>" if _SAFE_URL.fullmatch(text) else markdown(text)
