"""What the wrappers of servers share: a folder of their own, the policy, a server that ends with them."""

from __future__ import annotations

import os
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

START_S = 20.0
"""Longest wait for a server to listen, seconds; all of them take under one."""

STOP_S = 5.0
"""Longest wait for a server to end when asked, seconds; then it is killed."""

PAUSE_S = 0.01


def policy() -> str:
    """The page policy to apply: "base" unless the trial says otherwise."""
    return os.environ.get("HUGEPAGE_ADVISOR_POLICY", "base")


def page_bytes() -> int | None:
    """Page size of the policy's pool; None where it has none."""
    text = os.environ.get("HUGEPAGE_ADVISOR_PAGE_BYTES", "")
    return int(text) if policy().startswith("pool-") and text else None


@contextmanager
def folder(owner: str | None = None) -> Iterator[Path]:
    """A folder for sockets, that `owner` may write to."""
    with tempfile.TemporaryDirectory(prefix="campaign-") as name:
        if owner is not None:
            shutil.chown(name, owner)
        yield Path(name)


@contextmanager
def server(
    command: Sequence[str],
    environment: Mapping[str, str] | None = None,
    user: str | None = None,
) -> Iterator[subprocess.Popen[bytes]]:
    """The server while the block runs; its output goes nowhere. It is in our process group and ends with us."""
    running = subprocess.Popen(
        list(command),
        env={**os.environ, **(environment or {})},
        user=user,
        group=user,
        extra_groups=[] if user else None,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.STDOUT,
    )
    try:
        yield running
    finally:
        running.send_signal(signal.SIGINT)
        try:
            running.wait(STOP_S)
        except subprocess.TimeoutExpired:
            running.kill()
            running.wait()


def connect(path: Path, running: subprocess.Popen[bytes]) -> socket.socket:
    """A connection to the server's socket, as soon as it listens. Raises RuntimeError where it does not."""
    deadline = time.monotonic() + START_S
    while time.monotonic() < deadline and running.poll() is None:
        client = socket.socket(socket.AF_UNIX)
        try:
            client.connect(str(path))
        except OSError:
            client.close()
            time.sleep(PAUSE_S)
        else:
            return client
    raise RuntimeError(f"no answer from {running.args!r}, exit status {running.poll()}")


def receive(client: socket.socket, end: bytes) -> bytes:
    """Everything up to and with `end`, which must be the end of what is sent."""
    parts = [b""]
    while not parts[-1].endswith(end):
        part = client.recv(1 << 18)
        if not part:
            raise RuntimeError("the server closed the connection")
        parts.append(part if len(part) >= len(end) else parts.pop() + part)
    return b"".join(parts)


def receive_bytes(client: socket.socket, count: int) -> None:
    """Reads `count` bytes and drops them."""
    buffer = bytearray(1 << 18)
    while count > 0:
        got = client.recv_into(buffer, min(count, len(buffer)))
        if got == 0:
            raise RuntimeError("the server closed the connection")
        count -= got
