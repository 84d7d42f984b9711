"""Starts helper programs for tests and ends exactly those, by pid."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path

PLANTED = Path(__file__).with_name("planted.py")
PLANTED_VMAS = Path(__file__).with_name("planted_vmas.py")
MANY_VMAS = Path(__file__).with_name("many_vmas.py")


@contextmanager
def program(arguments: Sequence[str]) -> Iterator[subprocess.Popen[bytes]]:
    """A program that prints a line when it is ready and ends when its standard input closes."""
    process = subprocess.Popen(list(arguments), stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    try:
        assert process.stdout is not None
        if not process.stdout.readline():
            raise RuntimeError(f"{arguments} did not start")
        yield process
    finally:
        process.kill()
        process.communicate()


@contextmanager
def planted(kind: str, mib: int) -> Iterator[subprocess.Popen[bytes]]:
    """One of the programs of `planted.py`, standing."""
    with program([sys.executable, str(PLANTED), kind, str(mib)]) as process:
        yield process


@contextmanager
def planted_vma(kind: str, *arguments: str | Path) -> Iterator[subprocess.Popen[bytes]]:
    """One of the programs of `planted_vmas.py`, standing; it has ended behind the block."""
    with program([sys.executable, str(PLANTED_VMAS), kind, *map(str, arguments)]) as process:
        yield process


@contextmanager
def processes_with_vmas(processes: int, vmas: int) -> Iterator[list[int]]:
    """pids of `processes` programs that have about `vmas` VMAs each."""
    with ExitStack() as stack:
        command = [sys.executable, "-S", str(MANY_VMAS), str(vmas)]
        started = [stack.enter_context(program(command)) for _ in range(processes)]
        yield [process.pid for process in started]
