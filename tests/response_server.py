"""A service whose response to huge pages is known: `python tests/response_server.py KIND MIB FILE [--advised]`.

random-access: dependent reads and writes of one cache line in each 4 KiB of MIB mebibytes, at random: on base pages
each costs a page walk, while the lines themselves fit a cache, so that neighbours disturb little. Which line of a
page is hashed: lines at regular places would share a few sets of the cache where pages are huge, and hide the gain.
compute: integer arithmetic, no memory. FILE gets the number of operations done so far, in one pwrite for each
OPERATIONS of them: a counter for a metric command and for /proc/PID/io alike.

Prints "ready" once its memory stands, and stays until it is killed or its standard input closes. `--advised`: its
memory is MADV_HUGEPAGE from the start, as a restart under THP would have it.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

SOURCE = r"""
#include <fcntl.h>
#include <poll.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <unistd.h>

enum { OPERATIONS = 20000 };

static uint64_t next(uint64_t x) { x ^= x << 13; x ^= x >> 7; x ^= x << 17; return x; }

int main(int argc, char **argv)
{
    int memory = !strcmp(argv[1], "random-access");
    size_t bytes = strtoull(argv[2], 0, 10) << 20, pages = bytes / 4096;
    int file = open(argv[3], O_WRONLY | O_CREAT | O_TRUNC, 0600);
    uint64_t *place = mmap(0, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (file < 0 || place == MAP_FAILED)
        return 1;
    /* Base pages at first, whatever the system's mode; allowed again before anything is tried. */
    if (argc > 4 ? madvise(place, bytes, MADV_HUGEPAGE) : prctl(PR_SET_THP_DISABLE, 1, 0, 0, 0))
        return 1;
    for (size_t at = 0; at < pages * 512; at += 512)
        place[at] = at + 1;
    prctl(PR_SET_THP_DISABLE, 0, 0, 0, 0);
    puts("ready");
    fflush(stdout);
    struct pollfd input = {0, POLLIN, 0};
    uint64_t x = 88172645463325252u;
    for (uint64_t done = 0; !poll(&input, 1, 0);) {
        if (memory)
            for (int i = 0; i < OPERATIONS; i++) {
                size_t page = x % pages, line = page * 2654435761u >> 20 & 63, at = page * 512 + line * 8;
                x = next(x + (place[at] += x & 1));
            }
        else
            for (int i = 0; i < 60 * OPERATIONS; i++)
                x = next(x + i);
        done += OPERATIONS;
        char text[32];
        int size = snprintf(text, sizeof text, "%20llu\n", (unsigned long long)done);
        if (pwrite(file, text, size, 0) != size || x == 0)
            return 1;
    }
    return 0;
}
"""


def compiler() -> str | None:
    """A C compiler, where there is one."""
    return shutil.which("cc") or shutil.which("gcc")


def build(folder: Path) -> Path:
    """The server as a program in `folder`. Raises CalledProcessError, or FileNotFoundError without a compiler."""
    source, program = folder / "response_server.c", folder / "response_server"
    source.write_text(SOURCE)
    subprocess.run([compiler() or "cc", "-O2", "-o", str(program), str(source)], check=True)
    return program


if __name__ == "__main__":
    built = build(Path(tempfile.mkdtemp(prefix="response_server.")))
    os.execv(built, [str(built), *sys.argv[1:]])  # noqa: S606  # becomes the server, with the same pid
