"""Random mappings that a kernel could have printed, and plain sums over them to compare with."""

from __future__ import annotations

from typing import Any

from hypothesis import strategies as st

from advisor.profile.model import Mapping
from tests.features.factory import BASE_PAGE, PMD, SMAPS_FIELDS, mapping

KINDS = ["anon", "heap", "stack", "shmem", "file", "hugetlb", "special"]
PMD_PAGES = PMD // BASE_PAGE
MAX_PAGES = 4 * PMD_PAGES


@st.composite
def mappings(draw: st.DrawFn) -> Mapping:
    """One VMA: huge parts fit in its slots, resident parts in its size; hugetlb has no other resident pages."""
    kind = draw(st.sampled_from(KINDS))
    size = draw(st.integers(1, MAX_PAGES))
    slots = draw(st.integers(max(0, size // PMD_PAGES - 1), size // PMD_PAGES))
    options: dict[str, Any] = {
        "advice": draw(st.sampled_from(["", "hg", "nh", None])),
        "eligible": draw(st.sampled_from([0, 1, None])),
        "writable": draw(st.booleans()),
        "shared": kind in ("shmem", "hugetlb"),
        "object": f"0:{draw(st.integers(1, 3))}" if kind == "shmem" else None,
        "slot_bytes": slots * PMD,
    }
    if kind == "hugetlb":
        pages = draw(st.integers(0, slots))
        return mapping(kind, size * BASE_PAGE, page_bytes=PMD, Private_Hugetlb=pages * PMD, **options)
    anon_huge = draw(st.integers(0, slots)) if kind in ("anon", "heap") else 0
    shmem_huge = draw(st.integers(0, slots)) if kind in ("shmem", "file") else 0
    huge = (anon_huge + shmem_huge) * PMD_PAGES
    anon = anon_huge * PMD_PAGES + draw(st.integers(0, size - huge))
    other = 0 if kind in ("anon", "heap", "stack") else draw(st.integers(0, size - shmem_huge * PMD_PAGES - anon))
    return mapping(
        kind,
        size * BASE_PAGE,
        Anonymous=anon * BASE_PAGE,
        Rss=(anon + shmem_huge * PMD_PAGES + other) * BASE_PAGE,
        AnonHugePages=anon_huge * PMD,
        ShmemPmdMapped=shmem_huge * PMD,
        **options,
    )


def value(vma: Mapping, field: str) -> int:
    return vma.values[SMAPS_FIELDS.index(field)]


def shmem_resident(vma: Mapping) -> int:
    """Resident pages known to be shmem."""
    if vma.kind == "shmem":
        return value(vma, "Rss") - value(vma, "Anonymous")
    return value(vma, "ShmemPmdMapped")


def base_bytes(vma: Mapping) -> int:
    """Anonymous and shmem bytes on base pages."""
    anon = value(vma, "Anonymous") - value(vma, "AnonHugePages")
    return anon + shmem_resident(vma) - value(vma, "ShmemPmdMapped")
