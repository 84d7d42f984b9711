"""Groups and lines of the table, as functions of a report."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace
from rich.cells import cell_len

from advisor.report.plan import PoolTerm
from advisor.report.process import Application
from advisor.tui.columns import COLUMNS, Order, fitting, header, identity
from advisor.tui.groups import CELLS, GROUPINGS, Group, Sum, advice, coverage, group_line, grouped, label_of, memory
from advisor.tui.ink import Ink
from advisor.tui.rows import View, members_of, place_of, rows, standing
from advisor.units import GIB, MIB
from tests.render.conftest import make_report
from tests.render.processes import memory as memory_of

REPORT = make_report()
INK = Ink()
BY = [by for by in GROUPINGS if by]


def of(by: str, label: str, order: Order | None = None) -> Group:
    groups = grouped(REPORT.processes, by, order or Order(), REPORT.plan)
    return next(group for group in groups if group.label == label)


@pytest.mark.parametrize("by", BY)
@pytest.mark.parametrize("column", [None, *(column.id for column in COLUMNS)])
def test_each_process_is_in_one_group_whatever_the_order(by: str, column: str | None) -> None:
    groups = grouped(REPORT.processes, by, Order(column), REPORT.plan)
    everybody = [identity(process) for group in groups for process in group.members]
    assert sorted(everybody) == sorted(map(identity, REPORT.processes))
    assert len({group.label for group in groups}) == len(groups)
    if column is not None:
        keys = [CELLS[column].key(group) for group in groups]
        known = [key for key in keys if key is not None]
        assert keys == known + [None] * (len(keys) - len(known))
        assert known == sorted(known, reverse=True)


def test_without_a_column_groups_with_changes_come_first_by_what_is_at_stake() -> None:
    groups = grouped(REPORT.processes, "application", Order(), REPORT.plan)
    assert [group.label for group in groups][:3] == ["QEMU", "PostgreSQL", "java"]


def test_a_program_that_is_no_known_application_is_called_by_its_file() -> None:
    process = REPORT.processes[0]
    nameless = replace(process, application=None, executable="/opt/x/worker", name="worker-17")
    assert label_of(process, "application") == "QEMU"
    assert label_of(nameless, "application") == "worker"
    assert label_of(replace(nameless, executable=None), "application") == "worker-17"
    assert label_of(replace(process, cgroup=None), "cgroup") == "cgroup unknown"


def test_sums_of_a_group() -> None:
    group = of("application", "PostgreSQL")
    said = {id: cell.text(group) for id, cell in CELLS.items()}
    assert said["pid"] == "3"
    assert said["tables"] == "96 MiB"
    assert said["now"] == "base" and said["user"] == "postgres"
    assert said["advice"] == "3 hugetlb"
    assert said["gain"] == "", "gains do not add up"
    assert coverage(group) == 0.0


def test_advice_is_counted_what_changes_first() -> None:
    processes = [*REPORT.processes[:2], *REPORT.processes[6:8]]
    assert advice(Group("cgroup", "x", processes)) == "1 hugetlb, 1 THP, 1 keep hugetlb, 1 leave"


def test_shared_memory_counts_once_or_the_sum_is_called_the_most_that_it_can_be() -> None:
    first = REPORT.processes[0]

    def two(**fields: int | None) -> Group:
        one = replace(first, memory=memory_of(8 * GIB, **fields))
        return Group("cgroup", "x", [one, replace(one, pid=2)])

    assert str(memory(two(pss_bytes=4 * GIB))) == "8 GiB"
    assert str(memory(two(pss_bytes=MIB, hugetlb_bytes=GIB))) == "≤2 GiB"
    assert str(memory(two(pss_bytes=None))) == "≤16 GiB"
    assert memory(Group("cgroup", "x", two(pss_bytes=None).members[:1])) == Sum(8 * GIB, False)


def test_what_is_unknown_of_some_is_said() -> None:
    assert str(Sum(5 * GIB, True)) == "5 GiB+"
    assert str(Sum(5 * GIB, True, True)) == "~5 GiB"
    assert str(Sum(1023 * MIB, True)) == "1023MiB+"
    assert str(Sum(None, True)) == "?"


def test_pool_pages_of_a_group_are_those_that_the_plan_adds_for_it() -> None:
    """Those who share memory ask for the same pages: the plan counts them once, at one of them."""
    small, large = REPORT.plan.pools
    plan = replace(
        REPORT.plan,
        pools=[
            replace(small, terms=[PoolTerm("new", 3072, 4100, None), PoolTerm("headroom", 32, None, None)]),
            replace(large, terms=[PoolTerm("new", 48, 2211, None)]),
        ],
    )
    by_label = {group.label: group for group in grouped(REPORT.processes, "application", Order("pages"), plan)}
    assert CELLS["pages"].text(by_label["PostgreSQL"]) == "3,072"
    assert CELLS["pages"].text(by_label["java"]) == ""
    both = Group("cgroup", "x", REPORT.processes, [(2 * MIB, 3072), (GIB, 48)])
    assert CELLS["pages"].text(both) == "54GiB"
    assert list(by_label)[:2] == ["QEMU", "PostgreSQL"]


@given(st.integers(20, 250), st.text(max_size=60), st.booleans(), st.sampled_from(BY))
def test_every_line_is_as_wide_as_the_header(width: int, label: str, opened: bool, by: str) -> None:
    columns = fitting(width)
    drawn = group_line(INK, Group(by, label, REPORT.processes), columns, opened=opened).plain
    assert cell_len(drawn) == cell_len(header(INK, columns, Order()).plain)
    assert drawn[0] == ("▾" if opened else "▸")


def test_of_a_long_cgroup_the_end_is_shown() -> None:
    drawn = group_line(
        INK, Group("cgroup", "/system.slice/x@15-main.service", REPORT.processes), fitting(78), opened=True
    )
    assert "…15-main.service " in drawn.plain


def test_members_stand_below_their_group_where_it_is_open() -> None:
    view = View(by="application")
    folded = rows(REPORT, view, ())
    assert all(isinstance(row, Group) for row in folded)
    opened = rows(REPORT, view, {"PostgreSQL"})
    place = next(n for n, row in enumerate(opened) if isinstance(row, Group) and row.label == "PostgreSQL")
    assert opened[place + 1 : place + 4] == members_of(opened[place])
    assert len(opened) == len(folded) + 3
    found = rows(REPORT, View(wanted="4101", by="application"), ())
    assert [(row.label, len(row.members)) for row in found if isinstance(row, Group)] == [("PostgreSQL", 1)]
    assert rows(REPORT, View(), ()) == REPORT.processes


def test_a_line_is_found_again_by_its_group_or_its_process_or_the_group_of_that() -> None:
    backend = next(one for one in REPORT.processes if one.pid == 4101)
    folded, opened = rows(REPORT, View(by="application"), ()), rows(REPORT, View(by="application"), {"PostgreSQL"})
    for lines in (folded, opened, rows(REPORT, View(), ())):
        place = place_of(lines, None, identity(backend))
        assert place is not None and backend in members_of(lines[place])
    place = place_of(opened, "PostgreSQL", identity(backend))
    assert place is not None and isinstance(opened[place], Group)
    assert place_of(rows(REPORT, View(), ()), "PostgreSQL", identity(backend)) is not None
    assert place_of(folded, "gone", (1, 1)) is None


def test_below_the_lines_stands_how_much_is_grouped_and_marked() -> None:
    assert standing(rows(REPORT, View(), ()), View(), []) == ""
    by = View(by="application", wanted="postgres")
    assert standing(rows(REPORT, by, ()), by, REPORT.processes[:1]) == (
        "3 processes in 1 group by application · 1 marked, 1 of them not in sight"
    )


def test_labels_of_applications_are_names_without_versions() -> None:
    one = replace(REPORT.processes[0], application=Application("redis", "Redis", "high", "7.0"))
    other = replace(one, pid=2, application=Application("redis", "Redis", "high", "8.0"))
    assert [group.label for group in grouped([one, other], "application", Order(), REPORT.plan)] == ["Redis"]
