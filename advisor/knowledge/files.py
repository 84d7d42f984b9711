"""Reading the TOML files of this folder, strictly: an unknown key or a wrong type is an error."""

from __future__ import annotations

import tomllib
from importlib import resources
from typing import TypeVar

import msgspec

T = TypeVar("T")


class KnowledgeError(Exception):
    """A knowledge file does not have its declared shape; the message names the file and the place in it."""


def parse_knowledge(text: str, shape: type[T], name: str) -> T:
    """TOML text as `shape` (a msgspec struct that forbids unknown fields). Raises KnowledgeError."""
    try:
        return msgspec.convert(tomllib.loads(text), shape, strict=True)
    except (tomllib.TOMLDecodeError, msgspec.ValidationError) as error:
        raise KnowledgeError(f"{name}: {error}") from error


def load_knowledge(name: str, shape: type[T]) -> T:
    """The file `name` of this package as `shape`. Raises KnowledgeError."""
    text = resources.files("advisor.knowledge").joinpath(name).read_text(encoding="utf-8")
    return parse_knowledge(text, shape, name)
