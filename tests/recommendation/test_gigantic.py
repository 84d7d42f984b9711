"""The verdict on gigantic pages, in words."""

from __future__ import annotations

import pytest

from advisor.recommendation import recommend
from advisor.recommendation.gigantic import gigantic_verdict
from advisor.units import GIB, MIB
from tests.recommendation.planted_rows import program
from tests.rules.rows import frame

BOOT = {"host_gigantic_boot_pages": 22, "host_pool_gigantic_unused_pages": 1, "host_gigantic_supply_pages": 4}


def verdict(resident: int, **values: object) -> str | None:
    row = frame({**program(1), "resident_memory_bytes": resident, **BOOT, **values}).to_dicts()[0]
    return gigantic_verdict(row)


@pytest.mark.parametrize(
    ("resident", "values", "words"),
    [
        (
            2 * GIB,
            {},
            "2 MiB is enough: 2 GiB resident, the bound of its working set, fits into what the TLB reaches, 3 GiB.",
        ),
        (
            40 * GIB,
            {"probe_touched_bytes": GIB},
            "2 MiB is enough: 1 GiB touched, fits into what the TLB reaches, 3 GiB.",
        ),
        (
            40 * GIB,
            {"tlb_reach_gigantic_bytes": 2 * GIB},
            "2 MiB is enough: with 1 GiB pages the last level of this TLB reaches 2 GiB, with 2 MiB 3 GiB.",
        ),
        (
            40 * GIB,
            {"tlb_reach_gigantic_bytes": None},
            "2 MiB is enough: with 1 GiB pages the last level of this TLB has no entries for it, with 2 MiB 3 GiB.",
        ),
        (
            4 * GIB,
            {},
            "2 MiB is nearly enough: 4 GiB resident, the bound of its working set, is 1.3 times what the TLB reaches "
            "with 2 MiB pages; a trial would tell whether 1 GiB pages gain anything.",
        ),
        (
            40 * GIB,
            {"host_tlb_first_gigantic_entries": 4},
            "1 GiB could gain over 2 MiB: 40 GiB resident, the bound of its working set, is 13.3 times what the TLB "
            "reaches with 2 MiB pages, with 1 GiB pages it reaches 16 GiB. The first level of this TLB holds only 4 "
            "of 1 GiB: scattered access can be slower with them. It needs 40. The pool has 1 unused, 4 more could be "
            "had now, about 22 in all if reserved at boot.",
        ),
        (
            40 * GIB,
            {"tlb_reach_pmd_bytes": None},
            "Whether 1 GiB pages would help cannot be told: the TLB of this CPU is not known.",
        ),
        (900 * MIB, {}, None),
        (40 * GIB, {"host_pool_gigantic_page_bytes": None}, None),
    ],
)
def test_the_verdict_weighs_reach_working_set_and_supply(
    resident: int, values: dict[str, object], words: str | None
) -> None:
    assert verdict(resident, **values) == words


def test_a_guest_of_a_part_of_a_gigabyte_is_told_so() -> None:
    found = verdict(40 * GIB, is_vmm=True, guest_ram_bytes=40 * GIB + 512 * MIB)
    assert found is not None
    assert "The guest's 40.5 GiB are no whole number of them: give it 41 GiB." in found


def test_the_plan_says_how_many_there_are_where_somebody_uses_them() -> None:
    row = program(
        3,
        resident_memory_bytes=GIB,
        hugetlb_bytes=2 * GIB,
        hugetlb_mapped_bytes=2 * GIB,
        hugetlb_page_bytes=GIB,
        **BOOT,
    )
    advice, plan = recommend(frame(row))
    assert (advice[0].recommendation.policy, advice[0].recommendation.page_bytes) == ("hugetlb", GIB)
    assert plan.summary[-1] == (
        "Pages of 1 GiB: 1 process is advised to use them. The pool has 1 unused, 4 more could be had now, about 22 "
        "in all if reserved at boot."
    )
