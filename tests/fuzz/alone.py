"""One target in a process of its own: its peak of memory is its own, and what hangs in C ends with it.

`python -m tests.fuzz.alone NAME COUNT SEED FOLDER` prints a line for the target and one for each harm done, and keeps
the inputs in the folder, where `last` is the one that is being worked on. Exit code 1 where there was any harm.
"""

from __future__ import annotations

import sys
import tempfile
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.fuzz.files import target_of
from tests.fuzz.run import inputs_of, run

IN_MEMORY = Path("/dev/shm")  # a folder of ours is made in it
SHOWN_HARM = 5
LAST = "last"


@contextmanager
def scratch_folder() -> Iterator[Path]:
    """An empty folder, in memory where there is such a file system."""
    with tempfile.TemporaryDirectory(prefix="fuzz-", dir=IN_MEMORY if IN_MEMORY.is_dir() else None) as folder:
        yield Path(folder)


def noted(inputs: Iterable[bytes], path: Path) -> Iterator[bytes]:
    """The inputs, each written down before it is used."""
    with path.open("wb", buffering=0) as file:
        for data in inputs:
            file.seek(0)
            file.write(data)
            file.truncate()
            yield data


def main() -> int:
    name, count, seed, folder = sys.argv[1], int(sys.argv[2]), int(sys.argv[3]), Path(sys.argv[4])
    with scratch_folder() as scratch:
        target = target_of(name, scratch)
        began = time.perf_counter()
        tally = run(target, noted(inputs_of(target, count, seed), folder / LAST))
    print(
        f"{name:28} {tally.inputs:9,d} inputs {tally.sound:9,d} sound  slowest {tally.slowest_s:6.3f} s"
        f"  +{tally.grown_bytes >> 20:4d} MiB  {len(tally.harm):4d} harm  {time.perf_counter() - began:6.0f} s"
    )
    for harm in tally.harm[:SHOWN_HARM]:
        print(f"    {harm.what}: {harm.detail}  {harm.keep(folder).name}")
    return int(bool(tally.harm))


if __name__ == "__main__":
    sys.exit(main())
