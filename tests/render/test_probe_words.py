"""What probes found, in words: nothing where nothing is known, foreign text escaped by the page."""

from __future__ import annotations

from msgspec.structs import replace

from advisor.render.markdown import render_markdown
from advisor.render.probe_words import probe_lines
from advisor.render.text import render_text
from advisor.report.process import ProbeCost, Probed
from advisor.units import MIB
from tests.render.conftest import make_report
from tests.render.processes import make_processes

COST = ProbeCost(0.42, 0.1, 0.125)
PROBED = Probed(
    features={
        "probe_touched_share_1ms": 0.12,
        "probe_touched_share_4ms": 0.13,
        "probe_touched_share_256ms": 0.95,
        "probe_density_mean": 0.98,
        "probe_fill_bytes": 3 * MIB,
        "probe_dirty_rate": 1.5 * 2**30,
        "probe_dirty_scatter": 0.37,
    },
    costs={"referenced": COST, "density": ProbeCost(0.003, 0.003, 0.0), "soft-dirty": COST},
    problems={},
)


def test_each_probe_says_what_it_found_and_what_it_cost() -> None:
    assert list(probe_lines(PROBED)) == [
        "probe referenced: of its RSS it touched 12 % within 1 ms, 95 % within 256 ms (took 420 ms, its page faults"
        " stood still for 125 ms of it)",
        "probe density: its huge page slots are 98 % full, 3 MiB would fill them (took 3 ms)",
        "probe soft-dirty: it wrote anew 1.5 GiB/s, 0.37 huge page slots for each page written (took 420 ms, its page"
        " faults stood still for 125 ms of it)",
    ]


def test_what_found_nothing_or_could_not_run_says_so() -> None:
    nothing = Probed({}, {"referenced": COST, "density": COST, "soft-dirty": COST}, {"x": "denied: no"})
    lines = list(probe_lines(nothing))
    assert all("nothing that tells" in line for line in lines[:3])
    assert lines[3] == "probe x: could not run, denied: no"
    assert list(probe_lines(None)) == []


def test_details_and_markdown_have_them() -> None:
    hostile = replace(PROBED, problems={"x": "\x1b[2J<b>"})
    first, *others = make_processes()
    report = make_report([replace(first, probes=hostile), *others])
    details = render_text(report, width=200, details=True)
    assert "its huge page slots are 98 % full" in details
    assert "\x1b[2J" not in details
    assert "98 % full" not in render_text(report, width=200)
    ticket = render_markdown(report)
    assert "- probe density: its huge page slots are 98 % full" in ticket
    assert "<b>" not in ticket
