"""The rows of a feature frame by column name, without taking all of it apart: advice reads a few dozen of two hundred
columns."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import polars as pl


class FrameRow(Mapping[str, Any]):
    """One row, by column name. All rows of a frame share its columns, each made plain when it is first asked for."""

    __slots__ = ("_columns", "_frame", "_place")

    def __init__(self, frame: pl.DataFrame, columns: dict[str, list[Any]], place: int) -> None:
        self._frame = frame
        self._columns = columns
        self._place = place

    def __getitem__(self, name: str) -> Any:
        try:
            return self._columns[name][self._place]
        except KeyError:
            if name not in self._frame.columns:
                raise
        self._columns[name] = self._frame[name].to_list()
        return self._columns[name][self._place]

    def __iter__(self) -> Iterator[str]:
        return iter(self._frame.columns)

    def __len__(self) -> int:
        return self._frame.width


def rows_of(frame: pl.DataFrame) -> list[FrameRow]:
    """Every row of the frame."""
    columns: dict[str, list[Any]] = {}
    return [FrameRow(frame, columns, place) for place in range(frame.height)]
