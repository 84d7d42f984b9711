"""What goes over the pipe between a front end and the child that watches."""

from __future__ import annotations

from typing import IO

import msgspec
from msgspec import Struct

from advisor.report.close_up import CloseUp
from advisor.report.document import Report
from advisor.report.plan import HostPlan
from advisor.report.reasons import PolicyName
from advisor.watch.pipe import read_value, write_value


class Job(Struct, frozen=True, tag=True):
    """What to watch: a saved profile where one is named, else the host below these roots."""

    procfs: str = "/proc"
    sysfs: str = "/sys"
    profile: str | None = None
    interval_s: float | None = None
    redact: bool = True


class Seek(Struct, frozen=True, tag=True):
    """Show the recording as of its sample number `position`, from 1."""

    position: int


class WantedPolicy(Struct, frozen=True):
    """A policy for one process. page_bytes: of the pool; null for other policies and for a pool of the PMD size.

    start_ticks: of the process that is meant, as its pid may go to another; null: whichever has the pid.
    """

    pid: int
    policy: PolicyName
    page_bytes: int | None = None
    start_ticks: int | None = None


class WantedPool(Struct, frozen=True):
    """How many pages the pool of one size shall have in all."""

    page_bytes: int
    pages: int


class WhatIf(Struct, frozen=True, tag=True):
    """Advise as if this had been decided; an empty one takes all back. thp_enabled: always, madvise or never."""

    policies: tuple[WantedPolicy, ...] = ()
    thp_enabled: str | None = None
    pools: tuple[WantedPool, ...] = ()

    @property
    def is_empty(self) -> bool:
        return not (self.policies or self.thp_enabled or self.pools)


class LookAt(Struct, frozen=True, tag=True):
    """Send what is too much for each process of a report, of this one; of none where it is null."""

    pid: int | None


class Record(Struct, frozen=True, tag=True):
    """Write what is seen from now on to this new file, a profile; null ends that."""

    path: str | None


class Recording(Struct, frozen=True):
    """What has been recorded. problem: why it ended by itself; is_over: nothing more is written."""

    path: str
    samples: int
    bytes: int
    is_over: bool
    problem: str | None


class Pulse(Struct, frozen=True, array_like=True):
    """What the host did between two samples; null where it cannot be told. t_s: of the later one.

    collapsed_per_s: huge pages that khugepaged made; khugepaged_cpu: share of one CPU; stalls_per_s: allocations that
    had to wait for compaction; fallback_share: of the huge pages that faults asked for.
    """

    t_s: float
    collapsed_per_s: float | None
    khugepaged_cpu: float | None
    stalls_per_s: float | None
    fallback_share: float | None
    available_bytes: int | None


class Tick(Struct, frozen=True, tag=True):
    """The report as of one sample. position: number of the sample, from 1; length: of the recording, null when live.

    pulses: up to then, oldest first. advice_cpu_s: CPU seconds that this report took after its sample. model: whether
    the gain model took part, which it does as soon as it is loaded. what_if: what the report was made under; advised:
    the plan without it, null where it is empty. close_up: of the process that is looked at. recording: the newest.
    watch_share: CPU of the whole process that watches, sampling and advising, as a share of one CPU over the last
    samples; null before the second one, and of a recording.
    """

    report: Report
    position: int
    length: int | None
    pulses: list[Pulse]
    advice_cpu_s: float
    model: bool
    what_if: WhatIf = WhatIf()
    advised: HostPlan | None = None
    close_up: CloseUp | None = None
    recording: Recording | None = None
    watch_share: float | None = None


class Problem(Struct, frozen=True, tag=True):
    """Why there is nothing (more) to show."""

    message: str


Order = Job | Seek | WhatIf | LookAt | Record
Frame = Tick | Problem

_orders = msgspec.msgpack.Decoder(Order)
_frames = msgspec.msgpack.Decoder(Frame)


def write_frame(pipe: IO[bytes], frame: Order | Frame) -> None:
    """Raises BrokenPipeError where nobody reads any more."""
    write_value(pipe, frame)


def read_order(pipe: IO[bytes]) -> Order | None:
    """The next order; None at the end. Raises msgspec.DecodeError."""
    return read_value(pipe, _orders)


def read_frame(pipe: IO[bytes]) -> Frame | None:
    """The next frame; None at the end. Raises msgspec.DecodeError."""
    return read_value(pipe, _frames)
