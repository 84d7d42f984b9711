"""What a Dask worker does with a chunk: the same as a process of this machine, once it is sure to be of one mind."""

from __future__ import annotations

import os
import socket
from collections.abc import Sequence

import polars
from msgspec.structs import replace

from advisor import __version__
from advisor.batch.inputs import URL_MARK, InputError
from advisor.batch.worker import Answer, score_chunk
from advisor.predictor import ModelError, model_digest

PROGRAM = f"hugepage-advisor {__version__} with polars {polars.__version__}"
"""What makes the bytes of an answer: polars writes the parquet, and another release writes another."""


class UnfitWorkerError(Exception):
    """A worker whose answers would not be those of this machine; the message says why and what helps."""


def score_remotely(files: Sequence[str], base: str, program: str, model: str) -> Answer:
    """Score these files, which stand below `base` where their names are relative.

    program, model: of the machine that asks; model: digest, "" for rules alone. Raises UnfitWorkerError.
    """
    here = socket.gethostname()
    if program != PROGRAM:
        raise UnfitWorkerError(f"the worker on {here} has {PROGRAM}, here is {program}; install the same on both")
    if model and _model_here() != model:
        raise UnfitWorkerError(
            f"the worker on {here} has another model (or none that loads); install the same package on both"
        )
    answer = score_chunk(files, with_model=bool(model), base=base)
    return answer._replace(errors=[_placed(error, base, here) for error in answer.errors])


def _model_here() -> str:
    try:
        return model_digest()
    except ModelError:
        return ""


def _placed(error: InputError, base: str, here: str) -> InputError:
    """Where a file cannot be opened, on which machine: the one that asked could see it."""
    if URL_MARK in error.file or error.scored or os.access(os.path.join(base, error.file), os.R_OK):
        return error
    return replace(
        error, reason=f"{error.reason} (on the Dask worker {here}: are its folders those of this machine?)"
    )
