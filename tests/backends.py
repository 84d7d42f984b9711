"""Many processes over one piece of shared memory: `python tests/backends.py MIB PROCESSES STEP [hugetlb]`.

Each touches one base page of every STEP of all of it, as the backends of a database do with its buffers. Prints
"ready" and the pids once all have, and ends when its standard input closes.
"""

from __future__ import annotations

import argparse
import mmap
import os
import signal
import sys

from advisor.units import MIB

MAP_HUGETLB = 0x40000


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("mib", type=int)
    parser.add_argument("processes", type=int)
    parser.add_argument("step", type=int)
    parser.add_argument("pages", nargs="?", choices=["base", "hugetlb"], default="base")
    arguments = parser.parse_args()
    flags = mmap.MAP_SHARED | mmap.MAP_ANONYMOUS | (MAP_HUGETLB if arguments.pages == "hugetlb" else 0)
    area = mmap.mmap(-1, arguments.mib * MIB, flags=flags)
    if arguments.pages == "base":
        area.madvise(mmap.MADV_NOHUGEPAGE)
    area[:: arguments.step * mmap.PAGESIZE] = b"\x01" * (len(area[:: arguments.step * mmap.PAGESIZE]))
    pids = []
    for _ in range(arguments.processes):
        reading, writing = os.pipe()
        pid = os.fork()
        if pid == 0:
            for page in range(0, len(area), arguments.step * mmap.PAGESIZE):
                area[page]
            os.write(writing, b"r")
            signal.pause()
        pids.append(pid)
        os.read(reading, 1)
        os.close(reading)
        os.close(writing)
    print("ready", *pids, flush=True)
    sys.stdin.read()
    for pid in pids:
        os.kill(pid, signal.SIGKILL)
        os.waitpid(pid, 0)


if __name__ == "__main__":
    main()
