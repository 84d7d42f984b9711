"""Text in the read-only data of ELF files: found wherever it lies, within bounds, and no more than that."""

from __future__ import annotations

import io
import re
from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from advisor.procfs import elf_text
from advisor.procfs.elf_text import TextFound, search_elf_text
from advisor.procfs.errors import MalformedError
from tests.procfs.elf_files import ET_EXEC, make_elf

NUMBER = re.compile(rb"version ([0-9.]+)\0")


def elf(data: bytes, section: str = ".rodata") -> bytes:
    return make_elf(elf_type=ET_EXEC, sections=((section, data),))


def search(data: bytes, pattern: re.Pattern[bytes] = NUMBER, **how: object) -> TextFound:
    return search_elf_text(io.BytesIO(data), "/opt/program", pattern, **how)  # type: ignore[arg-type]


def test_the_group_of_the_first_match_is_found() -> None:
    assert search(elf(b"x\0version 7.0.15\0version 9\0")) == TextFound(["7.0.15"], True)


def test_all_matches_are_found_each_once_where_all_are_asked_for() -> None:
    data = elf(b"version 2.8\0version 7.0\0version 2.8\0")
    assert search(data, every=True) == TextFound(["2.8", "7.0"], True)


def test_nothing_found_is_said_to_be_after_a_whole_search() -> None:
    assert search(elf(b"nothing here")) == TextFound([], True)


def test_other_sections_are_searched_only_where_they_are_named() -> None:
    data = elf(b"version 1.21.4\0", ".go.buildinfo")
    assert search(data, sections=[".go.buildinfo"]).texts == ["1.21.4"]
    assert search(elf(b"version 1\0"), sections=[".go.buildinfo"]) == TextFound([], True)


def test_a_file_without_sections_is_searched_where_it_is_loaded_read_only() -> None:
    data = make_elf(elf_type=ET_EXEC, interpreter="version 3.1")
    assert search(data).texts == ["3.1"]


@pytest.mark.parametrize("offset", [0, 1, 40, 63, 64, 65, 100, 127, 128, 190])
def test_a_text_across_the_edge_of_two_pieces_is_found(monkeypatch: pytest.MonkeyPatch, offset: int) -> None:
    monkeypatch.setattr(elf_text, "PIECE_BYTES", 64)
    monkeypatch.setattr(elf_text, "OVERLAP_BYTES", 32)
    assert search(elf(b"\1" * offset + b"version 7.0.15\0" + b"\1" * 100)).texts == ["7.0.15"]


def test_beyond_the_bound_nothing_is_searched_and_that_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(elf_text, "MAX_SEARCH_BYTES", 100)
    assert search(elf(b"\1" * 200 + b"version 7\0")) == TextFound([], False)


@given(st.binary(max_size=400))
def test_any_bytes_are_searched_or_refused(data: bytes) -> None:
    with suppress(MalformedError):
        search(data)


@given(st.integers(0, 1200), st.binary(min_size=1, max_size=4))
def test_a_damaged_file_is_searched_or_refused(position: int, damage: bytes) -> None:
    good = bytearray(elf(b"version 7.0.15\0"))
    good[position : position + len(damage)] = damage
    with suppress(MalformedError):
        search(bytes(good))
