"""memcached with small items: `memcached_load.py THOUSANDS VALUE_BYTES SECONDS`; 200 random keys a request.

Policies: "thp" makes its memory one advised piece (-L: large pages), which no pool can back; under a pool's policy
malloc takes the slabs from the pool, all of them from its heap: mappings of 2 MiB for slabs of 1 MiB waste half.
"""

from __future__ import annotations

import random
import socket
import sys
from collections.abc import Callable

from servers import connect, folder, page_bytes, policy, receive, receive_bytes, server
from steady import repeat

KEYS = 200
REQUESTS = 500
"""Different requests, made beforehand: 100,000 keys."""

FILL_AT_ONCE = 2000
MIB = 1 << 20
ITEM_BYTES = 64
"""Head of an item, with the length of a key of ours, bytes."""


def fill(client: socket.socket, count: int, value: bytes) -> None:
    for start in range(0, count, FILL_AT_ONCE):
        items = range(start, min(start + FILL_AT_ONCE, count))
        client.sendall(b"".join(b"set %08d 0 0 %d noreply\r\n%b\r\n" % (item, len(value), value) for item in items))
    client.sendall(b"version\r\n")
    receive(client, b"\r\n")


def get(client: socket.socket, count: int, length: int) -> Callable[[], int]:
    choose = random.Random(1)
    answer = KEYS * (len(b"VALUE 00000000 0 %d\r\n" % length) + length + 2) + len(b"END\r\n")
    requests = [
        b"get " + b" ".join(b"%08d" % choose.randrange(count) for _ in range(KEYS)) + b"\r\n" for _ in range(REQUESTS)
    ]

    def step() -> int:
        client.sendall(choose.choice(requests))
        receive_bytes(client, answer)
        return KEYS

    return step


def tunables(page: int) -> str:
    """Of the C library: its heap grows by pages of the pool, and blocks below 1 GiB come from the heap."""
    return f"glibc.malloc.hugetlb={page}:glibc.malloc.mmap_threshold={1 << 30}"


def main() -> None:
    thousands, length, seconds = sys.argv[1:]
    count, value = int(thousands) * 1000, b"v" * int(length)
    limit = count * (len(value) + ITEM_BYTES) * 3 // 2 // MIB + 64
    with folder() as place:
        command = ["memcached", "-u", "root", "-s", str(place / "socket"), "-m", str(limit), "-t", "1"]
        if policy() == "thp":
            command.append("-L")
        environment = {"GLIBC_TUNABLES": tunables(page)} if (page := page_bytes()) else {}
        with server(command, environment) as running, connect(place / "socket", running) as client:
            fill(client, count, value)
            repeat(float(seconds), get(client, count, len(value)))


if __name__ == "__main__":
    main()
