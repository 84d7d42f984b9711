"""Sizes on the command line: 2G, 512M, 4096."""

from __future__ import annotations

import re

import click

UNITS = {"": 1, "K": 1 << 10, "M": 1 << 20, "G": 1 << 30, "T": 1 << 40}
"""Binary, as in the names of the page sizes."""

_SIZE = re.compile(r"([0-9]+)([KMGT]?)(?:i?B)?", re.IGNORECASE)


def parse_size(text: str) -> int | None:
    """Bytes; None for what is no size above zero."""
    match = _SIZE.fullmatch(text.strip())
    return (int(match[1]) * UNITS[match[2].upper()] or None) if match else None


def size_bytes(context: click.Context, parameter: click.Parameter, text: str | None) -> int | None:
    """Callback of an option whose value is a size: bytes. A usage error for what is no size above zero."""
    if text is None:
        return None
    size = parse_size(text)
    if size is None:
        raise click.BadParameter(f"{text!r} is no size such as 2G, 512M or 4096", context, parameter)
    return size
