"""A chunk that was the death of its workers: file by file, so that one file costs the others nothing."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from advisor.batch.inputs import InputError
from advisor.batch.worker import Answer

KILLED = "the process that scored it was killed; is there enough memory?"

TRIES = 2
"""Times that a file alone must kill its worker. Source: own choice. Reason: somebody may have ended that worker."""

Attempt = Callable[[Sequence[str]], Answer | None]
"""Scores files; None where the worker died of it."""


class EngineError(Exception):
    """Work cannot go on, whatever the files; the message says why and what helps. What was taken is kept."""


def file_by_file(files: Sequence[str], attempt: Attempt) -> Answer:
    """The answer for the files that kill no worker, with an error for each that does. Raises EngineError."""
    deadly = {file for file in files if all(attempt([file]) is None for _ in range(TRIES))}
    good = [file for file in files if file not in deadly]
    for _ in range(TRIES):
        if (answer := attempt(good)) is not None:
            return answer._replace(
                errors=[*answer.errors, *(InputError(file, "", KILLED) for file in sorted(deadly))]
            )
    raise EngineError("workers are killed again and again, whatever they score; is there enough memory?")
