"""What goes over the pipe between a front end and the child that makes a live trial."""

from __future__ import annotations

from typing import IO, Literal

import msgspec
from msgspec import Struct

from advisor.trial.live_document import LiveMetric, LivePlan, LiveTrial, SoFar
from advisor.watch.pipe import read_value, write_value


class Prepare(Struct, frozen=True, tag=True):
    """Look at this process and say what a trial of it would do; nothing is changed. May be asked again.

    start_ticks: of the process that is meant, whoever has its pid by now. steps, window_s, windows: as of
    `trial --pid`. redact: secrets in the command of the metric are hidden in the result.
    """

    pid: int
    start_ticks: int
    metric: LiveMetric | None = None
    steps: str = "25,50,100"
    window_s: float = 1.0
    windows: int = 8
    redact: bool = True


class Go(Struct, frozen=True, tag=True):
    """Do what the last `Ready` says. It ends early when there can be no more orders."""


class Ready(Struct, frozen=True, tag=True):
    """What will be done once `Go` comes."""

    plan: LivePlan


class Refused(Struct, frozen=True, tag=True):
    """Why that cannot be tried; nothing was changed. about: the process, or what was asked for."""

    message: str
    about: Literal["process", "metric", "steps"] = "process"


class Under(Struct, frozen=True, tag=True):
    """It runs: what it has seen by now."""

    so_far: SoFar


class Done(Struct, frozen=True, tag=True):
    """It is over, early or not."""

    trial: LiveTrial


class Died(Struct, frozen=True, tag=True):
    """The child ended without a result. running: while it may have been collapsing."""

    message: str
    running: bool


TrialOrder = Prepare | Go
TrialFrame = Ready | Refused | Under | Done | Died

_orders = msgspec.msgpack.Decoder(TrialOrder)
_frames = msgspec.msgpack.Decoder(TrialFrame)


def write_trial_frame(pipe: IO[bytes], frame: TrialOrder | TrialFrame) -> None:
    """Raises BrokenPipeError where nobody reads any more."""
    write_value(pipe, frame)


def read_trial_order(pipe: IO[bytes]) -> TrialOrder | None:
    """The next order; None at the end. Raises msgspec.DecodeError."""
    return read_value(pipe, _orders)


def read_trial_frame(pipe: IO[bytes]) -> TrialFrame | None:
    """The next frame; None at the end. Raises msgspec.DecodeError."""
    return read_value(pipe, _frames)
