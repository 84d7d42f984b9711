"""Whether a limit of this shell leaves room for a command (`ulimit -v`, `-d`), asked before its libraries are loaded.

Where memory is refused, those end in every way but a good one: OpenBLAS asks again for ever while it holds Python's
lock, so that not even SIGTERM ends it; the Rust of polars aborts, or prints thousands of lines.
"""

from __future__ import annotations

import os
import resource
from typing import NamedTuple

from advisor.cli.errors import CommandError, ExitCode
from advisor.render.numbers import human_bytes

MIB = 1 << 20


class Need(NamedTuple):
    """Bytes that a command takes: what counts for RLIMIT_AS, and for RLIMIT_DATA (getrlimit(2))."""

    address_space: int
    data: int


ADVISING = Need(1536 * MIB, 512 * MIB)
"""Source: VmPeak of 1.25 to 1.4 GiB, VmData of 0.35 to 0.45 with two processors, libraries of 2026. Reason: polars,
scipy and the model; most of the address space is reserved and never used, 250 MiB are resident."""

A_PROCESSOR = Need(16 * MIB, 8 * MIB)
"""On top for each processor: polars has a thread for each. Source: VmPeak with 2 and with 32 threads."""

RECORDING = Need(512 * MIB, 128 * MIB)
"""Source: VmPeak of 320 to 400 MiB, VmData of 50 to 85."""

WITHOUT_MODEL = frozenset({"record", "import", "explain"})
"""Commands that read or look up, and predict nothing."""

LIMITS = (("address_space", resource.RLIMIT_AS, "-v"), ("data", resource.RLIMIT_DATA, "-d"))


def check_room(command: str) -> None:
    """Raises CommandError where a limit is lower than what the command takes."""
    for name, limit, option in LIMITS:
        allowed, _ = resource.getrlimit(limit)
        needed = getattr(need_of(command), name)
        if allowed != resource.RLIM_INFINITY and allowed < needed:
            raise CommandError(
                f"{command} takes {human_bytes(needed)} of {name.replace('_', ' ')}, of which little is ever used, "
                f"and the limit is {human_bytes(allowed)}; raise it (ulimit {option} unlimited)",
                ExitCode.FAILED,
            )


def need_of(command: str) -> Need:
    """By the name of the command, on as many processors as it may use."""
    if command in WITHOUT_MODEL:
        return RECORDING
    processors = len(os.sched_getaffinity(0))
    return Need(*(base + processors * more for base, more in zip(ADVISING, A_PROCESSOR, strict=True)))
