"""The texts of the detail view, without a screen: what they say of each kind of process, at any width."""

from __future__ import annotations

import io
from pathlib import Path

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.cells import cell_len
from rich.console import Console, RenderableType

from advisor.advise import advise
from advisor.profile.codec import load_profile
from advisor.report.document import Report
from advisor.report.plan import Artefact
from advisor.report.process import Alternative, ExpectedGain, ProcessEntry
from advisor.tui import detail_texts
from advisor.tui.bars import columns_of
from advisor.tui.detail import SECTIONS
from advisor.tui.detail_advice import advice, title
from advisor.tui.detail_facts import facts, features_of
from advisor.tui.detail_features import features
from advisor.tui.detail_map import memory, parts_of
from advisor.tui.detail_options import alternatives
from advisor.tui.detail_why import why_not_huge
from advisor.tui.ink import Ink
from advisor.units import GIB, MIB
from tests.render.conftest import make_report
from tests.render.processes import memory as make_memory
from tests.tui.near import close_up_of

SAMPLES = Path(__file__).resolve().parents[2] / "sample_profiles"
INK = Ink()
HOSTILE = "evil\x1b[31m\u202e[bold]x[/][@click=app.quit]\r\n\t\U0001f600漢字"


def drawn(renderable: RenderableType, width: int = 100) -> str:
    console = Console(file=io.StringIO(), width=width, color_system=None, emoji=False, _environ={})
    with console.capture() as capture:
        console.print(renderable)
    return capture.get()


def words_of(renderable: RenderableType, width: int = 100) -> str:
    """On one line, however it was wrapped."""
    return " ".join(drawn(renderable, width).split())


def process_of(report: Report, pid: int) -> ProcessEntry:
    return next(one for one in report.processes if one.pid == pid)


@pytest.fixture(scope="module")
def report() -> Report:
    return make_report()


def all_sections(process: ProcessEntry, report: Report) -> list[RenderableType]:
    near = close_up_of(process)
    sections = [section(INK, process, report.plan, seen) for _, section in SECTIONS.values() for seen in (None, near)]
    sections += [facts(INK, process), features(INK, process, None), features(INK, process, near)]
    pastes = [detail_texts.text(INK, paste) for paste in detail_texts.pastes_of(process, report.plan)]
    return [title(INK, process), *sections, *pastes, detail_texts.nothing(INK, process)]


def test_the_decision_says_what_pages_gain_and_who_decided(report: Report) -> None:
    said = words_of(advice(INK, process_of(report, 2211), report.plan))
    for part in (
        "hugetlb 1 GiB x 48",
        "48 pages of 1 GiB, from the guest's RAM",
        "12 % less time (5 % to 19 %, 90 % sure)",
        "high, decided by rules and the model",
        "Needs a pool of 1 GiB pages by its own option. Its own configuration switches that on.",
        "In force after a restart.",
        "Pool of 1 GiB pages: 0 -> 48 pages at boot.",
        "read: guest_ram_bytes 48 GiB",
        "from: https://docs.kernel.org/mm/transhuge.html",
    ):
        assert part in said


def test_override_verdict_and_page_tables_are_told_where_they_are_known(report: Report) -> None:
    process = process_of(report, 2211)
    told = msgspec.structs.replace(
        process.recommendation,
        override_reason="the model says 20 %, nobody can supply it",
        gigantic_verdict="pages of 1 GiB would do no more",
        page_table_bytes_after=MIB,
    )
    said = words_of(advice(INK, msgspec.structs.replace(process, recommendation=told), report.plan))
    assert "overridden the model says 20 %" in said
    assert "larger pages pages of 1 GiB" in said
    assert "98 MiB (with the plan 1 MiB)" in said


def test_a_reason_that_cannot_tell_says_so_instead_of_a_severity(report: Report) -> None:
    process = process_of(report, 3302)
    unsure = [msgspec.structs.replace(one, status="cannot-tell") for one in process.recommendation.reasons]
    changed = msgspec.structs.replace(process.recommendation, reasons=unsure)
    said = words_of(advice(INK, msgspec.structs.replace(process, recommendation=changed), report.plan))
    assert "cannot tell 24 GiB of anonymous memory" in said


def test_severity_is_a_word_not_only_a_colour(report: Report) -> None:
    assert "high The guest's 48 GiB" in words_of(advice(INK, process_of(report, 2211), report.plan))


def test_bars_say_share_and_remedy(report: Report) -> None:
    said = words_of(why_not_huge(INK, process_of(report, 2211)))
    assert "not-advised 48 GiB in 1 VMA 99% Let the program call madvise(MADV_HUGEPAGE)." in said
    assert "12 MiB and 1 GiB in swap in 2 VMAs <1%" in said
    assert "holds nothing yet 2 GiB of address space" in said


def test_unknown_sizes_are_no_empty_bars(report: Report) -> None:
    process = process_of(report, 2211)
    unknown = [msgspec.structs.replace(one, bytes=None) for one in process.why_not_huge]
    said = words_of(why_not_huge(INK, msgspec.structs.replace(process, why_not_huge=unknown)))
    assert "size unknown not-advised" in said
    assert "░" not in said


def test_nothing_to_say_differs_from_nothing_known(report: Report) -> None:
    vault = process_of(report, 7777)
    unread = msgspec.structs.replace(vault, memory=msgspec.structs.replace(vault.memory, thp_eligible_bytes=None))
    assert "not read" in words_of(why_not_huge(INK, unread))
    assert "Nothing to say" in words_of(why_not_huge(INK, process_of(report, 7001)))


def test_the_picture_names_every_backing_with_its_bytes(report: Report) -> None:
    said = drawn(memory(INK, process_of(report, 5120)), 80)
    legend = {line[:4]: line.split()[1:3] for line in said.splitlines()}
    assert legend["A███"] == ["512", "MiB"]
    assert legend["m▒▒▒"] == ["112", "MiB"]
    assert legend["s~~~"] == ["64", "MiB"]
    picture = said.splitlines()[2:4]
    assert {cell_len(line) for line in picture} == {80}
    assert [letter for letter in picture[0] if letter.isalpha()] == ["A", "m", "b", "s"]


def test_parts_add_up_to_what_is_resident_in_pools_and_in_swap() -> None:
    known = make_memory(6 * GIB, 5 * GIB, 2 * GIB, shmem_huge_bytes=GIB, hugetlb_bytes=4 * GIB, swap_bytes=MIB)
    parts = {part.look.mark: part.bytes for part in parts_of(known)}
    assert parts == {"H": 4 * GIB, "A": 2 * GIB, "F": GIB, "m": None, "b": 3 * GIB, "s": MIB}


def test_unknown_backing_is_not_called_base_pages() -> None:
    unread = make_memory(5 * GIB, None, None, huge_coverage=None, shmem_huge_bytes=GIB)
    parts = {part.look.mark: part.bytes for part in parts_of(unread)}
    assert "b" not in parts
    assert (parts["?"], parts["F"]) == (4 * GIB, GIB)
    nothing_known = parts_of(make_memory(None, None, None, huge_coverage=None))
    assert {part.look.mark: part.bytes for part in nothing_known}["?"] is None


def test_base_pages_are_only_claimed_where_smaller_folios_were_looked_for(report: Report) -> None:
    assert "mTHP among them where there is any" in words_of(memory(INK, process_of(report, 3302)))
    assert "mTHP among them" not in words_of(memory(INK, process_of(report, 5120)))


@given(st.lists(st.integers(0, 1 << 45), max_size=8), st.integers(1, 400))
def test_columns_fill_the_width_and_show_whatever_is_there(sizes: list[int], width: int) -> None:
    columns = columns_of(sizes, width)
    present = sum(size > 0 for size in sizes)
    assert sum(columns) == (width if present else 0)
    assert all(column == 0 for size, column in zip(sizes, columns, strict=True) if size == 0)
    if present <= width:
        assert all(column > 0 for size, column in zip(sizes, columns, strict=True) if size > 0)


def test_policies_stand_side_by_side_the_advised_one_marked(report: Report) -> None:
    said = drawn(alternatives(INK, process_of(report, 2211)), 140)
    rows = said.splitlines()
    assert any(row.startswith("*  hugetlb 1 GiB") and "12 % less time" in row for row in rows)
    assert any("THP 2 MiB" in row and "less is at stake" in row and "not predicted" in row for row in rows)


def test_each_policy_says_what_it_costs_in_memory_pages_and_page_tables(report: Report) -> None:
    process = process_of(report, 5120)
    others = [
        Alternative(
            "thp",
            2 * MIB,
            ExpectedGain(0.1, 0.0, 0.2, 0.9),
            "it would grow",
            bloat_bytes=18 * GIB,
            bloat_basis="pages",
        ),
        Alternative("hugetlb", GIB, None, "no room", pages=6, bloat_bytes=MIB, page_table_bytes_after=64 << 10),
        Alternative("hugetlb", 2 * MIB, None, "no room"),
    ]
    advised = msgspec.structs.replace(process.recommendation, alternatives=others)
    said = words_of(alternatives(INK, msgspec.structs.replace(process, recommendation=advised)), 250)
    assert "memory may grow by up to 18 GiB (counted page by page)" in said
    assert "hugetlb 1 GiB" in said and " x 6 " in said
    assert "whole pages cost 1 MiB" in said
    assert "-> 64 KiB" in said
    assert "growth of memory unknown" in said


def test_texts_are_those_of_the_process_in_the_order_of_the_plan(report: Report) -> None:
    pastes = detail_texts.pastes_of(process_of(report, 2211), report.plan)
    assert [(one.artefact.id, one.file_name) for one in pastes] == [("pool-1G-boot", "01-pool-1G-boot.cfg")]
    said = words_of(detail_texts.text(INK, pastes[0]))
    assert "After" not in said
    assert "In force after a reboot." in said
    assert "To undo rm /etc/default/grub.d/hugepages.cfg && update-grub" in said
    assert detail_texts.pastes_of(process_of(report, 7001), report.plan) == []


def test_a_text_by_hand_with_warnings_commands_and_restart_says_all_of_it() -> None:
    artefact = Artefact(
        "x",
        "shell",
        "T",
        None,
        "one\ntwo\n",
        "back\n",
        False,
        by_hand=True,
        after=["reload it"],
        undo_before=["stop it"],
        undo_after=["start it"],
        restart="a.service",
        warnings=["tuned too"],
    )
    said = words_of(detail_texts.text(INK, detail_texts.Paste(artefact, "01-x.sh")))
    for part in ("tuned too", "By hand", "Restart a.service", "one two", "Then reload it"):
        assert part in said
    assert detail_texts.undo_text(artefact) == "stop it\nback\nstart it\n"


def test_features_are_the_evidence_of_all_reasons_null_as_unknown(report: Report) -> None:
    process = process_of(report, 2211)
    assert list(features_of(process)) == ["guest_ram_bytes", "host_privileged", "memory_to_pmd_reach"]
    assert "host_privileged unknown" in words_of(features(INK, process, None))


def test_a_command_line_of_megabytes_is_cut_and_says_so(report: Report) -> None:
    process = msgspec.structs.replace(process_of(report, 2211), command_line=["java", "-cp", "x" * 2_000_000])
    said = drawn(facts(INK, process), 80)
    assert len(said) < 10_000
    assert "more characters" in said


@pytest.mark.parametrize("width", [40, 76, 80, 160, 400])
def test_no_section_is_wider_than_its_room(report: Report, width: int) -> None:
    for process in report.processes:
        for section in all_sections(process, report):
            assert max(map(cell_len, drawn(section, width).splitlines()), default=0) <= width


def test_foreign_text_is_inert_wherever_it_stands(report: Report) -> None:
    process = process_of(report, 2211)
    evil = msgspec.convert(_poisoned(msgspec.to_builtins(process)), ProcessEntry)
    plan = msgspec.convert(_poisoned(msgspec.to_builtins(report.plan)), type(report.plan))
    poisoned = msgspec.structs.replace(report, processes=[evil], plan=plan)
    for section in all_sections(evil, poisoned):
        said = drawn(section, 400)
        assert said.replace("\n", "").isprintable()
        assert "\u202e" not in said
    assert "[bold]x[/][@click=app.quit]" in drawn(title(INK, evil), 400)


DECIDED = ("policy", "confidence", "decided_by", "status", "severity")
PLANNED = ("when", "needs", "gets_by", "controller", "backing", "planned_backing")
KEPT = frozenset((*DECIDED, *PLANNED))
"""Fields whose words are the contract's, not a process's."""


def _poisoned(value: object, name: str = "") -> object:
    if isinstance(value, str):
        return value if name in KEPT else value + HOSTILE
    if isinstance(value, dict):
        return {key: _poisoned(item, key) for key, item in value.items()}
    return [_poisoned(item) for item in value] if isinstance(value, list) else value


@pytest.mark.parametrize("profile", ["idle", "qemu-hugetlb", "postgres-huge-pages-off", "sparse-madvise", "jvm-thp"])
def test_recorded_profiles_can_be_drawn(profile: str) -> None:
    report = advise(load_profile(SAMPLES / f"{profile}.jsonl.zst"))
    for process in report.processes[:20]:
        for section in all_sections(process, report):
            assert drawn(section, 80)
