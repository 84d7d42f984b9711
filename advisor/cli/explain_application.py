"""What is known of an application, as a page of text: recognition, pools, the makers' word on THP, sources."""

from __future__ import annotations

import textwrap
from collections.abc import Iterable, Iterator

from advisor.knowledge.applications import STANCES, Application, Detector, Word, show_source

WIDTH = 100
"""Columns of the page. Source: own choice. Reason: fits terminals in use; settings are never broken."""

LABEL = 16
"""Columns of the labels at the left."""


def explain_application(entry: Application) -> str:
    """The whole page, ending without a newline."""
    return "\n".join(
        [
            f"{'part of programs' if entry.part else 'application'} {entry.id}: {entry.name}",
            "",
            *_field("kind", entry.kind),
            *_recognition(entry),
            *_versions(entry),
            "",
            "Explicit pool (hugetlb)",
            *_pool(entry),
            "",
            "Transparent huge pages, as its makers say or as it does by itself",
            *_words(entry),
            *(["", *_wrapped(entry.notes, "")] if entry.notes else []),
            *_sources(entry),
            "",
            "Sources were read, except those marked as not verified: these are from memory, hypotheses.",
        ]
    )


def _recognition(entry: Application) -> Iterator[str]:
    ways = [
        ("executable", entry.executables),
        ("executable, if a version is found in the file", entry.shared_executables),
        ("process name", entry.names),
        ("mapped library", entry.libraries),
        ("symbol of the executable", entry.symbols),
        ("and path of the executable", [entry.executable_path] if entry.executable_path else []),
        ("and argument", entry.command_line),
        ("and mapped library", [one for one in entry.libraries_required if one not in entry.libraries]),
    ]
    label = "recognised by"
    for way, patterns in ways:
        if patterns:
            yield from _field(label, f"{way.removeprefix('and ') if label else way}: {', '.join(patterns)}")
            label = ""
    if entry.instead_of:
        yield from _field("", f"then it is not taken for {', '.join(entry.instead_of)}")


def _versions(entry: Application) -> Iterator[str]:
    if entry.version_of is not None:
        yield from _field("version", f"that of {entry.version_of}")
    elif entry.detect:
        yield from _field("version", f"seen in {'; '.join(dict.fromkeys(_place(one) for one in entry.detect))}")
    else:
        yield from _field("version", "not looked for")


def _place(detector: Detector) -> str:
    file = detector.library or "the executable"
    if detector.path is not None:
        return f"the path of {file}"
    return f"{detector.beside} beside {file}" if detector.beside is not None else f"the data of {file}"


def _pool(entry: Application) -> Iterator[str]:
    if entry.explicit:
        sizes = {"any": "any size of the host", "default": "the host's default size only"}
        yield from _field("  uses", f"yes, {', '.join(sizes.get(one, one) for one in entry.explicit_sizes)}")
        yield from _field("  for", entry.explicit_memory)
    else:
        yield from _field("  uses", f"no{f' ({entry.explicit_memory})' if entry.explicit_memory else ''}")
    yield from _lines("  2M", entry.settings_2m)
    yield from _lines("  1G", entry.settings_1g)
    yield from _field("  pages needed", entry.pool_size)
    yield from _field("  if too few", entry.if_pool_short)
    if entry.pool_advised:
        yield from _field("  advised", "its makers recommend the pool for its large memory")
    if entry.pool_unasked:
        yield from _field("  unasked", f"takes pages of any pool it finds; to keep it away: {entry.pool_refusal}")


def _words(entry: Application) -> Iterator[str]:
    is_only = len(entry.thp) == 1
    for word in entry.thp:
        yield from _field(f"  {word.stance}", STANCES[word.stance], label=LABEL + 4)
        yield from _wrapped(_about(word, is_only), "    ")
        for setting in word.settings:
            yield f"    - {setting}"
        yield from _wrapped(f"source: {word.source}", "    ")


def _about(word: Word, is_only: bool) -> str:
    about = word.about or ("" if is_only else "otherwise")
    return f"{about}: {word.says}" if about else word.says


def _sources(entry: Application) -> Iterator[str]:
    if not entry.sources:
        return
    yield from ("", "Sources of the rest")
    for source in entry.sources:
        yield from _wrapped(
            f"- {show_source(source.where, source.date, source.verified)}: {source.claim}", "  ", "    "
        )


def _field(name: str, value: str | None, label: int = LABEL) -> Iterator[str]:
    if value:
        yield from _wrapped(value, f"{name:{label}}", " " * label)


def _lines(name: str, settings: Iterable[str]) -> Iterator[str]:
    """Settings as they are pasted, one a line, unbroken."""
    for number, setting in enumerate(settings):
        yield f"{'' if number else name:{LABEL}}{setting}"


def _wrapped(text: str, first: str, rest: str | None = None) -> list[str]:
    return textwrap.wrap(
        text,
        WIDTH,
        initial_indent=first,
        subsequent_indent=first if rest is None else rest,
        break_long_words=False,
        break_on_hyphens=False,
    )
