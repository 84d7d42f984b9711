"""The makers' word in the decision: what it forbids holds against the model, and mode and version turn it round."""

from __future__ import annotations

from typing import Any

import pytest

from advisor.advise import advise
from advisor.procfs.facts import ElfFacts, ProgramFacts
from advisor.profile.model import ProcessFacts
from advisor.recommendation import recommend
from advisor.report.document import Report
from advisor.report.process import ProcessEntry
from advisor.units import GIB, MIB
from tests.features.factory import host_state, mapping, process, profile, sample, stat, status, thp
from tests.recommendation.planted_rows import program
from tests.recommendation.test_gains import BIG, advised, predicted
from tests.rules.application_examples import CLICKHOUSE, MONGODB, MONGODB_7, MONGODB_8, POSTGRESQL, REDIS, UCX
from tests.rules.rows import PMD, POOL_USER, Values, frame

LOVES_THP = predicted((0.4, None, None))
"""A model that is sure of 40 %."""

HATES_THP = predicted((-0.4, None, None))


def words_of(row: Values) -> Values:
    """What an example's application is and says, without its memory."""
    return {name: value for name, value in row.items() if name.startswith("application_")}


COVERED: Values = {
    **BIG, "anon_huge_bytes": GIB, "anon_base_bytes": 0, "anon_huge_coverage": 1.0, "huge_coverage": 1.0,
    "host_thp_enabled": "always",
}  # fmt: skip
"""1 GiB on THP under mode always."""


@pytest.mark.parametrize("words", [REDIS, MONGODB_7, MONGODB, CLICKHOUSE])
def test_what_makers_forbid_holds_against_a_model_that_promises_much(words: Values) -> None:
    one = advised({**BIG, **words_of(words)}, LOVES_THP)
    assert one.policy == "leave"
    assert all(alternative.policy != "hugetlb" for alternative in one.alternatives)
    barred = [alternative for alternative in one.alternatives if alternative.policy == "thp"]
    assert barred and all(alternative.why_not.startswith("application-") for alternative in barred)


@pytest.mark.parametrize("words", [MONGODB_7, REDIS, CLICKHOUSE])
def test_under_always_thp_goes_off_for_it_whatever_the_model_says(words: Values) -> None:
    for row in (COVERED, {**BIG, "host_thp_enabled": "always"}):
        one = advised({**row, **words_of(words)}, LOVES_THP)
        assert one.policy == "thp-off"
        assert one.decided_by != "model"
        assert one.reasons[0].sources[0] == words["application_source"]


@pytest.mark.parametrize("words", [MONGODB_8, MONGODB])
def test_a_model_against_thp_does_not_switch_off_what_makers_want_on_or_may_want(words: Values) -> None:
    assert advised({**COVERED, **words_of(words)}, HATES_THP).policy == "leave"
    assert advised(COVERED, HATES_THP).policy == "thp-off", "as it would for anybody else"


def test_makers_who_want_thp_get_it_against_a_model_that_sees_no_gain() -> None:
    one = advised({**BIG, **words_of(MONGODB_8)}, predicted((0.001, None, None)))
    assert (one.policy, one.reasons[0].rule) == ("thp", "application-wants-thp")


def test_an_idle_program_is_not_changed_for_its_makers_sake() -> None:
    one = recommend(frame({**BIG, **words_of(MONGODB_8), "cpu_cores": 0.0}))[0][0].recommendation
    assert one.policy == "leave"


def test_a_switch_on_purpose_is_not_to_be_looked_for() -> None:
    row = {**BIG, **words_of(REDIS), "thp_disabled_by_process": True, "host_thp_enabled": "always"}
    rules = [reason.rule for reason in advised(row, LOVES_THP).reasons]
    assert rules[0] == "application-avoids-thp"
    assert "thp-disabled-by-process" not in rules


def test_explicit_pages_are_not_forbidden_with_transparent_ones() -> None:
    columns = ("shmem_rss_bytes", "shmem_base_bytes", "shmem_mapped_bytes", "shared_object_bytes")
    shared = dict.fromkeys(columns, 2 * GIB)
    row = program(1, **words_of(POSTGRESQL), **shared, name="postgres", executable="postgres")
    one = advised(row, predicted("private memory only"))
    assert (one.policy, one.page_bytes, one.reasons[0].rule) == ("hugetlb", PMD, "application-prefers-a-pool")


def test_pool_pages_taken_unasked_are_counted_and_named() -> None:
    one = recommend(frame(program(1, **UCX, **POOL_USER)))[0][0].recommendation
    assert (one.policy, one.page_bytes) == ("hugetlb", PMD)
    assert "pool-taken-unasked" in [reason.rule for reason in one.reasons]


# The same through whole profiles: as a server of that kind would have been recorded.


def server(name: str, mode: str, **versions: str) -> Report:
    """A busy server with 2 GiB on base pages; versions: as the collector would have found them."""
    executable = f"/usr/bin/{name}"
    made = ProgramFacts(ElfFacts(executable, "pie", False), allocator="custom", versions=versions)
    facts = ProcessFacts(name, 0, "root", 1, executable, [executable], program=made)
    size = {"Rss": 2 * GIB, "Anonymous": 2 * GIB, "Pss": 2 * GIB}
    maps = [mapping("anon", 2 * GIB, eligible=int(mode == "always"), **size)]
    memory = {"MemTotal": 32 * GIB, "MemAvailable": 20 * GIB}

    def at(seconds: float) -> Any:
        ticks = stat(ticks=int(100 * seconds), rss_pages=2 * GIB // 4096, minor_faults=10)
        one = process(facts=facts, stat=ticks, status=status(thp_enabled=1), maps=maps)
        return sample(
            one, t_s=seconds, host=host_state(thp=thp(enabled=mode), meminfo=memory, uptime_s=1e6 + seconds)
        )

    return advise(profile(at(0.0), at(10.0), arch="x86_64"))


def only(report: Report) -> ProcessEntry:
    (entry,) = report.processes
    return entry


@pytest.mark.parametrize(
    ("name", "mode", "versions", "policy"),
    [
        ("mongod", "never", {"mongodb": "8.0 or later"}, "thp"),
        ("mongod", "madvise", {"mongodb": "8.0 or later"}, "thp"),
        ("mongod", "always", {"mongodb": "before 8.0"}, "thp-off"),
        ("mongod", "madvise", {"mongodb": "before 8.0"}, "leave"),
        ("mongod", "never", {"mongodb": "7.0.15"}, "leave"),
        ("mongod", "madvise", {}, "leave"),
        ("valkey-server", "always", {}, "thp-off"),
        ("valkey-server", "madvise", {"valkey": "8.0.1"}, "leave"),
        ("varnishd", "always", {"varnish": "before 7.7"}, "thp-off"),
        ("ceph-osd", "madvise", {}, "leave"),
        ("clickhouse-server", "always", {}, "thp-off"),
        ("unknown-server", "madvise", {}, "thp"),
    ],
)
def test_a_server_is_advised_as_its_makers_want_for_its_version(
    name: str, mode: str, versions: dict[str, str], policy: str
) -> None:
    report = server(name, mode, **versions)
    entry = only(report)
    assert entry.recommendation.policy == policy
    assert report.plan.pools == []
    if entry.application is not None:
        deciding = entry.recommendation.reasons[0]
        assert deciding.rule.startswith("application-")
        assert deciding.sources[0] and "known applications" not in deciding.sources[0]
        assert entry.application.version == (next(iter(versions.values())) if versions else None)


def test_the_remedy_beside_its_memory_does_not_undo_what_makers_want() -> None:
    remedies = {base.remedy for base in only(server("valkey-server", "madvise")).why_not_huge if base.bytes > MIB}
    assert remedies == {"On purpose: its makers want transparent huge pages off for it. Nothing to do."}
    others = {
        base.remedy or "" for base in only(server("unknown-server", "madvise")).why_not_huge if base.bytes > MIB
    }
    assert not any("On purpose" in one for one in others)


def texts(row: Values) -> list[str]:
    return recommend(frame(row))[0][0].recommendation.artefacts


def test_an_option_is_advised_only_to_a_release_that_has_it() -> None:
    exposed = program(
        7, anon_bytes=GIB, slotted_anon_bytes=GIB, slot_bytes=GIB, host_thp_enabled="always", name="redis-server",
        executable="redis-server", allocator="jemalloc", **words_of(REDIS), application_version="7.0.15",
    )  # fmt: skip
    old = {**exposed, "application_stance": "wants-off", "application_version": "6.0.16"}
    assert texts(exposed) == ["redis-redis-server-7"]
    assert len(texts(old)) == 1 and not texts(old)[0].startswith("redis-")


def test_a_malloc_that_cannot_be_told_is_not_told() -> None:
    told = program(7, anon_bytes=GIB, slotted_anon_bytes=GIB, slot_bytes=GIB, name="svc", executable="svc")
    assert len(texts({**told, "malloc_tunable": True})) == 1
    assert texts({**told, "malloc_tunable": False}) == ["thp-now", "thp-boot"], "the host's mode is what is left"
