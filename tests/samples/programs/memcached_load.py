"""Fills memcached over its socket, says "ready", then gets random keys for ever: `memcached_load.py SOCKET ITEMS`."""

from __future__ import annotations

import random
import socket
import sys

VALUE = b"v" * 1000
KEYS_PER_GET = 50


def fill(server: socket.socket, items: int) -> None:
    for number in range(items):
        server.sendall(b"set key:%d 0 0 %d noreply\r\n%s\r\n" % (number, len(VALUE), VALUE))


def get(server: socket.socket, keys: list[int]) -> None:
    server.sendall(b"get " + b" ".join(b"key:%d" % key for key in keys) + b"\r\n")
    end = b""
    while not end.endswith(b"END\r\n"):
        end = end[-8:] + server.recv(1 << 16)


def main() -> None:
    path, items = sys.argv[1], int(sys.argv[2])
    server = socket.socket(socket.AF_UNIX)
    server.connect(path)
    fill(server, items)
    get(server, [0])
    print("ready", flush=True)
    chance = random.Random(0)
    while True:
        get(server, [chance.randrange(items) for _ in range(KEYS_PER_GET)])


if __name__ == "__main__":
    main()
