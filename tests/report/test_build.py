"""A report says what its profile says: no more, no less, nothing unknown as 0."""

from __future__ import annotations

import datetime
import json
import re
from typing import Any

import jsonschema
import msgspec
import pytest
from msgspec.structs import replace

from advisor.features.table import feature_table_of, observe
from advisor.features.why_not_huge import why_not_huge_of
from advisor.privilege.needs import NEEDS
from advisor.procfs.facts import BuddyZone, Cpu, HugetlbPool, Stat, Status, Thp, ThpSize, TlbLevel
from advisor.profile.model import (
    Cost,
    Header,
    HostFacts,
    HostState,
    Mapping,
    ProcessFacts,
    ProcessRecord,
    Profile,
    Sample,
    Skipped,
)
from advisor.profile.probes import Density, ProbeCost, ProcessProbes
from advisor.profile.timeline import fold_samples
from advisor.recommendation import recommend
from advisor.report.build import build_report
from advisor.report.document import Report, encode_report
from advisor.report.process import ProcessEntry
from advisor.report.schema import report_schema
from advisor.units import GIB, KIB, MIB

FIELDS = ["Size", "Rss", "Pss", "Anonymous", "AnonHugePages", "Swap"]
NOW = datetime.datetime(2026, 1, 15, 10, 20, 30, tzinfo=datetime.UTC)
UPTIME_S, WALL_TIME = 5000.0, 1_760_005_000.0


def mapping(size: int, anonymous: int, huge: int = 0) -> Mapping:
    return Mapping(
        "anon", 1, 1 << 40, size, 4 * KIB, "", 0, False, True, False, size, "", None,
        [size, anonymous, anonymous, anonymous, huge, 0],
    )  # fmt: skip


def record(pid: int, name: str, anonymous: int | None, huge: int = 0, **fields: Any) -> ProcessRecord:
    size = anonymous or 0
    facts = ProcessFacts(
        name=name,
        uid=0,
        user="root",
        executable=f"/usr/bin/{name}",
        command_line=[name, "--password=hunter22", "--port", "5432"],
    )
    return ProcessRecord(
        pid=pid,
        start_ticks=pid * 100,
        facts=facts,
        stat=Stat(name, "S", 1, 0, 10, 0, 100, 50, 1, pid * 100, 2 * size, size // (4 * KIB)),
        status=Status(name=name, vm_rss_bytes=size, vm_pte_bytes=64 * KIB),
        maps=None if anonymous is None else [mapping(2 * size, anonymous, huge)],
        **fields,
    )


HOST = HostState(
    meminfo={"MemTotal": 64 * GIB, "MemAvailable": 40 * GIB, "SwapTotal": 0, "SwapFree": 0, "AnonHugePages": 6 * MIB},
    vmstat={"thp_fault_alloc": 100, "thp_fault_fallback": 10},
    buddyinfo=[BuddyZone(0, "Normal", [5] * 9 + [3, 2]), BuddyZone(1, "Normal", [0] * 9 + [1, 0])],
    thp=Thp(
        "madvise",
        "madvise",
        "never",
        pmd_bytes=2 * MIB,
        sizes=[ThpSize(2 * MIB, "inherit"), ThpSize(64 * KIB, "never")],
        khugepaged={"pages_to_scan": 4096, "scan_sleep_millisecs": 10000, "max_ptes_none": 511},
    ),
    pools=[HugetlbPool(GIB, None, 0, 0, 0, 0, 0), HugetlbPool(2 * MIB, None, 8, 8, 0, 0, 0)],
    problems={"pagetypeinfo": "denied", "zoneinfo": "malformed"},
    uptime_s=UPTIME_S,
)
FACTS = HostFacts(
    hostname="h1",
    kernel="6.12.9",
    arch="x86_64",
    base_page_bytes=4 * KIB,
    cpu=Cpu(model_name="Test CPU", processors=8),
    tlb=[TlbLevel(2, 2 * MIB, 1024, "table"), TlbLevel(2, 4 * KIB, 1024, "table")],
    virtualization="none",
    nodes=[0, 1],
)
PROCESSES = [
    record(20, "small", 4 * MIB),
    record(10, "big", 8 * GIB),
    record(30, "denied", None, problems={"smaps": "denied", "smaps_rollup": "denied"}),
]


def make_profile(samples: int = 2, **header: Any) -> Profile:
    facts: dict[str, Any] = {"source": "live", "privileged": False, "budget_share": 0.01, "host": FACTS} | header
    return Profile(
        Header("hugepage-advisor/profile/1", "0.1.0", "2026-01-15T10:00:00Z", **facts),
        [
            Sample(
                t_s=2.0 * number,
                wall_time=WALL_TIME,
                host=HOST,
                cost=Cost(0.01, 0.02, smaps_reads=2, deferred=number),
                smaps_fields=FIELDS,
                processes=PROCESSES if number == 0 else [],
                skipped=[Skipped(99, "x", "gone"), Skipped(98, None, "denied"), Skipped(98, None, "denied")],
            )
            for number in range(samples)
        ],
    )


def make(profile: Profile, *, redact: bool = True, **options: Any) -> Report:
    observed = observe(fold_samples(profile))
    frame = feature_table_of(observed)
    advice, plan = recommend(frame)
    why = why_not_huge_of(observed)
    return build_report(profile, frame, advice, plan, why, now=NOW, tool_version="0.1.0", redact=redact, **options)


@pytest.fixture(scope="module")
def report() -> Report:
    return make(make_profile())


def named(report: Report, name: str) -> ProcessEntry:
    return next(process for process in report.processes if process.name == name)


def limits(report: Report) -> set[str]:
    return {limitation.id for limitation in report.limitations}


def test_a_built_report_validates_against_the_schema(report: Report) -> None:
    document = msgspec.json.decode(encode_report(report))
    jsonschema.validate(document, report_schema(), cls=jsonschema.Draft202012Validator)


def test_processes_are_ordered_by_what_is_at_stake(report: Report) -> None:
    assert report.processes[0].name == "big"
    stakes = [process.at_stake_bytes or 0 for process in report.processes]
    assert stakes == sorted(stakes, reverse=True)


def test_sizes_are_those_of_smaps_and_what_was_denied_is_null(report: Report) -> None:
    big, denied = named(report, "big").memory, named(report, "denied").memory
    assert (big.rss_bytes, big.anon_bytes, big.anon_huge_bytes) == (8 * GIB, 8 * GIB, 0)
    assert denied.anon_huge_bytes is None
    assert denied.huge_coverage is None


def test_totals_sum_what_is_known_and_count_what_is_not(report: Report) -> None:
    assert report.totals.processes == 3
    assert report.totals.anon_bytes == 8 * GIB + 4 * MIB
    assert report.totals.unknown["anon_huge_bytes"] == 1


def test_start_time_comes_from_the_boot_time(report: Report) -> None:
    assert named(report, "big").start_time == round(WALL_TIME - UPTIME_S + 10 * 100 / 100)


def test_start_time_is_unknown_in_a_captured_tree() -> None:
    tree = make(make_profile(1, source="tree", privileged=None))
    assert named(tree, "big").start_time is None
    assert tree.source.kind == "tree"
    assert "captured-tree" in limits(tree)


def test_command_lines_are_redacted_unless_asked_otherwise(report: Report) -> None:
    assert named(report, "big").command_line == ["big", "--password=***", "--port", "5432"]
    assert report.source.redacted
    plain = make(make_profile(redacted=False), redact=False)
    assert named(plain, "big").command_line == ["big", "--password=hunter22", "--port", "5432"]
    assert not plain.source.redacted


def test_the_host_block_says_what_the_kernel_says(report: Report) -> None:
    host = report.host
    assert (host.hostname, host.cpu_model, host.cpus, host.numa_nodes) == ("h1", "Test CPU", 8, 2)
    assert (host.thp.enabled, host.thp.effective_enabled, host.thp.in_use_bytes) == ("madvise", "madvise", 6 * MIB)
    assert [pool.page_bytes for pool in host.pools] == [2 * MIB, GIB]
    assert host.khugepaged.max_ptes_none == 511
    assert [(tlb.page_bytes, tlb.reach_bytes) for tlb in host.tlb] == [(4 * KIB, 4 * MIB), (2 * MIB, 2 * GIB)]
    assert host.memory_pressure_some_avg10 is None


def test_supply_is_by_size_and_node_and_unknown_is_not_nothing(report: Report) -> None:
    found = {(entry.page_bytes, entry.node): entry for entry in report.host.supply}
    assert found[2 * MIB, 0].available_now == 3 + 2 * 2
    assert found[2 * MIB, 1].available_now == 1
    assert (found[GIB, 0].available_now, found[GIB, 0].low, found[GIB, 0].high) == (None, None, None)
    assert "kpageflags" in found[GIB, 0].basis


def test_costs_are_summed_over_the_samples(report: Report) -> None:
    cost = report.source.cost
    assert (cost.cpu_s, cost.wall_s, cost.smaps_reads) == (0.02, 0.04, 4)
    assert cost.share_of_one_cpu == pytest.approx(0.01)


def test_one_sample_has_no_share_of_a_cpu_and_says_what_is_missing() -> None:
    single = make(make_profile(1))
    assert single.source.cost.share_of_one_cpu is None
    assert "one-sample-only" in limits(single)


def test_skipped_processes_are_listed_once(report: Report) -> None:
    assert [(entry.pid, entry.reason) for entry in report.skipped] == [(98, "denied"), (99, "gone")]


def test_limitations_name_what_was_not_seen(report: Report) -> None:
    expected = {
        "smaps-denied",
        "pagetypeinfo-denied",
        "malformed-files",
        "supply-unknown",
        "no-model",
    }
    assert expected <= limits(report)
    assert "one-sample-only" not in limits(report)
    assert len(report.limitations) == len(limits(report))


def test_processes_whose_turn_had_not_come_are_counted() -> None:
    profile = make_profile()
    unread = [
        replace(sample, processes=[replace(one, maps=None, rollup=None) for one in sample.processes])
        for sample in profile.samples
    ]
    assert "reads-put-off" in limits(make(replace(profile, samples=unread)))
    assert "reads-put-off" not in limits(make(profile))


def test_root_is_not_told_to_become_root() -> None:
    remedies = {one.id: one.remedy or "" for one in make(make_profile(privileged=True)).limitations}
    assert "as root" not in remedies["smaps-denied"]


def test_remedies_name_the_least_capabilities_not_root_alone() -> None:
    hidden = replace(HOST, problems={"pagetypeinfo": "denied", "tracefs": "denied", "kpageflags": "denied"})
    profile = make_profile()
    denied = {"pagemap": "denied", "fd": "denied"}
    samples = [
        replace(sample, host=hidden, processes=[replace(one, problems=denied) for one in sample.processes])
        for sample in profile.samples
    ]
    remedies = {one.id: one.remedy or "" for one in make(replace(profile, samples=samples)).limitations}
    remedies |= {one.id: one.remedy or "" for one in make(profile).limitations if one.id == "smaps-denied"}
    for limitation, needs in {
        "smaps-denied": ["mappings"],
        "pagetypeinfo-denied": ["pagetypes"],
        "khugepaged-not-traced": ["tracing"],
        "supply-unknown": ["flags"],
        "denied-files": ["pages", "buffers", "flags"],
    }.items():
        least = {name for need in needs for name in NEEDS[need].least}
        assert set(re.findall("CAP_[A-Z_]+", remedies[limitation])) - {"CAP_PERFMON"} == least, limitation


def test_a_kernel_without_huge_pages_is_a_limitation() -> None:
    bare = replace(HOST, thp=None, pools=None)
    profile = make_profile()
    profile = replace(profile, samples=[replace(sample, host=bare) for sample in profile.samples])
    assert {"no-thp", "no-hugetlb"} <= limits(make(profile))


def test_no_limitation_about_privileges_where_all_was_read() -> None:
    profile = make_profile(privileged=True)
    clean = replace(HOST, problems={})
    samples = [
        replace(sample, host=clean, processes=[one for one in sample.processes if one.pid != 30])
        for sample in profile.samples
    ]
    found = limits(make(replace(profile, samples=samples)))
    assert not {"smaps-denied", "pagetypeinfo-denied", "denied-files", "not-privileged"} & found


def test_probes_show_what_they_found_what_they_cost_and_why_they_could_not_run() -> None:
    density = Density(2 * MIB, 4 * KIB, [0] * 8 + [3], [0] * 8 + [6 * MIB], 0, 0, 0, True)
    probes = ProcessProbes(
        density=density,
        costs={"density": ProbeCost(0.01, 0.005, 0.0)},
        problems={"soft-dirty": "missing: this kernel keeps no soft-dirty bits"},
    )
    profile = make_profile(1)
    processes = [record(1, "probed", 6 * MIB, probes=probes), record(2, "other", 6 * MIB)]
    made = make(replace(profile, samples=[replace(profile.samples[0], processes=processes)]))
    probed = named(made, "probed")
    assert named(made, "other").probes is None
    assert probed.probes is not None
    assert probed.probes.features == {
        "probe_density_mean": 1.0,
        "probe_sparse_slot_share": 0.0,
        "probe_fill_bytes": 0,
        "probe_slot_outside_bytes": 0,
    }
    assert probed.probes.costs["density"].wall_s == 0.01
    assert list(probed.probes.problems) == ["soft-dirty"]
    jsonschema.validate(json.loads(encode_report(made)), report_schema())


def test_reasons_against_huge_pages_are_the_largest_first(report: Report) -> None:
    reasons = named(report, "big").why_not_huge
    assert sum(reason.bytes or 0 for reason in reasons) == 8 * GIB
    assert reasons == sorted(reasons, key=lambda reason: -(reason.bytes or 0))


def test_the_summary_counts_the_processes_that_change(report: Report) -> None:
    changing = sum(process.recommendation.changes for process in report.processes)
    start = f"{changing} of 3 processes should change" if changing else "Nothing should change"
    assert report.plan.summary.startswith(start)


def test_a_saved_profile_gives_the_same_report_but_for_its_kind() -> None:
    profile = make_profile()
    live, saved = make(profile), make(profile, kind="profile")
    assert saved == replace(live, source=replace(live.source, kind="profile"))


def test_a_profile_without_samples_gives_an_empty_report() -> None:
    empty = make(replace(make_profile(), samples=[]))
    assert empty.processes == []
    assert empty.source.observed_at is None
    assert empty.host.hostname == "h1"


def test_advice_beside_the_wrong_row_is_refused() -> None:
    profile = make_profile()
    frame = feature_table_of(observe(fold_samples(profile)))
    advice, plan = recommend(frame)
    with pytest.raises(ValueError, match="stands beside"):
        build_report(profile, frame, advice[::-1], plan, {}, now=NOW, tool_version="0", redact=True)
