"""The work on some files, the same whoever does it: read, features, rules and model over all rows at once, advice."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import polars as pl
from polars.exceptions import PanicException

from advisor.batch import rows
from advisor.batch.inputs import InputError, as_text
from advisor.batch.load import DamagedError, load
from advisor.features import HostFrames, feature_tables, host_frames, observe
from advisor.predictor import Predictor
from advisor.profile.model import HostState
from advisor.profile.timeline import Timeline
from advisor.recommendation import Predicted, recommend
from advisor.report.document import Report
from advisor.rules import evaluate


class Scored(NamedTuple):
    """What came of some files. rows: `rows.SCHEMA`."""

    rows: pl.DataFrame
    errors: list[InputError]


class _Ready(NamedTuple):
    """A profile as frames, which its timeline is let go of for; state: of its host at the end."""

    file: str
    frames: HostFrames
    state: HostState


def score_files(files: Sequence[str], predictor: Predictor | None, *, base: str = "") -> Scored:
    """Every process of these files with its advice, in the order of the files. One that is damaged is an error.

    base: folder of relative names, "" for the current one; rows and errors have the names as they are given.
    """
    made: dict[str, list[rows.Row]] = {}
    errors: list[InputError] = []
    ready: list[_Ready] = []
    for file in files:
        try:
            content, cut = load(file, base)
            if isinstance(content, Report):
                made[file] = rows.rows_of_report(as_text(file), content)
            else:
                ready.append(_ready(file, content))
        except DamagedError as damaged:
            errors.append(damaged.error)
        except (Exception, PanicException) as error:  # whatever one file does to us, the others are scored
            errors.append(_unforeseen(file, error))
        else:
            errors += [cut] if cut is not None else []
    made |= _advised(ready, predictor, errors)
    return Scored(rows.as_frame([row for file in files for row in made.get(file, ())]), errors)


def _ready(file: str, timeline: Timeline) -> _Ready:
    return _Ready(file, host_frames(observe(timeline)), timeline.host_last)


def _advised(
    ready: Sequence[_Ready], predictor: Predictor | None, errors: list[InputError]
) -> dict[str, list[rows.Row]]:
    """Rules and model see all rows together; the advice for a host is its own matter."""
    if not ready:
        return {}
    try:
        table = feature_tables([one.frames for one in ready])
    except (Exception, PanicException) as error:  # one of them is the cause: each by itself
        if len(ready) == 1:
            errors.append(_unforeseen(ready[0].file, error))
            return {}
        alone = [_advised([one], predictor, errors) for one in ready]
        return {file: rows for found in alone for file, rows in found.items()}
    findings = evaluate(table)
    predictions = predictor.predict(table) if predictor is not None else None
    found, begin = {}, 0
    for file, frames, state in ready:
        count = frames.processes.height
        told = findings.part(begin, count)
        predicted = None
        if predictor is not None and predictions is not None:
            facts = predictor.facts
            predicted = Predicted(predictions.slice(begin, count), facts.thresholds, facts.level)
        try:
            advice, plan = recommend(told.features, predicted, state=state, findings=told)
            found[file] = rows.rows_of_advice(as_text(file), told.rows, advice, plan)
        except (Exception, PanicException) as error:  # as above
            errors.append(_unforeseen(file, error))
        begin += count
    return found


def _unforeseen(file: str, error: BaseException) -> InputError:
    return InputError(file, "", f"cannot be scored ({type(error).__name__}: {error})")
