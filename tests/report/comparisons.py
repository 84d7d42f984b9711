"""A host before and after a change, made by hand from the report that other tests use."""

from __future__ import annotations

import datetime

from msgspec.structs import replace

from advisor.report.compare import compare_reports
from advisor.report.comparison import Comparison, FieldChange
from advisor.report.document import Report, Tool
from advisor.report.process import ProcessEntry
from advisor.units import GIB, MIB
from tests.render.conftest import make_report
from tests.render.processes import advice, make_processes, memory, process, reason

NOW = datetime.datetime(2026, 1, 15, 12, tzinfo=datetime.UTC)
BOOT = "11111111-2222-3333-4444-555555555555"


def report_of(processes: list[ProcessEntry] | None = None, **host: object) -> Report:
    report = make_report(processes)
    return replace(report, host=replace(report.host, **{"boot_id": BOOT, **host}))


def compared(before: Report, after: Report) -> Comparison:
    tool = Tool("hugepage-advisor", "0.1.0")
    return compare_reports(before, after, ("before.json", "after.json"), now=NOW, tool=tool)


def changed(changes: list[FieldChange]) -> dict[str, FieldChange]:
    return {change.field: change for change in changes if change.status == "changed"}


def before_and_after() -> tuple[Report, Report]:
    """Pools are set up and a hostile name appears; one sample afterwards, so rates are unknown."""
    before = report_of()
    why = reason("hugetlb-right-sized", "low", "It fits.")
    kept = advice("hugetlb", why, page_bytes=2 * MIB, pages=4096, changes=False)
    processes = []
    for one in make_processes():
        if one.name == "postgres":
            size = memory(40 * MIB, 40 * MIB, 0, hugetlb_bytes=8 * GIB, huge_coverage=0.99, page_table_bytes=1 * MIB)
            one = replace(one, memory=size, recommendation=kept, cpu_cores=None)
        if one.name != "agent5":
            processes.append(one)
    small = advice("leave", reason("small-process", "info", "Too little."))
    processes.append(process(9999, "evil\x1b[31m|`x`\n", memory(300 * MIB, 1 * MIB), small))
    after = report_of(processes)
    thp = replace(after.host.thp, enabled="always", in_use_bytes=13 * GIB, fault_alloc_per_s=None)
    pools = [
        replace(pool, total=pool.total + 4096) if pool.page_bytes == 2 * MIB else pool for pool in after.host.pools
    ]
    source = replace(after.source, samples=1, duration_s=0.0, observed_at="2026-01-15T11:20:29Z")
    return before, replace(after, host=replace(after.host, thp=thp, pools=pools), source=source)
