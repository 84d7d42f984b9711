"""What a worker does with a chunk: the answer is bytes, whoever asked."""

from __future__ import annotations

import functools
import gc
import io
import multiprocessing.connection
import os
import signal
import threading
from collections.abc import Sequence
from typing import NamedTuple

import polars as pl

from advisor.allocator import M_MMAP_THRESHOLD, M_TRIM_THRESHOLD, set_options
from advisor.batch.chunk import score_files
from advisor.batch.inputs import InputError
from advisor.predictor import Predictor, load_predictor

KEPT_BYTES = 32 << 20
"""Source: own choice. Reason: the most that M_MMAP_THRESHOLD may be (HEAP_MAX_SIZE / 2 on 64 bits), and more than a
line of a profile of 1,000 processes."""


class Answer(NamedTuple):
    """What came of a chunk: rows as parquet, and errors."""

    rows: bytes
    errors: list[InputError]
    row_count: int


def score_chunk(files: Sequence[str], *, with_model: bool, base: str = "") -> Answer:
    """Score these files. with_model: with the shipped model; else by rules alone. base: folder of relative names."""
    scored = score_files(files, _predictor() if with_model else None, base=base)
    answer = Answer(_parquet(scored.rows), scored.errors, scored.rows.height)
    del scored
    if not gc.isenabled():  # see `begin`; a cluster's worker looks after itself
        gc.collect()
        gc.freeze()  # modules and caches: looking through them again would cost 7 ms a profile
    return answer


def begin() -> None:
    """Once in each process of this machine that does nothing else.

    What is imported by now is never looked through for garbage. Ctrl-C is the parent's matter; without it, it ends.
    """
    gc.freeze()
    gc.disable()
    _keep_freed_memory()
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    threading.Thread(target=_end_with_parent, daemon=True).start()


def _keep_freed_memory() -> None:
    """The next profile takes as much again, and getting its pages anew is 2,200 page faults and 5 % of the time."""
    set_options({M_MMAP_THRESHOLD: KEPT_BYTES, M_TRIM_THRESHOLD: KEPT_BYTES})


def _end_with_parent() -> None:
    parent = multiprocessing.parent_process()
    if parent is not None:
        multiprocessing.connection.wait([parent.sentinel])
        os._exit(1)


@functools.cache
def _predictor() -> Predictor | None:
    return load_predictor()


def _parquet(frame: pl.DataFrame) -> bytes:
    buffer = io.BytesIO()
    frame.write_parquet(buffer, compression="zstd", statistics=True)
    return buffer.getvalue()
