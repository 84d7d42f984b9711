"""Redis with many small values: `redis_load.py JOB THOUSANDS SECONDS`.

Jobs: "get": random keys over its socket, a pipeline of 200 at a time; "script": the same inside a Lua script of the
server, where the client costs nothing. Under "base" the trial switches THP off; else Redis is told to leave it on.
"""

from __future__ import annotations

import random
import socket
import sys
from collections.abc import Callable

from servers import connect, folder, policy, receive, receive_bytes, server
from steady import repeat

VALUE_BYTES = 128
PIPELINE = 200
REQUESTS = 1000
"""Different pipelines, made beforehand: 200,000 keys."""

SCRIPT_READS = 20_000

SCRIPT = (
    "math.randomseed(tonumber(ARGV[3])) local sum = 0 local count = tonumber(ARGV[2]) "
    "for i = 1, tonumber(ARGV[1]) do sum = sum + #redis.call('GET', 'key:' .. math.random(0, count - 1)) end "
    "return sum"
)


def call(client: socket.socket, *words: str) -> bytes:
    client.sendall(encoded(*words))
    return receive(client, b"\r\n")


def encoded(*words: str) -> bytes:
    parts = [b"$%d\r\n%s\r\n" % (len(word.encode()), word.encode()) for word in words]
    return b"*%d\r\n" % len(words) + b"".join(parts)


def get(client: socket.socket, count: int) -> Callable[[], int]:
    choose = random.Random(1)
    answer = len(b"$%d\r\n" % VALUE_BYTES) + VALUE_BYTES + 2
    requests = [
        b"".join(encoded("GET", f"key:{choose.randrange(count)}") for _ in range(PIPELINE)) for _ in range(REQUESTS)
    ]

    def step() -> int:
        client.sendall(choose.choice(requests))
        receive_bytes(client, PIPELINE * answer)
        return PIPELINE

    return step


def script(client: socket.socket, count: int) -> Callable[[], int]:
    choose = random.Random(1)

    def step() -> int:
        answer = call(client, "EVAL", SCRIPT, "0", str(SCRIPT_READS), str(count), str(choose.getrandbits(30)))
        if answer != b":%d\r\n" % (SCRIPT_READS * VALUE_BYTES):
            raise RuntimeError(answer.decode())
        return SCRIPT_READS

    return step


def main() -> None:
    job, thousands, seconds = sys.argv[1:]
    count = int(thousands) * 1000
    with folder() as place:
        options = {
            "--port": "0",
            "--unixsocket": str(place / "socket"),
            "--dir": str(place),
            "--save": "",
            "--enable-debug-command": "yes",
            "--disable-thp": "yes" if policy() == "base" else "no",
        }
        command = ["redis-server", *(word for pair in options.items() for word in pair)]
        with server(command) as running, connect(place / "socket", running) as client:
            call(client, "DEBUG", "POPULATE", str(count), "key", str(VALUE_BYTES))
            repeat(float(seconds), {"get": get, "script": script}[job](client, count))


if __name__ == "__main__":
    main()
