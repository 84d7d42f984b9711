"""Fixtures of tests that use this machine's kernel."""

from __future__ import annotations

import pytest

from advisor.procfs.errors import KernelTextError
from advisor.procfs.fs import KernelFs
from advisor.procfs.text import parse_value


@pytest.fixture
def pmd_bytes() -> int:
    """Size of a THP mapped by one PMD; skips where the kernel has no THP."""
    try:
        return KernelFs().parse_sys("kernel/mm/transparent_hugepage/hpage_pmd_size", parse_value)
    except KernelTextError:
        pytest.skip("this kernel has no THP")
