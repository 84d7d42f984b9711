"""Sums over a fleet: what is added up, that it does not hang on order, and what the interval of a sum promises."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest
from click.testing import CliRunner
from hypothesis import given
from hypothesis import strategies as st
from jsonschema import Draft202012Validator

from advisor.batch import rows, summary
from advisor.batch.summary import frames_of, summarise
from advisor.batch.worker import score_chunk
from advisor.cli.errors import CommandError
from advisor.cli.main import cli
from advisor.report.schema import SUMMARY_SCHEMA_PATH, schema_text, summary_schema
from advisor.report.summary import encode_summary

SAMPLES = Path(__file__).resolve().parents[2] / "sample_profiles"
BLANK: dict[str, Any] = dict.fromkeys(rows.COLUMNS) | {
    "file": "a", "host": "h", "pid": 1, "start_ticks": 1, "name": "p", "policy": "leave", "changes": False,
    "reasons": []
}  # fmt: skip
ADDED = ("processes", "changes", "cpu_unknown", "saved_unknown", "pool_bytes", "boot_only_bytes",
         "page_table_saved_bytes", "growth_bytes", "growth_prevented_bytes", "growth_unknown")  # fmt: skip


def frame(*given: dict[str, Any]) -> pl.DataFrame:
    return rows.as_frame([BLANK | one for one in given])


def thp(**more: Any) -> dict[str, Any]:
    gain = {"gain_low": 0.1, "gain_median": 0.2, "gain_high": 0.4}
    known = {"policy": "thp", "page_bytes": 2 << 20, "changes": True, "cpu_cores": 2.0, "page_table_saving_bytes": 0}
    return known | gain | {"bloat_bytes": 5} | more


share = st.none() | st.floats(-1, 1, allow_nan=False)
size = st.none() | st.integers(0, 1 << 40)
process = st.fixed_dictionaries(
    {
        "file": st.sampled_from("abc"),
        "name": st.sampled_from(["x", "y", "</script>"]),
        "application": st.sampled_from([None, "redis"]),
        "cpu_cores": st.none() | st.floats(0, 1000, allow_nan=False),
        "policy": st.sampled_from(["leave", "thp", "thp-off", "hugetlb"]),
        "page_bytes": st.sampled_from([None, 2 << 20]),
        "pages_when": st.sampled_from([None, "boot", "runtime"]),
        "changes": st.booleans(),
        "gain_median": share, "bloat_bytes": size, "new_pool_bytes": size, "page_table_saving_bytes": size,
    }
)  # fmt: skip


def whole(one: dict[str, Any]) -> dict[str, Any]:
    return one | dict.fromkeys(("gain_low", "gain_high"), one["gain_median"]) | {"host": one["file"]}


@given(st.lists(process.map(whole), min_size=1, max_size=12), st.randoms())
def test_every_way_to_group_adds_up_to_the_total_in_any_order(given: list[dict[str, Any]], chance: Any) -> None:
    files = [frame(*(one for one in given if one["file"] == name)) for name in "abc"]
    made = summarise(one for one in files if one.height)
    for groups in (made.applications, made.hosts, made.policies):
        for name in ADDED:
            assert sum(getattr(one.sums, name) for one in groups) == getattr(made.total, name), name
    assert made.total.processes == len(given)
    known = [one["cpu_cores"] for one in given if one["cpu_cores"] is not None]
    assert (made.total.cpu_cores or 0.0) == pytest.approx(sum(known), abs=1e-6)
    chance.shuffle(given)
    mixed = [frame(*(one for one in given if one["file"] == name)) for name in "cba"]
    assert encode_summary(summarise(one for one in mixed if one.height)) == encode_summary(made)


def test_what_is_not_known_is_counted_and_never_nothing() -> None:
    one = summarise([frame(thp(cpu_cores=None), thp(gain_median=None, bloat_bytes=None))])
    assert one.total.saved_cores is None and one.total.saved_unknown == 2
    assert one.total.cpu_unknown == 1 and one.total.growth_unknown == 1 and one.total.growth_bytes == 5
    assert not one.top_cpu
    nothing = summarise([frame({}, {})]).total
    assert nothing.saved_cores is not None and nothing.saved_cores.median == 0 and nothing.cpu_cores is None


def test_cores_are_cpu_use_times_gain_and_the_best_change_is_first() -> None:
    few, many = thp(name="few"), thp(name="many", cpu_cores=10.0, host="g", file="b")
    made = summarise([frame(few), frame(many, many | {"pid": 2})])
    assert [one.application for one in made.top_cpu] == ["many", "few"]
    best = made.top_cpu[0].sums
    assert best.processes == 2 and best.saved_cores is not None
    assert (best.saved_cores.low, best.saved_cores.median, best.saved_cores.high) == (2.0, 4.0, 8.0)


def test_hosts_that_need_a_boot_are_counted() -> None:
    pool = {"policy": "hugetlb", "page_bytes": 1 << 30, "changes": True, "new_pool_bytes": 3 << 30}
    made = summarise([frame(pool | {"pages_when": "boot"}), frame(pool | {"file": "b", "pages_when": "runtime"})])
    assert made.total.profiles_short == 1 and made.total.boot_only_bytes == 3 << 30
    assert made.total.pool_bytes == 6 << 30


def test_the_interval_of_a_sum_holds_when_errors_go_together_and_when_they_do_not() -> None:
    """Skewed errors, as gains have them: 20 processes, all alike, in groups, or each by itself."""
    chance = np.random.default_rng(1)
    spread, number, draws = 0.8, 20, 20_000
    low, high = (number * float(np.exp(spread * z)) for z in (-1.6449, 1.6449))
    for groups, most in ((1, 0.91), (4, 1.0), (number, 1.0)):
        errors = np.repeat(chance.normal(size=(draws, groups)), number // groups, axis=1)
        sums = np.exp(spread * errors).sum(axis=1)
        held = float(((sums >= low) & (sums <= high)).mean())
        assert 0.89 <= held <= most, groups


def test_a_table_that_was_written_gives_the_summary_of_its_run_piece_by_piece(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    names = ("idle", "redis-always", "qemu-base-pages", "postgres-huge-pages-off")
    parts = []
    for name in names:
        parts.append(tmp_path / f"{name}.parquet")
        parts[-1].write_bytes(score_chunk([str(SAMPLES / f"{name}.jsonl.zst")], with_model=False).rows)
    table = tmp_path / "fleet.parquet"
    pl.read_parquet(parts).write_parquet(table)
    whole = encode_summary(summarise(frames_of(parts)))
    monkeypatch.setattr(summary, "BATCH_ROWS", 7)
    assert encode_summary(summarise(frames_of([table]))) == whole
    page = tmp_path / "fleet.html"
    done = CliRunner().invoke(cli, ["score", str(table), "--summary", "--json", "-o", str(page)])
    assert done.exit_code == 0, done.output
    document = json.loads(done.stdout)
    assert document == json.loads(whole) and page.read_text().startswith("<!doctype html>")
    Draft202012Validator(summary_schema()).validate(document)
    pools = {one["application"]: one["sums"]["pool_bytes"] for one in document["applications"]}
    assert pools["postgresql"] == 537 * (2 << 20), "46 processes share it"
    assert document["total"]["page_table_saved_bytes"] > 60 << 20


def test_what_is_no_table_is_one_line(tmp_path: Path) -> None:
    other = tmp_path / "other.parquet"
    pl.DataFrame({"a": [1]}).write_parquet(other)
    (tmp_path / "noise.parquet").write_bytes(b"noise")
    for name, arguments, says in (
        ("other", ["--summary"], "no table of score"),
        ("noise", ["--summary"], "not parquet"),
        ("other", [], "scored already"),
        ("other", ["--summary", "x.jsonl"], "together"),
    ):
        path = str(tmp_path / f"{name}.parquet")
        done = CliRunner().invoke(cli, ["score", path, *arguments], standalone_mode=False)
        assert isinstance(done.exception, CommandError) and says in str(done.exception)


def test_the_published_schema_is_current() -> None:
    assert SUMMARY_SCHEMA_PATH.read_text() == schema_text(summary_schema())
