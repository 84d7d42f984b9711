"""Request counters that known programs hand out over their own socket, without credentials.

Only programs known by name are spoken to, only over loopback or a Unix socket that the process itself listens on, and
only with the command that reads its statistics. Such a read is one request itself: a few a second.
"""

from __future__ import annotations

import os
import re
import socket
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass

from advisor.procfs.errors import KernelTextError, MissingError
from advisor.procfs.fs import KernelFs

ANSWER_S = 0.5
"""Seconds to wait for a whole answer. Reason: a local answer takes less than a millisecond; a socket that expects TLS
never answers."""

LONGEST_ANSWER = 1 << 16
"""Bytes of an answer. Reason: INFO stats and stats are below 8 KiB."""

TCP_LISTENING = re.compile(
    rb"(?m)^ *\d+: ([0-9A-F]{8}|[0-9A-F]{32}):([0-9A-F]{4})"
    rb" [0-9A-F]+:[0-9A-F]{4} 0A(?: \S+){3} +\d+ +\d+ (\d{1,18})\b"
)
"""A line of /proc/net/tcp or tcp6 in state 0A (include/net/tcp_states.h TCP_LISTEN): address, port, inode."""

UNIX_LISTENING = re.compile(rb"(?m)^[0-9a-fA-F]+: [0-9A-F]+ [0-9A-F]+ 0001[0-9A-F]{4} 0001 \S+ +(\d{1,18}) (.+)$")
"""A line of /proc/net/unix with flag __SO_ACCEPTCON (0x10000, include/linux/net.h) and type SOCK_STREAM (1)."""

LOOPBACK = {
    "00000000": "127.0.0.1",
    "0100007F": "127.0.0.1",
    "7F000001": "127.0.0.1",
    "0" * 32: "::1",
    "00000000000000000000000001000000": "::1",
    "00000000000000000000000000000001": "::1",
}
"""Addresses of /proc/net/tcp and tcp6 (words in the machine's byte order) that are reached over loopback."""

Address = str | tuple[str, int]
"""Path of a Unix socket (abstract ones begin with NUL), or host and port."""


class NoAnswerError(Exception):
    """The program does not hand out its counter: no connection, credentials asked for, another protocol."""


@dataclass(frozen=True)
class Protocol:
    """How to ask one program. names: of the process (comm). counts: the lines of its answer that are summed up."""

    proxy: str
    names: frozenset[str]
    question: bytes
    end: bytes
    counts: tuple[re.Pattern[bytes], ...]

    def count(self, answer: bytes) -> int:
        """Raises NoAnswerError where a line is missing."""
        found = [pattern.search(answer) for pattern in self.counts]
        if any(match is None for match in found):
            raise NoAnswerError(repr(answer[:80]))
        return sum(int(match[1]) for match in found if match)


PROTOCOLS = (
    Protocol(
        "redis-commands",
        frozenset({"redis-server", "valkey-server", "keydb-server"}),
        b"INFO stats\r\n",
        b"\r\n\r\n",
        (re.compile(rb"\r\ntotal_commands_processed:(\d{1,18})\r\n"),),
    ),
    Protocol(
        "memcached-requests",
        frozenset({"memcached"}),
        b"stats\r\n",
        b"END\r\n",
        (re.compile(rb"STAT cmd_get (\d{1,18})\r\n"), re.compile(rb"STAT cmd_set (\d{1,18})\r\n")),
    ),
)
"""Sources: redis INFO command (redis.io/commands/info), memcached doc/protocol.txt."""


class RequestSource:
    """One open connection to one program. Once it fails, it answers nothing for good."""

    def __init__(self, protocol: Protocol, address: Address) -> None:
        """Raises OSError, NoAnswerError."""
        self._protocol = protocol
        if isinstance(address, str):
            self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
            self._socket.settimeout(ANSWER_S)
            self._socket.connect(address)
        else:
            self._socket = socket.create_connection(address, ANSWER_S)
        self._broken = False
        try:
            self._ask()
        except (OSError, NoAnswerError):
            self.close()
            raise

    def read(self) -> dict[str, int]:
        if self._broken:
            return {}
        try:
            return {self._protocol.proxy: self._ask()}
        except (OSError, NoAnswerError):
            self._broken = True
            return {}

    def close(self) -> None:
        self._socket.close()

    def _ask(self) -> int:
        """One answer in ANSWER_S in all: one that comes byte by byte must not hold up the trial."""
        ends = time.monotonic() + ANSWER_S
        self._socket.settimeout(ANSWER_S)
        self._socket.sendall(self._protocol.question)
        answer = b""
        while not answer.endswith(self._protocol.end) and not answer.startswith((b"-", b"ERROR")):
            if (left_s := ends - time.monotonic()) <= 0:
                raise NoAnswerError("too slow")
            self._socket.settimeout(left_s)
            piece = self._socket.recv(LONGEST_ANSWER)
            if not piece or len(answer) > LONGEST_ANSWER:
                raise NoAnswerError("cut off")
            answer += piece
        return self._protocol.count(answer)


def request_source(fs: KernelFs, pid: int) -> RequestSource | None:
    """The counter of this process where it is a program known to hand one out, and does."""
    with suppress(KernelTextError):
        name = fs.read_process(pid, "comm").decode("utf-8", "replace").strip()
        protocol = next((one for one in PROTOCOLS if name in one.names), None)
        if protocol is None or fs.link_of_process(pid, "ns/net") != os.readlink("/proc/self/ns/net"):
            return None
        for address in listening(fs, pid):
            with suppress(OSError, NoAnswerError):
                return RequestSource(protocol, address)
    return None


def listening(fs: KernelFs, pid: int) -> Iterator[Address]:
    """Where the process itself listens, loopback and Unix sockets only. Raises KernelTextError."""
    own = set()
    for name in fs.list_proc(f"{pid}/fd"):
        with suppress(MissingError):  # closed meanwhile
            own.add(fs.link_of_process(pid, f"fd/{name}"))
    parsers: Mapping[str, Callable[[bytes], dict[int, Address]]] = {
        "net/unix": listening_unix,
        "net/tcp": listening_tcp,
        "net/tcp6": listening_tcp,
    }
    for name, parser in parsers.items():
        with suppress(KernelTextError):
            for inode, address in parser(fs.read_process(pid, name)).items():
                if f"socket:[{inode}]" in own:
                    yield address


def listening_tcp(text: bytes) -> dict[int, Address]:
    """Sockets of /proc/net/tcp or tcp6 that listen and are reached over loopback, by inode (proc_net_tcp.rst)."""
    return {
        int(inode): (LOOPBACK[host.decode()], int(port, 16))
        for host, port, inode in TCP_LISTENING.findall(text)
        if host.decode() in LOOPBACK
    }


def listening_unix(text: bytes) -> dict[int, Address]:
    """Stream sockets of /proc/net/unix that listen and have a name, by inode; "@" stands for NUL at its beginning."""
    return {
        int(inode): os.fsdecode(b"\0" + path[1:] if path.startswith(b"@") else path)
        for inode, path in UNIX_LISTENING.findall(text)
    }
