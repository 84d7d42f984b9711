"""One command, killed once, and what is looked at afterwards."""

from __future__ import annotations

import random
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

import polars as pl

from advisor.profile.codec import ProfileError, load_profile
from tests.host.knobs import POOLS, THP, current

KNOBS = (THP / "enabled", THP / "shmem_enabled", THP / "defrag", POOLS / "hugepages-2048kB/nr_hugepages")
SAMPLES = Path(__file__).parents[2] / "sample_profiles"
WORKERS_END_S = 10.0
"""Seconds that processes of a killed command have to be gone. Reason: they see the end of their parent at once, but
for one that imports modules."""

PROGRAM = "import mmap; a = mmap.mmap(-1, 64 << 20, flags=34); [a.write(bytes(4096)) for _ in range(16384)]"
"""Fills 64 MiB of private anonymous memory."""


class Killed(NamedTuple):
    """A command that writes to a folder, and what it left in disorder there."""

    name: str
    arguments: Callable[[Path], Sequence[str | Path]]
    wrong: Callable[[Path], Iterator[str]]


def advisor(*arguments: str | Path) -> list[str]:
    return [sys.executable, "-m", "advisor", *map(str, arguments)]


QUIET = {"stdin": subprocess.DEVNULL, "stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}


def seconds_of(command: Killed, folder: Path) -> float:
    """What a run takes that nobody kills, on this host today: a second or six."""
    began = time.monotonic()
    subprocess.run(advisor(*command.arguments(folder)), **QUIET, check=True)
    return time.monotonic() - began


def kill_once(command: Killed, folder: Path, rng: random.Random, whole_s: float) -> tuple[bool, list[str]]:
    """Whether it still ran at that moment, and what was wrong then. whole_s: of which it is killed somewhere."""
    before = [current(path) for path in KNOBS]
    delay = rng.uniform(0.0, whole_s)
    with subprocess.Popen(advisor(*command.arguments(folder)), start_new_session=True, **QUIET) as process:
        time.sleep(delay)
        ran = process.poll() is None
        process.send_signal(signal.SIGKILL)
    wrong = list(command.wrong(folder))
    wrong += [f"{path} is {current(path)}, was {value}" for path, value in zip(KNOBS, before, strict=True)
              if current(path) != value]  # fmt: skip
    if not _is_gone(process.pid):
        wrong.append("processes of it live on")
    return ran, [f"killed after {delay:.3f} s: {one}" for one in wrong]


def _is_gone(session: int) -> bool:
    """Whether nobody of this session is left, after a while."""
    deadline = time.monotonic() + WORKERS_END_S
    while time.monotonic() < deadline:
        if not subprocess.run(["pgrep", "--session", str(session)], capture_output=True, check=False).stdout:
            return True
        time.sleep(0.1)
    return False


def _record(folder: Path) -> Iterator[str]:
    profile = folder / "profile.jsonl.zst"
    if profile.exists():
        try:
            load_profile(profile)
        except ProfileError as error:
            yield str(error)


def _score(folder: Path) -> Iterator[str]:
    """What is there is whole, and going on gives what a run that was not killed gives."""
    output = folder / "out.parquet"
    if output.exists():
        yield from _unlike(output, folder.parent / "whole.parquet")
    subprocess.run(advisor(*_scoring(folder), "--resume"), capture_output=True, check=True)
    yield from _unlike(output, folder.parent / "whole.parquet")


def _unlike(output: Path, whole: Path) -> Iterator[str]:
    if not whole.exists():
        subprocess.run(advisor("score", SAMPLES, "-o", whole), capture_output=True, check=True)
    try:
        if not pl.read_parquet(output).equals(pl.read_parquet(whole)):
            yield "other rows than those of a whole run"
    except pl.exceptions.PolarsError as error:
        yield f"a table that cannot be read: {error}"


def _scoring(folder: Path) -> tuple[str | Path, ...]:
    return "score", SAMPLES, "-o", folder / "out.parquet", "--jobs", "2"


def _trial(folder: Path) -> Iterator[str]:
    """The next command of root puts everything back."""
    done = subprocess.run(advisor("explain"), capture_output=True, text=True, check=False)
    if done.returncode:
        yield f"the next command ended with {done.returncode}: {done.stderr}"
    document = folder / "trial.json"
    if document.exists() and not document.read_bytes().endswith(b"}\n"):
        yield "half of a document"


COMMANDS = (
    Killed(
        "record",
        lambda folder: ("record", "-o", folder / "profile.jsonl.zst", "--interval", "0.2", "--duration", "4"),
        _record,
    ),
    Killed("score", _scoring, _score),
    Killed(
        "trial",
        lambda folder: (
            *("trial", "--yes", "--rounds", "1", "--policies", "base,thp,2M", "--json", "-o", folder / "trial.json"),
            *("--", sys.executable, "-S", "-c", PROGRAM),
        ),
        _trial,
    ),
)
