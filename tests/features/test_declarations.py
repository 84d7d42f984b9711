from __future__ import annotations

import polars as pl
import pytest

from advisor.features import FEATURES, SCHEMA, UnknownFeatureError, explain_feature, feature_table
from advisor.profile.model import Skipped
from advisor.units import KIB, MIB
from tests.features.factory import mapping, process, profile, sample, stat, status


@pytest.mark.parametrize("name", FEATURES)
def test_every_feature_says_what_it_is_where_it_comes_from_and_what_null_means(name: str) -> None:
    feature = FEATURES[name]
    assert feature.name == name
    assert (
        feature.unit.strip() and feature.meaning.strip() and feature.source.strip() and feature.null_meaning.strip()
    )
    assert feature.meaning.endswith(".")


def test_bytes_are_whole_numbers_and_shares_are_real_ones() -> None:
    for feature in FEATURES.values():
        if feature.unit == "bytes":
            assert feature.dtype == pl.Int64, feature.name
        if feature.name.endswith(("_share", "_coverage", "_per_s", "_reach")):
            assert feature.dtype == pl.Float64, feature.name


def test_host_columns_and_only_these_have_the_scope_of_the_host() -> None:
    for feature in FEATURES.values():
        belongs_to_host = feature.name.startswith(("host_", "tlb_reach_")) or feature.name == "host"
        assert (feature.scope == "host") == belongs_to_host, feature.name


def test_an_empty_profile_has_every_column_with_its_type_and_no_row() -> None:
    table = feature_table(profile())
    assert table.schema == SCHEMA
    assert table.height == 0


def test_any_profile_has_the_same_columns_and_types() -> None:
    known = process(1, stat=stat(), status=status(), maps=[mapping(size=4 * MIB, Rss=8 * KIB, Anonymous=8 * KIB)])
    unknown = process(2, facts=None)
    for table in (feature_table(profile(sample(known))), feature_table(profile(sample(unknown)))):
        assert table.schema == SCHEMA
        assert list(SCHEMA) == list(FEATURES)


def test_host_columns_are_the_same_in_every_row() -> None:
    table = feature_table(profile(sample(process(1), process(2))))
    for feature in FEATURES.values():
        if feature.scope == "host":
            assert table[feature.name].n_unique() == 1, feature.name


def test_rows_are_the_living_processes_by_pid_whatever_the_order_of_records() -> None:
    records = [process(3), process(1), process(2)]
    table = feature_table(profile(sample(*records), sample(t_s=1.0, gone=[(2, 100)])))
    assert table["pid"].to_list() == [1, 3]
    assert table["host_processes"].to_list() == [2, 2]


def test_a_skipped_process_that_never_had_a_record_has_no_row() -> None:
    assert feature_table(profile(sample(skipped=[Skipped(7, "p", "denied")]))).height == 0


def test_a_declaration_is_found_by_name() -> None:
    assert explain_feature("rss_bytes") is FEATURES["rss_bytes"]


def test_a_wrong_name_is_answered_with_those_that_come_close() -> None:
    with pytest.raises(UnknownFeatureError) as error:
        explain_feature("rss_byte")
    assert "rss_bytes" in error.value.similar
