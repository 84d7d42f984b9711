"""The parquet file as those who get it open it: DuckDB and pandas."""

from __future__ import annotations

from pathlib import Path

import pytest

from advisor.batch.output import write_parts
from advisor.batch.worker import score_chunk

duckdb = pytest.importorskip("duckdb")
pandas = pytest.importorskip("pandas")

SAMPLES = Path(__file__).resolve().parents[2] / "sample_profiles"
COUNTS = ("pid", "start_ticks", "rss_bytes", "anon_bytes", "hugetlb_bytes", "page_bytes", "pages",
          "new_pool_bytes", "bloat_bytes", "page_table_bytes", "page_table_saving_bytes",
          "at_stake_bytes")  # fmt: skip
SHARES = ("huge_coverage", "cpu_cores", "gain_low", "gain_median", "gain_high")


@pytest.fixture(scope="module")
def table(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("readers")
    parts = []
    for name in ("idle", "qemu-thp", "redis-always"):
        parts.append(folder / name)
        parts[-1].write_bytes(score_chunk([str(SAMPLES / f"{name}.jsonl.zst")], with_model=True).rows)
    write_parts(parts, folder / "fleet.parquet")
    return folder / "fleet.parquet"


def test_duckdb_sees_types_and_nulls(table: Path) -> None:
    seen = duckdb.read_parquet(str(table))
    types = dict(zip(seen.columns, map(str, seen.types), strict=True))
    expected = dict.fromkeys(types, "VARCHAR") | dict.fromkeys(COUNTS, "BIGINT") | dict.fromkeys(SHARES, "DOUBLE")
    assert types == expected | {"changes": "BOOLEAN", "reasons": "VARCHAR[]"}
    asked = "select count(*), sum(changes::int), count(distinct file), count(*) - count(pages) from read_parquet($1)"
    rows, changing, files, unknown = duckdb.execute(asked, [str(table)]).fetchone()
    assert rows > changing >= 0 and files == 3 and unknown > 0
    rules = duckdb.execute("select distinct unnest(reasons) from read_parquet($1)", [str(table)]).fetchall()
    assert len(rules) > 3 and all("-" in rule for (rule,) in rules)


def test_pandas_sees_types_and_nulls(table: Path) -> None:
    frame = pandas.read_parquet(table, dtype_backend="pyarrow")
    types = frame.dtypes.astype(str)
    assert set(types[list(COUNTS)]) == {"int64[pyarrow]"} and set(types[list(SHARES)]) == {"double[pyarrow]"}
    assert types["changes"] == "bool[pyarrow]" and "list<" in types["reasons"]
    assert "string" in types["name"] and frame["pages"].isna().any(), (
        "unknown is null, and the rest stays whole numbers"
    )
    plain = pandas.read_parquet(table)
    assert plain["pid"].dtype == "int64" and plain["file"].nunique() == 3
    assert list(plain["reasons"].iloc[0]) == list(frame["reasons"].iloc[0])
