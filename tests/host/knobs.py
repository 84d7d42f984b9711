"""Kernel settings changed for a test and put back whatever happens."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

THP = Path("/sys/kernel/mm/transparent_hugepage")
POOLS = Path("/sys/kernel/mm/hugepages")


@contextmanager
def setting(path: Path, value: str) -> Iterator[None]:
    """`path` holds `value` inside the block; skips where it cannot be written."""
    if os.geteuid() != 0 or not os.access(path, os.W_OK):
        pytest.skip(f"{path} cannot be written here")
    before = current(path)
    path.write_text(value)
    try:
        yield
    finally:
        path.write_text(before)


def current(path: Path) -> str:
    """What to write to restore the file: the bracketed choice, or the whole value."""
    text = path.read_text().strip()
    return text.partition("[")[2].partition("]")[0] or text


@contextmanager
def pool(page_kib: int, pages: int) -> Iterator[None]:
    """At least `pages` unused huge pages of this size; skips where the kernel cannot find them."""
    folder = POOLS / f"hugepages-{page_kib}kB"
    if not folder.is_dir():
        pytest.skip(f"this kernel has no {page_kib} KiB pages")
    before = int((folder / "nr_hugepages").read_text())
    with setting(folder / "nr_hugepages", str(before + pages)):
        if int((folder / "nr_hugepages").read_text()) < before + pages:
            pytest.skip(f"no room for {pages} pages of {page_kib} KiB")
        yield
