"""Runs targets over mutated inputs and measures each: time, memory, and how it ends."""

from __future__ import annotations

import faulthandler
import hashlib
import random
import resource
import signal
import time
import traceback
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from types import FrameType
from typing import NamedTuple

from tests.fuzz.targets import Target

MOST_S = 1.0
"""Of CPU for one input. Source: own choice. Reason: longer is a hang to whoever waits."""

ENDED_S = 10
"""Seconds of wall time after which an input is ended: it will not end by itself. What hangs in C, such as a regular
expression, is ended with its process, after as much again."""

MOST_BYTES = 200 << 20
"""By which one input may raise the process's peak. Source and reason: as MOST_S."""


class Harm(NamedTuple):
    """What an input did that it must not. what: crash | hang | memory."""

    target: str
    what: str
    detail: str
    data: bytes

    def keep(self, folder: Path) -> Path:
        """Save the input, for the corpus once it is mended."""
        path = folder / self.target / hashlib.sha256(self.data).hexdigest()[:16]
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(self.data)
        return path


class Tally(NamedTuple):
    """Of one target: inputs, how many were taken for sound, the slowest, the growth of the peak, the harm done."""

    inputs: int
    sound: int
    slowest_s: float
    grown_bytes: int
    harm: list[Harm]


class HangError(BaseException):
    """Raised inside of a target that does not end; no handler of `Exception` takes it for a damaged file."""


def inputs_of(target: Target, count: int, seed: int) -> Iterator[bytes]:
    """Its part of the corpus, then so many mutated ones."""
    yield from target.known()
    rng = random.Random(f"{target.name} {seed}")  # the same inputs again, not a secret
    for _ in range(count):
        yield target.make(rng, target.seeds)


def run(target: Target, inputs: Iterable[bytes]) -> Tally:
    """Give it the inputs one by one."""
    for seed in target.seeds:  # what it loads and keeps is no matter of an input
        harm_of(target, seed)
    count = sound = 0
    slowest, harm = 0.0, []
    base = peak = _peak_bytes()
    for data in inputs:
        began = time.process_time()
        found, was_sound = harm_of(target, data)
        took, now = time.process_time() - began, _peak_bytes()
        if found is None and took > MOST_S:
            found = Harm(target.name, "hang", f"{took:.2f} s of CPU", data)
        if found is None and now - peak > MOST_BYTES:
            found = Harm(target.name, "memory", f"{(now - peak) >> 20} MiB more", data)
        harm += [found] if found is not None else []
        count, sound, slowest, peak = count + 1, sound + was_sound, max(slowest, took), max(peak, now)
    return Tally(count, sound, slowest, peak - base, harm)


def harm_of(target: Target, data: bytes) -> tuple[Harm | None, bool]:
    """Whether it did harm, and whether it was taken for sound."""
    try:
        with _ended_in_time():
            target.run(data)
    except target.errors:
        return None, False
    except HangError:
        return Harm(target.name, "hang", f"ended after {ENDED_S} s", data), False
    except Exception as error:
        place = traceback.extract_tb(error.__traceback__)[-1]
        said = f"{type(error).__name__}: {str(error)[:200]!a} in {Path(place.filename).name}:{place.lineno}"
        return Harm(target.name, "crash", said, data), False
    return None, True


@contextmanager
def _ended_in_time() -> Iterator[None]:
    def end(_signal: int, _frame: FrameType | None) -> None:
        raise HangError

    before = signal.signal(signal.SIGALRM, end)
    signal.alarm(ENDED_S)
    faulthandler.dump_traceback_later(2 * ENDED_S, exit=True)
    try:
        yield
    finally:
        faulthandler.cancel_dump_traceback_later()
        signal.alarm(0)
        signal.signal(signal.SIGALRM, before)


def _peak_bytes() -> int:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
