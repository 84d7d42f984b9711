"""Counters of processes: parsing, and what programs answer over their sockets."""

from __future__ import annotations

import os
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from advisor.procfs.errors import MalformedError
from advisor.procfs.fs import KernelFs
from advisor.trial import live_requests
from advisor.trial.live_requests import (
    PROTOCOLS,
    NoAnswerError,
    RequestSource,
    listening,
    listening_tcp,
    listening_unix,
    request_source,
)
from advisor.trial.proxies import KernelSource, cpu_seconds, parse_io, parse_waits, sources_of

IO = b"rchar: 100\nwchar: 20\nsyscr: 3\nsyscw: 4\nread_bytes: 0\nwrite_bytes: 0\ncancelled_write_bytes: 0\n"
REDIS, MEMCACHED = PROTOCOLS
REDIS_ANSWER = b"$60\r\n# Stats\r\ntotal_connections_received:1\r\ntotal_commands_processed:%d\r\nx:1\r\n\r\n"


def test_io_as_bytes_and_calls() -> None:
    assert parse_io(IO) == {"io-bytes": 120, "io-calls": 7}
    with pytest.raises(MalformedError):
        parse_io(b"rchar: 100\n")


def test_waits_are_the_voluntary_switches() -> None:
    assert parse_waits(b"Name:\tx\nvoluntary_ctxt_switches:\t7\nnonvoluntary_ctxt_switches:\t99\n") == 7
    with pytest.raises(MalformedError):
        parse_waits(b"Name:\tx\n")


@given(st.binary(max_size=200))
def test_damaged_text_is_malformed_and_nothing_else(data: bytes) -> None:
    for parser in (parse_io, parse_waits):
        with suppress(MalformedError):
            parser(data)
    listening_tcp(data)
    listening_unix(data)


def test_own_counters_grow_with_what_is_done() -> None:
    source = KernelSource(KernelFs(), os.getpid())
    before, cpu_before = source.read(), cpu_seconds(os.getpid())
    with open("/dev/zero", "rb", buffering=0) as zeros:
        zeros.read(100_000)
    time.sleep(0.001)
    after = source.read()
    assert after["io-bytes"] - before["io-bytes"] >= 100_000
    assert after["io-calls"] > before["io-calls"]
    assert after["waits"] > before["waits"]
    assert cpu_seconds(os.getpid()) > cpu_before


def test_a_process_that_is_gone_counts_nothing() -> None:
    assert KernelSource(KernelFs(), 1 << 22).read() == {}


def test_listening_sockets_over_loopback_only() -> None:
    text = (
        b"  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode\n"
        b"   0: 00000000:18EB 00000000:0000 0A 00000000:00000000 00:00000000 00000000   0   0 111 1 0 100 0 0 10 0\n"
        b"   1: 0100007F:0050 00000000:0000 0A 00000000:00000000 00:00000000 00000000   0   0 112 1 0 100 0 0 10 0\n"
        b"   2: 0A00000A:0050 00000000:0000 0A 00000000:00000000 00:00000000 00000000   0   0 113 1 0 100 0 0 10 0\n"
        b"   3: 0100007F:0051 0100007F:9999 01 00000000:00000000 00:00000000 00000000   0   0 114 1 0 100 0 0 10 0\n"
    )
    assert listening_tcp(text) == {111: ("127.0.0.1", 6379), 112: ("127.0.0.1", 80)}


def test_listening_unix_sockets() -> None:
    text = (
        b"Num       RefCount Protocol Flags    Type St Inode Path\n"
        b"0000000000000000: 00000002 00000000 00010000 0001 01 21 /run/a b.sock\n"
        b"0000000000000000: 00000002 00000000 00010000 0001 01 22 @abstract\n"
        b"0000000000000000: 00000002 00000000 00000000 0001 03 23 /run/connected.sock\n"
        b"0000000000000000: 00000002 00000000 00010000 0001 01 24\n"
    )
    assert listening_unix(text) == {21: "/run/a b.sock", 22: "\0abstract"}


@contextmanager
def server(answers: list[bytes]) -> Iterator[tuple[str, int]]:
    """Answers each question on one connection, then closes it."""
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def serve() -> None:
            connection, _ = listener.accept()
            with connection:
                for answer in answers:
                    if not connection.recv(100):
                        return
                    connection.sendall(answer)

        thread = threading.Thread(target=serve)
        thread.start()
        yield listener.getsockname()
        thread.join()


def test_redis_counts_until_it_goes() -> None:
    with server([REDIS_ANSWER % 5, REDIS_ANSWER % 9]) as address:
        source = RequestSource(REDIS, address)
        assert source.read() == {"redis-commands": 9}
        assert source.read() == {}
        source.close()


def test_an_answer_that_comes_byte_by_byte_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(live_requests, "ANSWER_S", 0.1)
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def drip() -> None:
            connection, _ = listener.accept()
            with connection, suppress(OSError):
                for _ in range(100):
                    connection.sendall(b"x")
                    time.sleep(0.02)

        thread = threading.Thread(target=drip)
        thread.start()
        began = time.monotonic()
        with pytest.raises((NoAnswerError, TimeoutError)):
            RequestSource(REDIS, listener.getsockname())
        assert time.monotonic() - began < 1
        thread.join()


def test_memcached_counts_gets_and_sets() -> None:
    with server([b"STAT cmd_get 5\r\nSTAT cmd_set 2\r\nEND\r\n"] * 2) as address:
        source = RequestSource(MEMCACHED, address)
        assert source.read() == {"memcached-requests": 7}
        source.close()


@pytest.mark.parametrize("answer", [b"-NOAUTH Authentication required.\r\n", b"ERROR\r\n", b""])
def test_no_counter_without_credentials(answer: bytes) -> None:
    with server([answer]) as address, pytest.raises(NoAnswerError):
        RequestSource(REDIS, address)


def test_unknown_programs_are_not_spoken_to() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        assert listener.getsockname() in list(listening(KernelFs(), os.getpid()))
        assert request_source(KernelFs(), os.getpid()) is None
        assert len(sources_of(KernelFs(), os.getpid())) == 1
        listener.setblocking(False)
        with pytest.raises(BlockingIOError):
            listener.accept()
