"""Whether there is room for a command where memory or threads are limited, asked before its libraries are loaded.

Where they are refused something, those end in every way but a good one: OpenBLAS asks again for ever while it holds
Python's lock, so that not even SIGTERM ends it; the Rust of polars aborts, or prints thousands of lines.
"""

from __future__ import annotations

import os
import resource
import threading
from typing import NamedTuple

from advisor.cli.errors import CommandError, ExitCode
from advisor.render.numbers import human_bytes
from advisor.units import MIB


class Need(NamedTuple):
    """What a command takes: bytes that count for RLIMIT_AS and for RLIMIT_DATA (getrlimit(2)), threads."""

    address_space: int
    data: int
    threads: int


ADVISING = Need(1536 * MIB, 512 * MIB, 16)
"""Source: VmPeak of 1.25 to 1.4 GiB, VmData of 0.35 to 0.45, 14 threads with two processors, libraries of 2026.
Reason: polars, scipy and the model; most of the address space is reserved and never used, 250 MiB are resident."""

A_PROCESSOR = Need(16 * MIB, 8 * MIB, 1)
"""On top for each processor: polars has a thread for each. Source: VmPeak with 2 and with 32 threads."""

A_WORKER_THREADS = 8
"""Threads of a worker of `score`. Source: with two of them, the least pids.max that does is 30."""

RECORDING = Need(512 * MIB, 128 * MIB, 4)
"""Source: VmPeak of 320 to 400 MiB, VmData of 50 to 85."""

WITHOUT_MODEL = frozenset({"record", "import", "explain"})
"""Commands that read or look up, and predict nothing."""

LIMITS = (("address_space", resource.RLIMIT_AS, "-v"), ("data", resource.RLIMIT_DATA, "-d"))


def check_room(command: str, jobs: int | None = None) -> None:
    """Raises CommandError where the command takes more than it may. jobs: of `score`, None is one a processor."""
    need = need_of(command, jobs)
    for name, limit, option in LIMITS:
        allowed, _ = resource.getrlimit(limit)
        needed = getattr(need, name)
        if allowed != resource.RLIM_INFINITY and allowed < needed:
            raise CommandError(
                f"{command} takes {human_bytes(needed)} of {name.replace('_', ' ')}, of which little is ever used, "
                f"and the limit is {human_bytes(allowed)}; raise it (ulimit {option} unlimited)",
                ExitCode.FAILED,
            )
    if (threads := startable(need.threads)) < need.threads:
        raise CommandError(
            f"{command} takes up to {need.threads} threads, and no more than {threads} can be started; raise the "
            "limit (pids.max of the container, TasksMax of the service, ulimit -u)",
            ExitCode.FAILED,
        )


def need_of(command: str, jobs: int | None = None) -> Need:
    """By the name of the command, on as many processors as it may use."""
    if command in WITHOUT_MODEL:
        return RECORDING
    processors = len(os.sched_getaffinity(0))
    need = Need(*(base + processors * more for base, more in zip(ADVISING, A_PROCESSOR, strict=True)))
    workers = (jobs or processors) if command == "score" else 0
    return need._replace(threads=need.threads + workers * A_WORKER_THREADS)


def startable(threads: int) -> int:
    """How many of so many threads can be there at once: tried, as limits are many and not all can be read. It takes
    a fifth of a millisecond for each."""
    goes_on = threading.Event()
    started: list[threading.Thread] = []
    try:
        for _ in range(threads):
            thread = threading.Thread(target=goes_on.wait, daemon=True)
            thread.start()
            started.append(thread)
    except RuntimeError:  # "can't start new thread"
        pass
    finally:
        goes_on.set()
    for thread in started:
        thread.join()
    return len(started)
