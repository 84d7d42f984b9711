"""The advice for each sample profile, against what is true of it by how it was made (see its README)."""

from __future__ import annotations

from pathlib import Path

import pytest

from advisor.advise import advise
from advisor.predictor import Predictor, load_predictor
from advisor.profile.codec import load_profile
from advisor.report.process import ProcessEntry

FOLDER = Path(__file__).resolve().parents[1] / "sample_profiles"
PMD = 2 << 20

POOL_OF_POSTGRES = 537
"""Pages of 2M that the recorded server itself stated (shared_memory_size_in_huge_pages)."""
POOL_OF_GUEST = 512
"""A guest of 1 GiB."""

TRUTH: dict[str, tuple[str, str, int | None, bool]] = {
    "postgres-huge-pages-off": ("postgres", "hugetlb", POOL_OF_POSTGRES, True),
    "postgres-pool-too-small": ("postgres", "hugetlb", POOL_OF_POSTGRES, True),
    "postgres-huge-pages-on": ("postgres", "hugetlb", None, False),
    "redis-madvise": ("redis-server", "leave", None, False),
    "redis-always": ("redis-server", "leave", None, False),
    "memcached": ("memcached", "thp", None, True),
    "jvm": ("java", "thp", None, True),
    "jvm-thp": ("java", "leave", None, False),
    "numpy-gather": ("python3", "leave", None, False),
    "numpy-gather-base-pages": ("python3", "thp", None, True),
    "sparse-madvise": ("python3", "thp-off", None, True),
    "qemu-thp": ("qemu-system-x86", "leave", None, False),
    "qemu-base-pages": ("qemu-system-x86", "hugetlb", POOL_OF_GUEST, True),
    "qemu-memfd-shared": ("qemu-system-x86", "hugetlb", POOL_OF_GUEST, True),
    "qemu-hugetlb": ("qemu-system-x86", "hugetlb", POOL_OF_GUEST, False),
}
"""Profile: name of the process that matters, its policy, its pages where they are known, whether it is a change."""


def largest(profile: str, name: str, predictor: Predictor | None = None) -> ProcessEntry:
    entries = advise(load_profile(FOLDER / f"{profile}.jsonl.zst"), predictor=predictor).processes
    return max(
        (entry for entry in entries if entry.name == name),
        key=lambda entry: (entry.memory.rss_bytes or 0) + (entry.memory.hugetlb_bytes or 0),
    )


@pytest.fixture(scope="module", params=["rules", "rules and model"])
def predictor(request: pytest.FixtureRequest) -> Predictor | None:
    return load_predictor() if request.param == "rules and model" else None


@pytest.mark.parametrize("profile", TRUTH)
def test_advice_agrees_with_what_is_true_of_the_recording(profile: str, predictor: Predictor | None) -> None:
    name, policy, pages, changes = TRUTH[profile]
    advice = largest(profile, name, predictor).recommendation
    assert (advice.policy, advice.changes) == (policy, changes)
    if pages is not None:
        assert (advice.pages, advice.page_bytes) == (pages, PMD)


def test_nothing_changes_on_an_idle_host() -> None:
    report = advise(load_profile(FOLDER / "idle.jsonl.zst"))
    assert {entry.recommendation.policy for entry in report.processes} == {"leave"}
    assert report.plan.artefacts == []


def test_what_smaps_cannot_show_is_not_claimed_with_high_confidence() -> None:
    """16 MiB of data in 8 GiB of huge pages looks like 8 GiB of data."""
    advice = largest("sparse-always", "python3").recommendation
    assert advice.policy == "leave"
    assert advice.confidence != "high"


def test_every_profile_has_its_truth_here() -> None:
    recorded = {path.name.removesuffix(".jsonl.zst") for path in FOLDER.glob("*.jsonl.zst")}
    elsewhere = {"idle", "sparse-always", "malloc-churn-always"}
    assert recorded == TRUTH.keys() | elsewhere
