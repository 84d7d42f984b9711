"""Where model and rules meet: who decides, what is expected from today's pages, and when to measure."""

from __future__ import annotations

import math
from typing import Any

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from advisor.predictor import OUTPUTS, Thresholds
from advisor.recommendation import Gain, Predicted, Recommendation, decisions, recommend
from advisor.recommendation.gains import Expectation, gain_from_now, in_words, present
from advisor.units import GIB, MIB
from tests.recommendation.planted_rows import program
from tests.rules.rows import PMD, QUIET, Values, frame

PLAIN = Thresholds(least_gain=0.02, caution=0.0, pool_margin=0.0, gigantic_margin=0.0)
LEVEL = 0.9

BIG = program(1, anon_bytes=GIB, slotted_anon_bytes=GIB, slot_bytes=GIB, huge_coverage=0.0)
"""A rule proposes THP: 1 GiB on base pages that does not ask for huge ones."""

MIDDLE = program(1, anon_bytes=100 * MIB, slotted_anon_bytes=100 * MIB, slot_bytes=100 * MIB, huge_coverage=0.0)
"""A rule leaves it alone without being sure."""

COVERED = {**BIG, "anon_huge_bytes": GIB, "anon_base_bytes": 0, "anon_huge_coverage": 1.0, "huge_coverage": 1.0}
"""1 GiB, all of it on THP."""

JAVA = program(
    1, application_id="java", runtime="jvm", executable="java", name="java", anon_bytes=4 * GIB,
    slotted_anon_bytes=4 * GIB, slot_bytes=4 * GIB, huge_coverage=0.0,
)  # fmt: skip
"""Rules propose THP, and a pool as the alternative."""

DISABLED = {**BIG, "thp_disabled_by_process": True}

SPARSE = program(
    1, anon_bytes=100 * MIB, slotted_anon_bytes=90 * MIB, slot_bytes=8 * GIB, host_thp_enabled="always",
    huge_page_growth_bytes=8 * GIB, huge_coverage=0.0,
)  # fmt: skip


def predicted(
    *rows: tuple[float | None, float | None, float | None] | str, width: float = 0.01, thresholds: Thresholds = PLAIN
) -> Predicted:
    """Gains of THP, a 2M and a 1G pool by row, each with an interval of this half width; a text abstains."""
    lines: list[dict[str, Any]] = []
    for row in rows:
        gains = (None, None, None) if isinstance(row, str) else row
        line: dict[str, Any] = {"abstained": row if isinstance(row, str) else None}
        for output, gain in zip(("thp", "pool", "gigantic"), gains, strict=True):
            parts = {"gain": 0.0, "gain_low": -width, "gain_high": width}
            line |= {f"{output}_{part}": None if gain is None else gain + add for part, add in parts.items()}
        lines.append(line)
    names = [f"{output}_{part}" for output in OUTPUTS for part in ("gain", "gain_low", "gain_high")]
    schema = {**dict.fromkeys(names, pl.Float64), "abstained": pl.String}
    return Predicted(pl.DataFrame(lines, schema=schema), thresholds, LEVEL)


def advised(row: Values, said: Predicted, can_use: frozenset[Any] = frozenset()) -> Recommendation:
    return decisions(frame(row), said, [can_use])[0]


def heard(one: Recommendation) -> Any:
    return next(reason for reason in one.reasons if reason.rule == "gain-model")


def test_both_say_the_same() -> None:
    one = advised(BIG, predicted((0.1, None, None)))
    assert (one.policy, one.decided_by, one.override_reason) == ("thp", "both", None)
    assert one.expected_gain is not None
    assert (one.expected_gain.median, one.expected_gain.level) == (pytest.approx(0.1), LEVEL)
    assert one.reasons[0].rule == "large-anon-not-advised"
    assert one.reasons[1].rule == "gain-model"


def test_the_model_finds_a_change_not_worth_it() -> None:
    one = advised(BIG, predicted((0.001, None, None)))
    assert (one.policy, one.decided_by, one.expected_gain) == ("leave", "model", None)
    assert one.override_reason == (
        "large-anon-not-advised proposes thp; the model expects 0 % (-1 to 1 %) less time with THP than with base "
        "pages, too little for a change"
    )
    assert one.reasons[0].rule == "gain-model"
    (alternative,) = one.alternatives
    assert alternative.policy == "thp"
    assert alternative.expected_gain is not None
    assert alternative.why_not == one.override_reason


def test_the_model_proposes_where_no_rule_is_sure_that_nothing_can_be_gained() -> None:
    one = advised(MIDDLE, predicted((0.1, None, None)))
    assert (one.policy, one.page_bytes, one.decided_by) == ("thp", PMD, "model")
    assert one.override_reason is not None
    assert one.override_reason.startswith("middle-sized-process proposes leave; the model expects 10 % (9 to 11 %)")
    assert one.confidence == "medium"
    nothing = program(
        1, anon_bytes=300 * MIB, slotted_anon_bytes=200 * MIB, unslotted_anon_bytes=100 * MIB, huge_coverage=0.0,
        anon_huge_bytes=100 * MIB,
    )  # fmt: skip
    other = advised(nothing, predicted((0.1, None, None)))
    assert (other.policy, other.decided_by) == ("thp", "model")
    assert str(other.override_reason).startswith("no rule proposes a change; ")


def test_a_sure_rule_stands_and_what_the_model_said_is_kept() -> None:
    small = program(1, anon_bytes=3 * MIB, slotted_anon_bytes=3 * MIB, huge_coverage=0.0, file_rss_bytes=5 * MIB)
    one = advised(small, predicted((0.1, None, None)))
    assert (one.policy, one.decided_by, one.reasons[0].rule) == ("leave", "rules", "small-process")
    assert one.override_reason == (
        "the model expects 10 % (9 to 11 %) less time with THP than with base pages; small-process stands, as it is "
        "sure"
    )


def test_a_small_process_that_replaces_its_memory_all_the_time_is_not_small() -> None:
    small = program(
        1, anon_bytes=3 * MIB, slotted_anon_bytes=3 * MIB, huge_coverage=0.0, file_rss_bytes=5 * MIB,
        minor_faults_per_s=100_000.0,
    )  # fmt: skip
    assert advised(small, predicted((0.1, None, None))).policy == "thp"
    assert advised({**small, "minor_faults_per_s": 1000.0}, predicted((0.1, None, None))).policy == "leave"


def test_a_rule_that_is_not_about_time_stands() -> None:
    one = advised(SPARSE, predicted((0.1, 0.2, None)))
    assert (one.policy, one.decided_by) == ("thp-off", "both")
    one = advised(SPARSE, predicted((0.1, 0.2, None)), frozenset({"pool"}))
    assert (one.policy, one.decided_by) == ("thp-off", "rules")
    assert str(one.override_reason).endswith("sparse-memory-would-bloat stands, as it is not about time")


def test_a_rule_that_goes_by_what_the_model_does_not_see_stands_and_brings_its_text() -> None:
    trimming = program(
        1, anon_bytes=24 * MIB, slotted_anon_bytes=22 * MIB, slot_bytes=140 * MIB, huge_coverage=0.0,
        heap_bytes=23 * MIB, system_cores=0.85, minor_faults_per_s=20_000.0, rss_growth_bytes_per_s=0.0,
        populated_density=0.16,
    )  # fmt: skip
    one = advised(trimming, predicted((0.1, -0.1, None)))
    assert (one.policy, one.page_bytes, one.decided_by) == ("hugetlb", PMD, "rules")
    assert str(one.override_reason).endswith("stands, as the model does not see what it goes by")
    assert "malloc-command-python3.11-1" in recommend(frame(trimming))[0][0].recommendation.artefacts


def test_what_is_forbidden_is_never_preferred() -> None:
    one = advised(DISABLED, predicted((0.3, None, None)))
    assert (one.policy, one.decided_by) == ("leave", "both")
    assert "30 % (29 to 31 %) less time with THP" in heard(one).message


def test_it_abstains_and_the_rules_decide() -> None:
    one = advised(BIG, predicted("unlike every program measured so far, in cores"))
    assert (one.policy, one.decided_by, one.expected_gain) == ("thp", "rules", None)
    assert heard(one).status == "cannot-tell"
    assert heard(one).message == "No gain can be predicted: unlike every program measured so far, in cores."


def test_pools_are_advised_only_where_somebody_knows_how_the_program_gets_them() -> None:
    gains = predicted((0.05, 0.2, None))
    assert advised(BIG, gains).policy == "thp"
    java = advised(JAVA, gains)
    assert (java.policy, java.page_bytes, java.pages, java.decided_by) == ("hugetlb", PMD, 2048, "model")
    assert advised(BIG, gains, frozenset({"pool"})).policy == "hugetlb"
    tight = {**JAVA, "host_memory_available_share": 0.05}
    assert advised(tight, gains, frozenset({"pool"})).policy == "thp"


def test_a_process_on_thp_is_not_moved_for_a_gain_that_it_has() -> None:
    one = advised(COVERED, predicted((0.2, 0.21, None)), frozenset({"pool"}))
    assert (one.policy, one.decided_by) == ("leave", "both")
    java = {**JAVA, "huge_coverage": 0.6, "anon_huge_bytes": 2 * GIB, "anon_huge_coverage": 0.6}
    careful = Thresholds(least_gain=0.02, caution=0.0, pool_margin=0.03, gigantic_margin=0.0)
    assert advised(java, predicted((0.2, 0.21, None), thresholds=careful)).policy == "thp"


def test_thp_that_costs_time_is_switched_off() -> None:
    one = advised(COVERED, predicted((-0.25, None, None)))
    assert (one.policy, one.decided_by) == ("thp-off", "model")
    assert one.expected_gain is not None
    assert one.expected_gain.median == pytest.approx(0.2)
    assert one.expected_gain.low < one.expected_gain.median < one.expected_gain.high
    assert "25 % (24 to 26 %) more time with THP" in str(one.override_reason)
    assert "Base pages, against its pages of today: 20 % (19 to 21 %) less time" in heard(one).message


def test_thp_off_shows_what_thp_would_have_gained() -> None:
    row = {**SPARSE, "huge_coverage": 1.0, "anon_huge_bytes": 100 * MIB, "anon_huge_coverage": 1.0}
    one = advised(row, predicted((0.1, None, None)))
    assert (one.policy, one.expected_gain is not None) == ("thp-off", True)
    assert one.expected_gain is not None
    assert one.expected_gain.median == pytest.approx(1 - 1 / 0.9)


def test_a_model_of_private_memory_does_not_speak_for_shared_memory() -> None:
    shared = program(1, shmem_rss_bytes=100 * MIB, shmem_mapped_bytes=100 * MIB, huge_coverage=0.0)
    one = advised(shared, predicted((0.1, None, None)))
    assert (one.policy, one.decided_by) == ("leave", "rules")
    assert str(one.override_reason).endswith("it was measured on private memory, most of this is shared")


def test_a_virtual_machine_monitor_is_not_its_guest() -> None:
    guest = program(
        1, application_id="qemu", is_vmm=True, guest_ram_bytes=GIB, anon_bytes=GIB, slotted_anon_bytes=GIB,
        slot_bytes=GIB, huge_coverage=0.0, memory_to_pmd_reach=0.3,
    )  # fmt: skip
    one = advised(guest, predicted((0.2, 0.1, None)))
    assert (one.policy, one.decided_by, one.reasons[0].rule) == ("hugetlb", "rules", "guest-memory-on-base-pages")
    assert str(one.override_reason).endswith("what its guest does to its memory is not seen from outside")


def test_an_open_sign_with_something_at_stake_asks_for_a_measurement() -> None:
    open_sign = advised(BIG, predicted((0.03, None, None), width=0.05))
    assert heard(open_sign).remedy == (
        "Measure it: `hugepage-advisor trial --pid 1 --metric-cmd COMMAND`, where COMMAND prints its work so far, or "
        "`hugepage-advisor trial -- COMMAND` with the program itself."
    )
    assert heard(advised(BIG, predicted((0.1, None, None), width=0.05))).remedy is None
    assert heard(advised(BIG, predicted((0.001, None, None), width=0.01))).remedy is None
    little = {**MIDDLE, "anon_base_bytes": 40 * MIB}
    assert heard(advised(little, predicted((0.03, None, None), width=0.05))).remedy is None


def test_a_model_that_decides_with_an_open_sign_is_not_sure() -> None:
    assert advised(MIDDLE, predicted((0.04, None, None), width=0.05)).confidence == "low"


def test_an_unknown_policy_is_said_to_be_so() -> None:
    one = advised(BIG, predicted((None, 0.1, None)))
    assert one.policy == "leave"
    assert "the model has no measurements of THP" in heard(one).message


def gain(median: float, width: float = 0.01) -> Gain:
    return Gain(median, median - width, median + width, LEVEL)


@pytest.mark.parametrize(
    ("facts", "expected"),
    [
        ({}, "base"),
        ({"huge_coverage": 0.49}, "base"),
        ({"huge_coverage": 0.9, "anon_bytes": GIB}, "thp"),
        ({"huge_coverage": 1.0, "hugetlb_bytes": GIB}, "pool"),
        ({"huge_coverage": 1.0, "hugetlb_bytes": GIB, "hugetlb_gigantic_bytes": GIB}, "gigantic"),
        ({"huge_coverage": None}, "base"),
    ],
)
def test_where_most_of_the_memory_is(facts: Values, expected: str) -> None:
    assert present({**QUIET, "huge_coverage": 0.0, **facts}) == expected


def test_a_gain_that_part_of_the_memory_has_is_taken_off() -> None:
    said = Expectation({"thp": gain(0.2), "pool": gain(0.3)}, "thp", None, 0.02)
    partly = {**BIG, "huge_coverage": 0.4}
    left = gain_from_now(said, "thp", partly)
    assert left is not None
    assert left.median == pytest.approx(1 - 0.8**0.6)
    assert gain_from_now(said, "thp", COVERED) is None
    over_thp = gain_from_now(said, "pool", COVERED)
    assert over_thp is not None
    assert over_thp.median == pytest.approx(1 - 0.7 / 0.8)
    assert gain_from_now(said, "gigantic", BIG) is None
    assert gain_from_now(said, None, BIG) is None
    assert gain_from_now(said, "base", BIG) is None


@pytest.mark.parametrize(
    ("one", "words"),
    [
        (gain(0.12, 0.06), "12 % (6 to 18 %) less time"),
        (gain(0.001), "0 % (-1 to 1 %) less time"),
        (gain(-0.08, 0.1), "8 % (-2 to 18 %) more time"),
        (gain(-0.004), "0 % (-1 to 1 %) less time"),
    ],
)
def test_gains_in_words(one: Gain, words: str) -> None:
    assert in_words(one) == words


finite = st.floats(-1.5, 0.8)
some = st.one_of(st.none(), finite)


@settings(max_examples=15, deadline=None)
@given(
    gains=st.tuples(some, some, some),
    width=st.floats(0.0, 0.15),
    coverage=st.floats(0.0, 1.0),
    can_use=st.sets(st.sampled_from(["pool", "gigantic"])),
)
def test_advice_is_possible_and_its_interval_in_order(
    gains: tuple[float | None, float | None, float | None], width: float, coverage: float, can_use: set[Any]
) -> None:
    for row in (BIG, MIDDLE, JAVA, DISABLED, SPARSE):
        one = advised({**row, "huge_coverage": coverage}, predicted(gains, width=width), frozenset(can_use))
        if one.expected_gain is not None:
            parts = (one.expected_gain.low, one.expected_gain.median, one.expected_gain.high)
            assert all(math.isfinite(part) and part < 1.0 for part in parts)
            assert parts[0] <= parts[1] + 1e-12 <= parts[2] + 2e-12
        if row is DISABLED:
            assert one.policy != "thp"
        if one.policy == "hugetlb" and row is not JAVA:
            assert can_use
        assert (one.decided_by == "both") == (one.override_reason is None)


@settings(max_examples=15, deadline=None)
@given(st.lists(st.tuples(st.sampled_from([BIG, MIDDLE, COVERED, DISABLED, SPARSE]), some, some), max_size=4))
def test_a_row_is_decided_alike_by_itself_and_among_others(rows: list[tuple[Values, Any, Any]]) -> None:
    together = frame(*({**row, "pid": pid} for pid, (row, _, _) in enumerate(rows, 1)))
    said = predicted(*((thp, pool, None) for _, thp, pool in rows))
    all_at_once = decisions(together, said)
    for number in range(len(rows)):
        alone = Predicted(said.rows[number : number + 1], said.thresholds, said.level)
        assert decisions(together[number : number + 1], alone) == [all_at_once[number]]
    if rows:
        planned = [one.recommendation for one in recommend(together, said)[0]]
        assert [one.policy for one in planned] == [one.policy for one in all_at_once]
