"""Fixtures shared by all tests."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from hypothesis import settings

settings.register_profile("suite", deadline=None, max_examples=60)
"""No example fails for being slow: CPUs are shared. Tests that need more examples, or can do with fewer, say so."""
settings.load_profile("suite")

CORPUS_ENV = "HUGEPAGE_ADVISOR_CORPUS"
"""Folder with real /proc dumps from many kernels; without it the folder `shared/corpus` beside the checkout."""


@pytest.fixture(scope="session")
def corpus() -> Path:
    """The folder of real dumps; tests that need it are skipped where it is absent."""
    default = Path(__file__).resolve().parents[2] / "shared" / "corpus"
    folder = Path(os.environ.get(CORPUS_ENV, default))
    if not folder.is_dir():
        pytest.skip(f"no corpus of kernel dumps at {folder}")
    return folder
