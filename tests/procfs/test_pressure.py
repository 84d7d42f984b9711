"""Pressure stall information."""

from __future__ import annotations

from pathlib import Path

import pytest

from advisor.procfs.errors import IncompleteError, MalformedError
from advisor.procfs.facts import Pressure, PressureLine
from advisor.procfs.pressure import parse_pressure

SOME = b"some avg10=70.24 avg60=68.52 avg300=69.91 total=3559632828\n"
FULL = b"full avg10=57.59 avg60=58.06 avg300=60.38 total=3300487258\n"


def test_both_lines_are_kept_in_percent_and_microseconds() -> None:
    assert parse_pressure(SOME + FULL) == Pressure(
        some=PressureLine(70.24, 68.52, 69.91, 3559632828),
        full=PressureLine(57.59, 58.06, 60.38, 3300487258),
    )


def test_a_line_that_the_kernel_does_not_print_is_unknown() -> None:
    assert parse_pressure(SOME).full is None
    assert parse_pressure(FULL).some is None


@pytest.mark.parametrize(
    "wrong",
    [
        b"none avg10=0.00 avg60=0.00 avg300=0.00 total=0\n",
        b"some\n",
        b"\n",
        b"some avg10=nan avg60=0.00 avg300=0.00 total=0\n",
        b"some avg10=1.00 avg60=0.00 total=0\n",
        b"some avg10=0.00 avg60=0.00 avg300=0.00 total=9223372036854775808\n",
    ],
)
def test_a_line_of_another_shape_is_malformed_and_named(wrong: bytes) -> None:
    with pytest.raises(MalformedError) as caught:
        parse_pressure(FULL + wrong)
    assert caught.value.line == 2


def test_a_total_that_may_be_cut_is_incomplete() -> None:
    with pytest.raises(IncompleteError):
        parse_pressure(SOME[:-1])


def test_every_dump_agrees_with_its_own_words(corpus: Path) -> None:
    dumps = sorted((corpus / "psi").iterdir())
    assert dumps
    for dump in dumps:
        pressure = parse_pressure(dump.read_bytes())
        for line in dump.read_text().splitlines():
            kind, *pairs = line.split()
            values = [float(pair.split("=")[1]) for pair in pairs]
            facts = getattr(pressure, kind)
            assert [facts.avg10, facts.avg60, facts.avg300, facts.total_us] == values, dump
