"""Putting back what a record says was changed, last one first; what somebody else has set since is left alone."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from advisor.trial.document import Change
from advisor.trial.errors import SettingError
from advisor.trial.knob import check_allowed, current_value, is_ours, write_value
from advisor.trial.record import Changed, Record, line_of
from advisor.trial.state import JournalFile


@dataclass(frozen=True)
class Outcome:
    """What became of one setting. settled: nothing is left to do, either put back or somebody else's by now."""

    change: Change
    message: str
    settled: bool


def put_back_all(record: Record, file: JournalFile | None, roots: Sequence[Path], *, is_told: bool) -> list[Outcome]:
    """Put every setting of the record back, last one first; those that are settled leave record and file.

    is_told: the record ends with what was really there after the last write, as only the trial itself can know.
    One that was only watched, and is as it was, is not worth a word.
    """
    # Before the first is written: putting back a mode makes the kernel raise the reserve, also somebody else's.
    found = {path: _present(path, roots) for path in record.changes}
    outcomes = []
    for path, changed in reversed(list(record.changes.items())):
        outcome = _put_back(path, changed, found[path], roots, is_told=is_told)
        if set(changed.written) != {changed.before} or not outcome.change.restored:
            outcomes.append(outcome)
        if outcome.settled:
            entry = {"restored": path}
            record.apply(entry)
            if file is not None:
                with suppress(OSError):  # a full disk: the next command finds the setting as it should be
                    file.append(line_of(entry))
    return outcomes


def _present(text: str, roots: Sequence[Path]) -> str | None:
    """What the setting holds; None where it cannot be told or may not be looked at."""
    try:
        check_allowed(Path(text), roots)
        return current_value(Path(text))
    except SettingError:
        return None


def _put_back(text: str, changed: Changed, found: str | None, roots: Sequence[Path], *, is_told: bool) -> Outcome:
    """One setting. found: what it held before the first was put back. Somebody else's value is what stays."""
    path, before = Path(text), changed.before

    def outcome(message: str, *, restored: bool, settled: bool) -> Outcome:
        change = Change(path=text, before=before, during=_while_it_ran(changed), restored=restored)
        return Outcome(change, message, settled)

    is_theirs = found not in (None, before) and not is_ours(path, found or "", changed.steps, is_told=is_told)
    wanted = found if is_theirs and found else before
    try:
        check_allowed(path, roots)
    except SettingError as error:
        return outcome(f"{error}: not put back", restored=False, settled=True)
    try:
        if current_value(path) != wanted:
            write_value(path, wanted)
            if (made := current_value(path)) != wanted:
                return outcome(f"{text}: should be {wanted!r} again, is {made!r}", restored=False, settled=False)
    except SettingError as error:
        gone = not path.exists()  # nothing can be put back into what this kernel has no longer
        return outcome(f"{error}: not put back (before: {before!r})", restored=False, settled=gone)
    if is_theirs:
        words = f"{text}: is {found!r}, which the trial did not write; left as it is (before: {before!r})"
        return outcome(words, restored=False, settled=True)
    return outcome(f"{text}: {before!r} again", restored=True, settled=True)


def _while_it_ran(changed: Changed) -> str:
    """What was written last that differs: a trial sets a mode back between two policies."""
    return next((value for value in reversed(changed.written) if value != changed.before), changed.written[-1])
