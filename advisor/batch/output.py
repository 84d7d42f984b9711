"""Parts to one file: JSON lines, CSV or parquet, complete or not there."""

from __future__ import annotations

import errno
from collections.abc import Callable, Sequence
from pathlib import Path

import polars as pl

from advisor.own_file import Unfinished, whole_file
from advisor.render.escape import csv_cell

REASONS_SEPARATOR = "; "
"""Between reasons in a cell of a CSV file."""

ROW_GROUP = 1 << 17
"""Rows of a row group of the parquet file: what a reader takes at once."""


def write_parts(parts: Sequence[Path], path: Path) -> None:
    """Put the parquet files `parts` together, in order, as the suffix of `path` says (`FORMATS`). One part is in
    memory at a time. The file has mode 0600 and appears when it is whole. Raises OSError."""
    write = FORMATS[path.suffix]
    try:
        with whole_file(path) as unfinished:
            write(parts, unfinished)
    except pl.exceptions.PolarsError as error:  # what its writer makes of a full disk
        raise OSError(errno.EIO, f"cannot be written; is the disk full? ({error})", str(path)) from error


def _jsonl(parts: Sequence[Path], new: Unfinished) -> None:
    for part in parts:
        pl.read_parquet(part).write_ndjson(new.file)


def _csv(parts: Sequence[Path], new: Unfinished) -> None:
    """Lists are joined. What a terminal or a spreadsheet would act on is written out."""
    for number, part in enumerate(parts):
        _flat(pl.read_parquet(part)).write_csv(new.file, include_header=number == 0)


def _parquet(parts: Sequence[Path], new: Unfinished) -> None:
    rows = pl.scan_parquet(list(parts))
    rows.sink_parquet(new.reopened, compression="zstd", row_group_size=ROW_GROUP, maintain_order=True)


Write = Callable[[Sequence[Path], Unfinished], None]

FORMATS: dict[str, Write] = {
    ".jsonl": _jsonl,
    ".csv": _csv,
    ".parquet": _parquet,
}
"""How a file is written, by the suffix of its name."""


def _flat(frame: pl.DataFrame) -> pl.DataFrame:
    lists = [name for name, dtype in frame.schema.items() if isinstance(dtype, pl.List)]
    joined = frame.with_columns(pl.col(lists).list.join(REASONS_SEPARATOR)) if lists else frame
    texts = [name for name, dtype in joined.schema.items() if dtype == pl.String]
    return joined.with_columns(pl.col(texts).map_elements(csv_cell, return_dtype=pl.String))
