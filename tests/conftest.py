"""Fixtures shared by all tests."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from pathlib import Path
from unittest import mock

import pytest
from hypothesis import settings

settings.register_profile("suite", deadline=None, max_examples=60)
"""No example fails for being slow: CPUs are shared. Tests that need more examples, or can do with fewer, say so."""
settings.load_profile("suite")


@pytest.fixture(scope="session", autouse=True)
def kept_capabilities() -> Iterator[None]:
    """A command that runs inside the tests' own process gives up nothing: the tests after it are root, too."""
    with mock.patch("advisor.cli.left_over.keep_what_is_needed"):
        yield


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


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--update-golden", action="store_true", help="write golden files anew, to be looked at")


@pytest.fixture
def golden(request: pytest.FixtureRequest) -> Callable[[str, str], None]:
    """Compare text with a file in the folder `golden` beside the test, or write it with --update-golden."""
    folder = request.path.parent / "golden"

    def check(name: str, text: str) -> None:
        path = folder / name
        if request.config.getoption("--update-golden"):
            path.parent.mkdir(exist_ok=True)
            path.write_text(text, encoding="utf-8")
        assert path.exists() and text == path.read_text(encoding="utf-8"), (
            f"{path.parent.parent.name}/golden/{name} differs: see CONTRIBUTING.md, Golden files"
        )

    return check
