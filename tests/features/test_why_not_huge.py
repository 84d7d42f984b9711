from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from advisor.features import feature_table, why_not_huge
from advisor.features.why_not_huge import REMEDIES
from advisor.procfs.facts import ThpSize
from advisor.profile.model import HostState, Mapping, Profile
from advisor.units import KIB, MIB
from tests.features.factory import PMD, host_state, mapping, process, profile, sample, status, thp
from tests.features.strategies import base_bytes, mappings


def reasons(*maps: Mapping, host: HostState | None = None, **lines: Any) -> dict[str, tuple[int, int]]:
    """Reason -> (bytes, VMAs) of the only process."""
    ((_, found),) = why_not_huge(profile(sample(process(maps=list(maps), status=status(**lines)), host=host))).items()
    return {reason.id: (reason.bytes, reason.vmas) for reason in found if reason.bytes}


def beside(*maps: Mapping, **options: Any) -> dict[str, int]:
    """Reason -> what it concerns beside base pages."""
    ((_, found),) = why_not_huge(profile(sample(process(maps=list(maps)), **options))).items()
    return {reason.id: reason.beside_bytes for reason in found if reason.beside_bytes}


def anon(size: int = 8 * MIB, resident: int = MIB, **options: Any) -> Mapping:
    return mapping("anon", size, Rss=resident, Anonymous=resident, **options)


def shmem(**options: Any) -> Mapping:
    return mapping("shmem", 8 * MIB, Rss=MIB, **options)


NEVER = host_state(thp=thp(enabled="never"))
MADVISE = host_state(thp=thp(enabled="madvise"))
MTHP_ONLY = host_state(thp=thp(enabled="never", sizes=[ThpSize(64 * KIB, "always"), ThpSize(PMD, "inherit")]))
SHMEM_ADVISE = host_state(thp=thp(shmem_enabled="advise"))
SHMEM_ALWAYS = host_state(thp=thp(shmem_enabled="always"))
UNREAD = HostState(problems={"host files": "hung"})
NO_THP = HostState(problems={"kernel/mm/transparent_hugepage": "missing"})


@pytest.mark.parametrize(
    ("vma", "host", "thp_enabled", "reason"),
    [
        (anon(eligible=1), NO_THP, 1, "no-thp-in-kernel"),
        (anon(), NO_THP, 0, "no-thp-in-kernel"),
        (anon(advice="nh"), None, 0, "prctl"),
        (shmem(), None, 0, "prctl"),
        (anon(advice="nh"), NEVER, 1, "advised-against"),
        (shmem(advice="nh"), None, 1, "advised-against"),
        (anon(), MADVISE, 1, "not-advised"),
        (anon(size=MIB), MADVISE, 1, "mapping-too-small"),
        (anon(size=3 * MIB, slot_bytes=0), NEVER, 1, "misaligned"),
        (anon(size=MIB, advice="nh"), NEVER, 0, "mapping-too-small"),
        (anon(advice="hg", eligible=1), MADVISE, 1, "eligible-not-yet"),
        (anon(advice="hg"), NEVER, 1, "host-mode-never"),
        (anon(advice=None, eligible=None), NEVER, None, "host-mode-never"),
        (anon(eligible=1), MTHP_ONLY, 1, "host-mode-never"),
        (shmem(), None, 1, "shmem-not-enabled"),
        (shmem(eligible=1), None, 1, "eligible-not-yet"),
        (shmem(), SHMEM_ADVISE, 1, "shmem-not-advised"),
        (shmem(advice="hg", eligible=None), SHMEM_ADVISE, 1, "eligible-not-yet"),
        (shmem(eligible=0), SHMEM_ALWAYS, 1, "misaligned"),
        (shmem(eligible=0, advice="hg"), SHMEM_ADVISE, 1, "misaligned"),
        (replace(shmem(eligible=0), name="/dev/shm/a"), SHMEM_ALWAYS, 1, "shmem-not-enabled"),
        (shmem(eligible=1), SHMEM_ALWAYS, 1, "eligible-not-yet"),
        (mapping("file", 8 * MIB, Rss=MIB, Anonymous=MIB), None, 1, "private-file-copy"),
        (mapping("file", MIB, Rss=MIB, Anonymous=MIB, advice="nh"), NEVER, 0, "private-file-copy"),
        (anon(size=MIB), None, 1, "mapping-too-small"),
        (anon(size=64 * MIB, count=64, start=None), None, 1, "mapping-too-small"),
        (anon(size=3 * MIB, slot_bytes=0), None, 1, "misaligned"),
        (anon(eligible=1), None, 1, "eligible-not-yet"),
        (anon(eligible=None), None, 1, "eligible-not-yet"),
        (anon(eligible=0), None, 1, "prctl-except-advised"),
        (anon(eligible=0), None, None, "unknown"),
        (anon(eligible=0, advice="hg"), None, 1, "unknown"),
        (anon(advice=None, eligible=None), None, None, "unknown"),
        (anon(advice=None, eligible=None), MADVISE, None, "unknown"),
        (anon(pmd=None, eligible=1), host_state(thp=thp(pmd_bytes=None)), 1, "unknown"),
        (anon(eligible=1), UNREAD, 1, "unknown"),
    ],
)
def test_memory_on_base_pages_has_the_first_reason_that_holds(
    vma: Mapping, host: HostState | None, thp_enabled: int | None, reason: str
) -> None:
    assert reasons(vma, host=host, thp_enabled=thp_enabled) == {reason: (MIB, vma.count)}


def test_what_is_huge_already_has_no_reason() -> None:
    assert reasons(anon(resident=4 * MIB, AnonHugePages=4 * MIB, eligible=1)) == {}
    assert reasons(mapping("hugetlb", 4 * MIB, page_bytes=PMD, Private_Hugetlb=4 * MIB)) == {}
    assert reasons(mapping("file", 4 * MIB, Rss=4 * MIB)) == {}


def test_a_vma_is_divided_between_its_slots_and_what_lies_outside() -> None:
    vma = mapping("anon", 9 * MIB, Rss=8 * MIB, Anonymous=8 * MIB, AnonHugePages=2 * MIB, eligible=1)
    assert reasons(vma) == {"misaligned": (MIB, 1), "eligible-not-yet": (5 * MIB, 1)}


def test_vmas_of_one_reason_are_added_up_and_reasons_come_in_order_of_precedence() -> None:
    found = reasons(anon(eligible=1), anon(advice="nh"), anon(size=MIB), anon(advice="nh"), anon(size=MIB))
    assert found == {"advised-against": (2 * MIB, 2), "mapping-too-small": (2 * MIB, 2), "eligible-not-yet": (MIB, 1)}
    order = list(REMEDIES)
    assert list(found) == sorted(found, key=order.index)


def test_a_process_whose_smaps_is_unknown_is_absent_and_one_without_base_pages_has_an_empty_list() -> None:
    fields = ["Rss"]
    old = sample(process(3, maps=[mapping("anon", MIB, fields=fields, Rss=KIB)]), fields=fields)
    unread = sample(process(1), process(2, maps=[]), t_s=1.0)
    assert why_not_huge(profile(old, unread)) == {(2, 100): []}


def test_every_reason_comes_with_its_remedy() -> None:
    ((_, found),) = why_not_huge(profile(sample(process(maps=[anon(size=MIB)])))).items()
    assert [reason.remedy for reason in found] == [REMEDIES["mapping-too-small"]]
    assert all(remedy.endswith(".") for remedy in REMEDIES.values())


HOSTS = st.builds(
    lambda enabled, shmem_enabled, sizes: host_state(
        thp=thp(enabled=enabled, shmem_enabled=shmem_enabled, sizes=sizes)
    ),
    st.sampled_from(["always", "madvise", "never", None]),
    st.sampled_from(["always", "within_size", "advise", "never", "deny", "force", None]),
    st.sampled_from([[], [ThpSize(64 * KIB, "always"), ThpSize(PMD, "inherit")], [ThpSize(PMD, "madvise")]]),
) | st.sampled_from([NO_THP, UNREAD, host_state(thp=thp(pmd_bytes=None))])


@settings(deadline=None)
@given(st.lists(st.lists(mappings(), max_size=6), min_size=1, max_size=4), HOSTS, st.sampled_from([0, 1, None]))
def test_reasons_add_up_to_all_base_page_bytes(
    processes: list[list[Mapping]], host: HostState, thp_enabled: int | None
) -> None:
    records = [
        process(pid, maps=maps, status=status(thp_enabled=thp_enabled)) for pid, maps in enumerate(processes, 1)
    ]
    observed: Profile = profile(sample(*records, host=host))
    found = why_not_huge(observed)
    table = feature_table(observed)
    base = dict(zip(table["pid"], table["anon_base_bytes"] + table["shmem_base_bytes"], strict=True))
    for pid, maps in enumerate(processes, 1):
        parts = found[(pid, 100)]
        assert sum(part.bytes for part in parts) == sum(map(base_bytes, maps)) == base[pid]
        assert all((part.bytes > 0 or part.beside_bytes) and part.vmas > 0 for part in parts)
        assert len({part.id for part in parts}) == len(parts)
