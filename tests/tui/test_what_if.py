"""What if: policies, mode and pools that somebody wants, asked of the source and shown beside the advice."""

from __future__ import annotations

from io import StringIO

import pytest
from msgspec.structs import replace
from rich.console import Console, RenderableType
from textual.pilot import Pilot
from textual.widgets import OptionList

from advisor.report.document import Report
from advisor.report.plan import PlanAsked, PlanPool, PlanRisk, PlanTenant, PoolTerm
from advisor.tui.app import AdvisorApp
from advisor.tui.columns import COLUMNS
from advisor.tui.ink import Ink
from advisor.tui.knobs import Knobs
from advisor.tui.policy_screen import PolicyScreen, known, known_of_all
from advisor.tui.table import ProcessTable
from advisor.tui.what_if import (
    NOTHING,
    Policy,
    in_words,
    policies,
    pool_sizes,
    wanted_policy,
    with_mode,
    with_policy,
    with_pool,
    without,
)
from advisor.tui.what_if_screen import WhatIfScreen
from advisor.tui.what_if_words import comparison, lines
from advisor.units import GIB
from advisor.watch.frames import WantedPolicy, WantedPool, WhatIf
from tests.render.conftest import make_report
from tests.tui.fake import FakeSource, play, said, screen_text, settled

PMD = 2 << 20


@pytest.fixture
def report() -> Report:
    return make_report()


def chosen(report: Report, what_if: WhatIf) -> Report:
    """The answer of a host that grants modes and pools, with a loser and a risk."""
    thp = replace(report.plan.thp, enabled=what_if.thp_enabled or report.plan.thp.enabled, changed=["enabled"])
    pools = [
        PlanPool(one.page_bytes, None, one.pages, "boot", [], 0, 0, [PoolTerm("asked", one.pages, None, None)])
        for one in what_if.pools
    ]
    asked = [PlanAsked("pool", "5 pages of 64 KiB in all", False, "no such [bold]pool\x1b[31m")]
    risk = PlanRisk("little-memory-left", "high", "Little is left.", "Ask for less.")
    loser = PlanTenant(
        [7], "red\x1bis", None, "thp", None, False, None, "No mode.", "Huge pages for 1 GiB.", False, []
    )
    plan = replace(report.plan, thp=thp, pools=pools, asked_for=asked, risks=[risk], tenants=[loser])
    return replace(report, plan=plan)


def shown(said: RenderableType, width: int) -> str:
    """As plain text of this width."""
    console = Console(width=width, file=StringIO(), color_system=None)
    console.print(said)
    assert isinstance(console.file, StringIO)
    return console.file.getvalue()


def source_of(report: Report, length: int | None = None) -> FakeSource:
    source = FakeSource(report, length)
    source.answer = lambda what_if: chosen(report, what_if)
    return source


def test_wishes_are_put_together_and_taken_back_one_by_one(report: Report) -> None:
    first, second = report.processes[:2]
    one = with_policy(NOTHING, [first, second], Policy("thp-off"))
    assert [wish.pid for wish in one.policies] == [first.pid, second.pid]
    assert {wish.start_ticks for wish in one.policies} == {first.start_ticks, second.start_ticks}
    other = with_policy(one, [second], Policy("hugetlb", PMD))
    assert wanted_policy(other, second) == Policy("hugetlb", PMD)
    assert wanted_policy(other, replace(second, start_ticks=1)) is None, "another process with its pid"
    assert without(other, other.policies[0]).policies == other.policies[1:]
    assert with_policy(other, [first, second], None) == NOTHING
    pools = with_pool(with_pool(with_mode(NOTHING, "never"), GIB, 4), PMD, 512)
    assert pools == WhatIf((), "never", (WantedPool(PMD, 512), WantedPool(GIB, 4)))
    assert with_mode(with_pool(with_pool(pools, GIB, None), PMD, None), None) == NOTHING
    assert with_pool(NOTHING, PMD, -3).pools[0].pages == 0


def test_the_top_says_that_it_is_no_advice_and_how_to_take_it_back() -> None:
    assert in_words(NOTHING, waiting=False) == ""
    assert in_words(WhatIf((), "never"), waiting=False) == "WHAT IF, 1 wish: H takes back"
    assert in_words(WhatIf((), "never", (WantedPool(PMD, 1),)), waiting=True) == "WHAT IF, 2 wishes: H takes back ..."
    assert in_words(NOTHING, waiting=True) == "what if: taken back ..."


def test_every_choice_says_what_is_known_of_it(report: Report) -> None:
    for process in report.processes:
        for choice in policies(report.host):
            assert known(process, choice)
        advised = process.recommendation
        assert known(process, Policy(advised.policy, advised.page_bytes)).startswith("advised")
        for other in advised.alternatives:
            assert other.why_not in known(process, Policy(other.policy, other.page_bytes))
    assert known_of_all(report.processes, Policy("thp-off")).endswith(f"of {len(report.processes)}")


def test_two_plans_side_by_side_differ_where_they_are_marked(report: Report) -> None:
    answer = chosen(report, WhatIf((), "never", (WantedPool(PMD, 300),)))
    found = {line.label: line for line in lines(answer, report.plan)}
    assert found["THP mode"].chosen == "never"
    assert found["2 MiB pool"].chosen == "300 pages, only at boot"
    assert found["  for nobody"].chosen == "300"
    assert found["Risks"].chosen == "1 high"
    assert found["Who loses"].chosen == "1 process"
    text = shown(comparison(Ink(), answer, report.plan, waiting=False), 100)
    assert "≠" in text
    assert "not granted 5 pages of 64 KiB in all: no such [bold]pool" in text
    assert "\x1b" not in text
    assert "loses red" in text
    waiting = shown(comparison(Ink(), answer, report.plan, waiting=True), 100)
    assert "..." in waiting and "≠" not in waiting and "not granted" not in waiting


def test_a_plan_that_takes_more_than_there_is_reads_below_nothing(report: Report) -> None:
    after = replace(report.plan.memory.after, available_bytes=-GIB)
    plan = replace(report.plan, memory=replace(report.plan.memory, after=after))
    found = {line.label: line for line in lines(replace(report, plan=plan), report.plan)}
    assert found["Available"].chosen.endswith("-> -1 GiB")


@pytest.mark.parametrize("length", [None, 9])
def test_a_policy_is_chosen_for_the_process_under_the_cursor_and_taken_back(
    report: Report, length: int | None
) -> None:
    source = source_of(report, length)

    async def scenario(app: AdvisorApp, pilot: Pilot[None]) -> None:
        process = app.query_one(ProcessTable).current
        assert process is not None
        await pilot.press("p")
        assert isinstance(app.screen, PolicyScreen)
        text = screen_text(app)
        assert "as advised" in text and "hugetlb 1 GiB" in text and f"({process.pid})" in text
        await pilot.press("down", "down", "down", "enter")
        wish = WantedPolicy(process.pid, "thp-off", None, process.start_ticks)
        assert source.orders == [WhatIf((wish,))]
        await settled(source, pilot)
        assert "WHAT IF, 1 wish: H takes back" in said(app, "top")
        await pilot.press("p")
        assert "* THP off" in screen_text(app)
        await pilot.press("home", "enter")
        assert source.orders[-1] == NOTHING
        await settled(source, pilot)
        assert "WHAT IF" not in said(app, "top")

    play(source, scenario)


def test_a_policy_is_chosen_for_all_that_are_marked_and_from_the_detail(report: Report) -> None:
    source = source_of(report)

    async def scenario(app: AdvisorApp, pilot: Pilot[None]) -> None:
        await pilot.press("m", "down", "m", "p")
        assert "2 processes" in screen_text(app)
        await pilot.press("down", "enter")
        (order,) = source.orders
        assert isinstance(order, WhatIf) and len(order.policies) == 2
        await settled(source, pilot)
        await pilot.press("M", "home", "enter", "p")
        assert f"Policy for {report.processes[0].name[:5]}" in screen_text(app)
        await pilot.press("escape")
        assert [one for one in source.orders if isinstance(one, WhatIf)] == [order], "nothing was chosen"

    play(source, scenario)


def test_the_hosts_mode_and_pools_are_turned_typed_and_taken_back(report: Report) -> None:
    source = source_of(report)

    async def scenario(app: AdvisorApp, pilot: Pilot[None]) -> None:
        await pilot.press("h")
        assert isinstance(app.screen, WhatIfScreen)
        assert "this is the advice" in screen_text(app)
        await pilot.press("right", "right", "right", "down", *"300")
        assert source.orders[-1] == WhatIf((), "never", (WantedPool(PMD, 300),))
        await settled(source, pilot)
        text = screen_text(app)
        assert "300 pages, only at boot" in text
        assert "As advised" in text and "As you chose" in text
        await pilot.press("plus", "minus", "minus", "backspace")
        assert source.orders[-1] == WhatIf((), "never", (WantedPool(PMD, 26),))
        await pilot.press("x", "up", "delete")
        assert source.orders[-1] == NOTHING
        await pilot.press("escape")
        assert isinstance(app.focused, ProcessTable)

    play(source, scenario)


def test_until_the_answer_comes_it_says_so(report: Report) -> None:
    source = source_of(report)
    source.answers = False

    async def scenario(app: AdvisorApp, pilot: Pilot[None]) -> None:
        await pilot.press("h", "right")
        assert "WHAT IF, 1 wish: H takes back ..." in screen_text(app)
        assert "as you chose" in screen_text(app).lower()
        source.what_if = WhatIf((), "always")
        source.send()
        await settled(source, pilot)
        assert "takes back ..." not in screen_text(app)

    play(source, scenario)


def test_a_wish_survives_its_process_and_can_still_be_removed(report: Report) -> None:
    source = source_of(report)

    async def scenario(app: AdvisorApp, pilot: Pilot[None]) -> None:
        gone = app.query_one(ProcessTable).current
        await pilot.press("p", "down", "enter", "h")
        await settled(source, pilot)
        source.send(replace(report, processes=report.processes[1:]))
        await settled(source, pilot)
        assert gone is not None and f"({gone.pid})" in screen_text(app)
        assert "is gone" in screen_text(app)
        await pilot.press("end", *["down"] * 9, "x")
        assert source.orders[-1] == NOTHING

    play(source, scenario)


def test_everything_is_taken_back_by_one_key_everywhere_and_in_a_held_screen(report: Report) -> None:
    source = source_of(report)

    async def scenario(app: AdvisorApp, pilot: Pilot[None]) -> None:
        await pilot.press("space", "h", "right", "H")
        assert source.orders[-1] == NOTHING
        await settled(source, pilot)
        await pilot.press("right", "escape")
        await settled(source, pilot)
        assert "WHAT IF, 1 wish" in said(app, "top") and "held" in said(app, "top")
        await pilot.press("H")
        await settled(source, pilot)
        assert "WHAT IF" not in said(app, "top")

    play(source, scenario)


def test_a_source_that_begins_anew_is_told_what_is_wanted(report: Report) -> None:
    source = source_of(report)

    async def scenario(app: AdvisorApp, pilot: Pilot[None]) -> None:
        await pilot.press("h", "right", "escape")
        await settled(source, pilot)
        source.fail("gone")
        await settled(source, pilot)
        await pilot.press("R")
        source.what_if = NOTHING
        source.send()
        await settled(source, pilot)
        await settled(source, pilot)
        assert source.orders == [WhatIf((), "always")] * 2
        assert "WHAT IF, 1 wish" in said(app, "top")

    play(source, scenario)


def test_lines_can_be_turned_with_the_mouse(report: Report) -> None:
    source = source_of(report)

    async def scenario(app: AdvisorApp, pilot: Pilot[None]) -> None:
        await pilot.press("h")
        knobs = app.screen.query_one(Knobs)
        at = str(knobs.render()).splitlines()[1]
        await pilot.click(knobs, offset=(1 + at.index("[+]"), 1))
        (order,) = source.orders
        assert isinstance(order, WhatIf) and len(order.pools) == 1
        await pilot.click(knobs, offset=(1 + at.index("[-]"), 1))
        at = str(knobs.render()).splitlines()[1]
        await pilot.click(knobs, offset=(1 + at.index("[x]"), 1))
        assert source.orders[-1] == NOTHING

    play(source, scenario)


@pytest.mark.parametrize("size", [(40, 12), (80, 24), (200, 50)])
def test_it_can_be_read_at_every_size(report: Report, size: tuple[int, int]) -> None:
    source = source_of(report)

    async def scenario(app: AdvisorApp, pilot: Pilot[None]) -> None:
        await pilot.press("h", "right")
        await settled(source, pilot)
        assert "THP mode" in screen_text(app) and "[+]" in screen_text(app)
        await pilot.press("pagedown", "escape", "p")
        assert app.screen.query_one(OptionList).option_count == 1 + len(policies(report.host))
        assert screen_text(app).count("\n") == size[1] - 1

    play(source, scenario, size)


def test_the_table_marks_who_was_asked_for(report: Report) -> None:
    process = report.processes[0]
    column = next(column for column in COLUMNS if column.id == "advice")
    assert column.text(process).startswith("-> ")
    for severity, arrow in (("info", "=> "), ("medium", "!> ")):
        reason = replace(process.recommendation.reasons[0], rule="asked-for", severity=severity)
        asked = replace(process.recommendation, reasons=[*process.recommendation.reasons, reason])
        assert column.text(replace(process, recommendation=asked)).startswith(arrow)


def test_page_sizes_are_those_of_the_hosts_pools(report: Report) -> None:
    assert pool_sizes(report.host) == sorted({pool.page_bytes for pool in report.host.pools if pool.node is None})
