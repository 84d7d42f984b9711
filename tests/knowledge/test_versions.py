"""Versions as ranges: exact, partial, bounded, unknown."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from advisor.knowledge.versions import checked_version, fits, fits_any, in_words, known_version, parse_version

PARTS = st.lists(st.integers(0, 50), min_size=1, max_size=4)


@pytest.mark.parametrize(
    ("spec", "version", "expected"),
    [
        (">=8.0", "8.0.4", True),
        (">=8.0", "7.0.15", False),
        (">=8.0", "8.0 or later", True),
        (">=8.0", "before 8.0", False),
        (">=8.1", "8.0 or later", None),
        (">=8.0", None, None),
        (">=2.2.6,<3", "2.2", None),
        (">=2.2.6,<3", "2.3", True),
        (">=2.2.6,<3", "3", False),
        ("<2.35", "2.35", False),
        ("<2.35", "2.34", True),
        ("<14", "13", True),
        ("<14.2", "14", None),
        ("", None, True),
    ],
)
def test_a_version_fits_does_not_or_cannot_be_told(spec: str, version: str | None, expected: bool | None) -> None:
    assert fits(spec, parse_version(version) if version is not None else None) is expected


def test_alternatives_are_tried_one_by_one() -> None:
    specs = [">=1.9.6,<2", ">=2.2.6,<3", ">=3.2.6"]
    answers = {text: fits_any(specs, parse_version(text)) for text in ("1.9.6", "2.0", "2.2", "3.3", "1")}
    assert answers == {"1.9.6": True, "2.0": False, "2.2": None, "3.3": True, "1": None}
    assert fits_any([], None) is True
    assert in_words(specs) == "1.9.6 to before 2, 2.2.6 to before 3, 3.2.6 or later"


@pytest.mark.parametrize("text", ["", "x", "8.0\n", "8..0", "1.2.3.4.5", "latest", "\x1b[2J", "8.0 or earlier"])
def test_what_is_no_version_is_refused(text: str) -> None:
    assert checked_version(text) is None
    assert known_version(text) is None


def test_a_wrong_specification_is_an_error() -> None:
    with pytest.raises(ValueError, match="not a bound"):
        fits("~=2.0", None)


@given(PARTS, PARTS)
def test_exactly_one_side_of_a_bound_holds_wherever_it_can_be_told(bound: list[int], version: list[int]) -> None:
    edge, known = ".".join(map(str, bound)), parse_version(".".join(map(str, version)))
    above, below = fits(f">={edge}", known), fits(f"<{edge}", known)
    assert (above is None) == (below is None)
    assert above is None or above is not below
    if len(version) >= len(bound):
        assert above is (version >= bound)
