"""What changed between two reports: fields, matching of processes, caveats, and what cannot be told."""

from __future__ import annotations

import json
from typing import Any

import jsonschema
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from advisor.report.compare_match import match_processes
from advisor.report.comparison import FieldChange, encode_comparison
from advisor.report.document import Report
from advisor.report.process import ProcessEntry
from advisor.report.schema import COMPARISON_SCHEMA_PATH, comparison_schema, schema_text
from advisor.units import GIB, MIB
from tests.render.conftest import make_report
from tests.render.processes import advice, memory, process, reason
from tests.report.comparisons import BOOT, before_and_after, changed, compared, report_of

LEAVE = advice("leave", reason("small-process", "info", "Too little."))


def one(pid: int, name: str = "db", size: int = GIB, **fields: object) -> ProcessEntry:
    return process(pid, name, memory(size, size, 0), LEAVE, **fields)


def test_what_was_set_and_what_it_did_are_told_first() -> None:
    comparison = compared(*before_and_after())
    host = changed(comparison.host)
    assert next(iter(host)) == "thp.enabled"
    assert (host["thp.enabled"].before, host["thp.enabled"].after) == ("madvise", "always")
    assert host["pools.2097152.total"].difference == 4096
    first = comparison.processes[0]
    assert first.before.name == "postgres" and first.matched_by == "pid-start"
    fields = changed(first.fields)
    assert fields["hugetlb_bytes"].difference == 8 * GIB
    assert fields["page_table_bytes"].difference == -31 * MIB
    assert fields["advice"].after == "keep hugetlb 2 MiB"
    assert [process.name for process in comparison.ended] == ["agent5"]
    assert [process.pid for process in comparison.appeared] == [9999]


def test_what_is_null_stays_null_with_its_side_and_reason() -> None:
    comparison = compared(*before_and_after())
    by_field = {change.field: change for change in comparison.host}
    rate = by_field["thp.fault_alloc_per_s"]
    assert (rate.status, rate.after, rate.difference) == ("unknown", None, None)
    assert rate.unknown_because == "after: one sample tells no rates"
    assert "one-sample-after" in {caveat.id for caveat in comparison.caveats}
    assert comparison.comparable == "limited"


def test_small_differences_are_no_change_but_are_written() -> None:
    before, after = report_of([one(10)]), report_of([one(10, size=GIB + 4096)])
    comparison = compared(before, after)
    rss = next(change for change in comparison.processes[0].fields if change.field == "rss_bytes")
    assert (rss.status, rss.difference) == ("same", 4096)
    assert comparison.summary == "Nothing changed."
    assert comparison.processes[0].concerned_bytes == 0


def test_other_hosts_and_strangers_cannot_be_compared() -> None:
    before = report_of([one(10, name="a")])
    other = compared(before, report_of([one(10, name="b")], hostname="another", boot_id=None))
    assert other.comparable == "no"
    assert {caveat.id for caveat in other.caveats} == {"other-host", "no-common-process"}
    unnamed = compared(before, report_of([one(10, name="a")], hostname=None))
    assert unnamed.comparable == "limited" and unnamed.caveats[0].id == "unnamed-host"


def test_another_kernel_and_another_boot_are_said() -> None:
    comparison = compared(report_of([one(10)]), report_of([one(20)], kernel="6.99.0", boot_id="other"))
    assert {"other-kernel", "other-boot"} <= {caveat.id for caveat in comparison.caveats}
    assert comparison.processes[0].matched_by == "program-cgroup"


@pytest.mark.parametrize(
    ("before", "after", "by"),
    [
        (one(10), one(10), "pid-start"),
        (one(10, start_ticks=0), one(10), "pid-name"),
        (one(10), one(11), "program-cgroup"),
        (one(10, cgroup="/a"), one(11, cgroup="/b"), "program-order"),
        (one(10, name="old", executable="/x/db"), one(11, name="new", executable="/y/db"), "program-cgroup"),
        (one(10, start_ticks=5, cgroup=None), one(10, start_ticks=6, cgroup=None), "program-order"),
    ],
)
def test_a_process_is_recognised_by_the_surest_sign(before: ProcessEntry, after: ProcessEntry, by: str) -> None:
    same = {"cgroup": "/x"} if by == "program-cgroup" else {}
    pair = (report_of([replace(before, **same)]), report_of([replace(after, **same)]))
    assert [match.by for match in match_processes(*pair).both] == [by]


def test_pids_mean_nothing_after_a_boot() -> None:
    matching = match_processes(report_of([one(1, name="init")]), report_of([one(1, name="init")], boot_id="other"))
    assert [match.by for match in matching.both] == ["program-cgroup"]


def test_workers_are_paired_in_the_order_of_their_start_and_the_rest_is_alone() -> None:
    before = report_of([one(pid) for pid in (10, 11, 12)])
    after = report_of([one(pid) for pid in (23, 21)], boot_id="other")
    matching = match_processes(before, after)
    assert [(match.before.pid, match.after.pid) for match in matching.both] == [(10, 21), (11, 23)]
    assert [process.pid for process in matching.ended] == [12]


SIZES = st.none() | st.integers(0, 1 << 42)
RATES = st.none() | st.floats(0, 1e6)


@st.composite
def reports(draw: st.DrawFn) -> Report:
    """Reports of one host with a few processes, any of whose values may be unknown."""
    processes = []
    for pid in draw(st.lists(st.integers(1, 8), unique=True, max_size=6)):
        size = memory(draw(SIZES), draw(SIZES), None, huge_coverage=draw(st.none() | st.floats(0, 1)))
        size = replace(size, hugetlb_bytes=draw(SIZES), anon_huge_bytes=draw(SIZES), page_table_bytes=draw(SIZES))
        given: dict[str, Any] = {
            "start_ticks": draw(st.sampled_from([0, 5, 6])),
            "cgroup": draw(st.sampled_from([None, "/a", "/b"])),
            "cpu_cores": draw(RATES),
            "minor_faults_per_s": draw(RATES),
            "thp_disabled": draw(st.none() | st.booleans()),
        }
        processes.append(process(pid, draw(st.sampled_from(["db", "web"])), size, LEAVE, **given))
    report = make_report(processes)
    thp = replace(report.host.thp, enabled=draw(st.sampled_from([None, "always", "never"])), in_use_bytes=draw(SIZES))
    boot = draw(st.sampled_from([None, BOOT, "other"]))
    host = replace(report.host, thp=thp, boot_id=boot, memory_pressure_some_avg10=draw(RATES))
    return replace(report, host=host, source=replace(report.source, samples=draw(st.integers(1, 3))))


@settings(max_examples=30)
@given(reports())
def test_a_report_compared_with_itself_says_that_nothing_changed(report: Report) -> None:
    comparison = compared(report, report)
    assert comparison.summary == "Nothing changed."
    assert not comparison.ended and not comparison.appeared
    assert all(pair.before == pair.after and not pair.concerned_bytes for pair in comparison.processes)
    fields = [*comparison.host, *(field for pair in comparison.processes for field in pair.fields)]
    assert all(field.status != "changed" and not field.difference for field in fields)


@settings(max_examples=30)
@given(reports(), reports())
def test_swapping_the_two_flips_every_sign_and_keeps_the_order(before: Report, after: Report) -> None:
    there, back = compared(before, after), compared(after, before)
    assert (there.ended, there.appeared) == (back.appeared, back.ended)
    assert [(one.before, one.after) for one in there.processes] == [(one.after, one.before) for one in back.processes]
    assert flipped(there.host) == plain(back.host)
    for one, other in zip(there.processes, back.processes, strict=True):
        assert (flipped(one.fields), one.matched_by) == (plain(other.fields), other.matched_by)
        assert one.concerned_bytes == other.concerned_bytes


def plain(changes: list[FieldChange]) -> dict[str, tuple[object, ...]]:
    return {one.field: (one.before, one.after, one.difference, one.status) for one in changes}


def flipped(changes: list[FieldChange]) -> dict[str, tuple[object, ...]]:
    return {
        one.field: (one.after, one.before, None if one.difference is None else -one.difference, one.status)
        for one in changes
    }


def test_the_document_keeps_to_its_published_schema() -> None:
    document = json.loads(encode_comparison(compared(*before_and_after())))
    jsonschema.validate(document, comparison_schema(), cls=jsonschema.Draft202012Validator)
    assert COMPARISON_SCHEMA_PATH.read_text(encoding="utf-8") == schema_text(comparison_schema())
