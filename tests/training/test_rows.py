"""From measurements to rows."""

from __future__ import annotations

from msgspec.structs import replace

from advisor.features import SCHEMA
from advisor.profile.model import Profile
from advisor.training.dataset import Measurement, StateProfile
from advisor.training.rows import main_process, table_of
from advisor.trial.document import Trial
from advisor.units import MIB
from tests.features import factory
from tests.training.documents import measurement, trial


def test_one_row_for_each_profile_in_canonical_order() -> None:
    given = [measurement(name, 256 * MIB, 0.0) for name in ("b/1", "a/2", "a/1")]
    table = table_of(given)
    assert [(one.configuration, one.state) for one in table.examples] == [
        (name, state) for name in ("a/1", "a/2", "b/1") for state in ("base", "thp")
    ]
    assert table.families == ["a", "b"]
    assert table.frame.schema == SCHEMA
    assert table.frame["anon_bytes"].to_list() == [256 * MIB] * 6
    assert table.frame.equals(table_of(reversed(given)).frame)


def test_what_gives_no_row_is_named() -> None:
    whole = measurement("a/1", 256 * MIB, 0.0)
    nothing: Trial = trial({"base": [1.0, 1.0, 1.0]})
    odd = [replace(whole.profiles[0], state="pool-64K")]
    table = table_of([replace(whole, trial=nothing), replace(whole, id="a/2", profiles=odd)])
    assert len(table) == 0
    assert table.left_out == [
        "a/1: no policy could be compared with base pages",
        "a/2 on pool-64K: its state is no policy of the trial",
    ]


def test_the_process_with_most_memory_stands_for_its_tree() -> None:
    small, large = (
        factory.process(pid, maps=[factory.mapping("anon", size, Rss=size, Anonymous=size)])
        for pid, size in ((10, 2 * MIB), (20, 64 * MIB))
    )
    row = main_process(factory.profile(factory.sample(small, large)))
    assert row is not None
    assert row["pid"].to_list() == [20]


def test_a_launcher_that_waits_does_not_stand_for_the_worker() -> None:
    def watched(t_s: float) -> factory.Sample:
        launcher, worker = (
            factory.process(
                pid,
                stat=factory.stat(ticks=int(busy * t_s)),
                maps=[factory.mapping("anon", size, Rss=size, Anonymous=size)],
            )
            for pid, size, busy in ((10, 8 * MIB, 0), (20, 2 * MIB, 100))
        )
        return factory.sample(launcher, worker, t_s=t_s)

    row = main_process(factory.profile(watched(0.0), watched(1.0), watched(2.0)))
    assert row is not None
    assert row["pid"].to_list() == [20]


def test_rates_are_of_the_second_half_when_set_up_is_over() -> None:
    def watched(t_s: float, faults: int, *, again: bool = True) -> factory.Sample:
        one = factory.process(stat=factory.stat(minor_faults=faults, ticks=int(100 * t_s)))
        return factory.sample(*([one] if again else []), t_s=t_s)

    set_up = [watched(0.0, 0), watched(1.0, 100_000)]
    row = main_process(factory.profile(*set_up, watched(2.0, 100_000, again=False), watched(3.0, 100_010)))
    assert row is not None
    assert row["minor_faults_per_s"].to_list() == [5.0]
    quiet = main_process(factory.profile(watched(0.0, 7), watched(2.0, 17)))
    assert quiet is not None
    assert quiet["minor_faults_per_s"].to_list() == [5.0]


def test_a_program_is_found_on_the_host_as_it_is_else_on_base_pages() -> None:
    both = measurement("a/1", 256 * MIB, 0.0)
    default = replace(both.profiles[0], state="default")
    table = table_of([replace(both, profiles=[*both.profiles, default]), measurement("a/2", 256 * MIB, 0.0)])
    found = table.where(table.found_rows())
    assert [(one.configuration, one.state) for one in found.examples] == [("a/1", "default"), ("a/2", "base")]


def test_what_the_trial_did_to_keep_base_pages_is_no_trait_of_the_program() -> None:
    def watched(*, against: bool) -> Profile:
        advice = "nh" if against else ""
        one = factory.mapping("anon", 64 * MIB, Rss=64 * MIB, Anonymous=64 * MIB, advice=advice)
        return factory.profile(factory.sample(factory.process(status=factory.status(thp_enabled=False), maps=[one])))

    def seen(name: str, states: dict[str, bool]) -> Measurement:
        profiles = [watched(against=against) for against in states.values()]
        found = [StateProfile(state, one.header, one.samples) for state, one in zip(states, profiles, strict=True)]
        return replace(measurement(name, 64 * MIB, 0.0), profiles=found)

    table = table_of([seen("a/trial", {"base": True, "thp": False}), seen("a/own", {"base": True, "thp": True})])
    against = {
        (one.configuration, one.state): size
        for one, size in zip(table.examples, table.frame["advised_against_anon_bytes"].to_list(), strict=True)
    }
    assert against["a/own", "base"] == against["a/own", "thp"] == 64 * MIB
    assert against["a/trial", "base"] == 0
    disabled = [table.frame["thp_disabled_by_process"][row] for row, one in enumerate(table.examples)]
    assert disabled == [one.state != "base" for one in table.examples]


def test_a_tree_that_is_gone_gives_no_row() -> None:
    gone: Profile = factory.profile(factory.sample())
    assert main_process(gone) is None
