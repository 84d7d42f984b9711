"""Ways on this host: the program that is started really has the pages of its policy."""

from __future__ import annotations

import ctypes
import os
import pwd
import re
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from pathlib import Path

import pytest

from advisor.procfs.fs import KernelFs
from advisor.trial.document import Way
from advisor.trial.way_model import HostFacts
from advisor.trial.ways import host_facts, policies_of, ways_for
from tests.host.knobs import THP, pool, setting

pytestmark = pytest.mark.host

PR_SET_THP_DISABLE = 41
PATIENCE_S = 10
"""Longest wait for a program to have its pages; JVM and PostgreSQL need about one second."""

Seen = Mapping[str, int]
"""MiB by name of a smaps line, the largest of all processes; Hugetlb is private and shared together."""

NAMES = ("Rss", "Anonymous", "AnonHugePages", "ShmemPmdMapped", "Hugetlb")


def as_found(facts: HostFacts) -> HostFacts:
    return facts


def way_of(command: Sequence[str], policy: str, facts: Callable[[HostFacts], HostFacts] = as_found) -> Way:
    """The way of one policy, for a user who allows changes."""
    fs = KernelFs()
    try:
        policies = policies_of(fs, [policy])
    except ValueError as error:
        pytest.skip(str(error))
    host = facts(host_facts(fs, may_change=True))
    way = ways_for(command, os.environ, policies, host)[0]
    assert way.why_unusable is None
    return way


@contextmanager
def started(way: Way, pool_pages: int = 0) -> Iterator[subprocess.Popen[bytes]]:
    """The way's settings in force and its command running; its whole process group ends with the block."""
    with ExitStack() as stack:
        for name in ("enabled", "shmem_enabled"):
            mode = getattr(way, "thp_enabled" if name == "enabled" else name)
            if mode is not None:
                stack.enter_context(setting(THP / name, mode))
        if way.pool_page_bytes:
            stack.enter_context(pool(way.pool_page_bytes // 1024, pool_pages))
        process = subprocess.Popen(
            way.command,
            env={**os.environ, **way.environment},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
            preexec_fn=disable_thp if way.thp_disable else None,
        )
        try:
            yield process
        finally:
            end(process)


def end(process: subprocess.Popen[bytes]) -> None:
    """Politely first: PostgreSQL's processes have sessions of their own, and outlive a killed postmaster."""
    process.terminate()
    try:
        process.wait(timeout=PATIENCE_S)
    except subprocess.TimeoutExpired:
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()


def madvise_alone(facts: HostFacts) -> HostFacts:
    """The same host for a user who allows no changes, in mode madvise."""
    return replace(facts, may_change=False, thp_enabled="madvise")


def disable_thp() -> None:
    ctypes.CDLL(None).prctl(PR_SET_THP_DISABLE, 1, 0, 0, 0)


def wait_for(process: subprocess.Popen[bytes], enough: Callable[[Seen], bool]) -> Seen:
    """What smaps shows once it is enough; the last that was seen where it never is."""
    deadline = time.monotonic() + PATIENCE_S
    while True:
        seen = memory(process.pid)
        if enough(seen):
            return seen
        assert process.poll() is None, f"ended with {process.returncode}, had {seen}"
        assert time.monotonic() < deadline, f"never enough: {seen}"
        time.sleep(0.05)


def memory(pid: int) -> Seen:
    pids = [pid]
    largest = dict.fromkeys(NAMES, 0)
    for one in pids:
        try:
            pids += [int(child) for child in Path(f"/proc/{one}/task/{one}/children").read_text().split()]
            text = Path(f"/proc/{one}/smaps").read_text()
        except OSError:
            continue
        for name in NAMES:
            kib = sum(int(value) for value in re.findall(rf"(?m)^\w*{name}: +(\d+) kB$", text))
            largest[name] = max(largest[name], kib // 1024)
    return largest


def needs(program: str) -> str:
    path = shutil.which(program)
    if path is None:
        pytest.skip(f"no {program} on this host")
    return path


def has(name: str, mib: int) -> Callable[[Seen], bool]:
    return lambda seen: seen[name] >= mib


ARRAY = [sys.executable, "-c", "a = bytearray(64 << 20); import time; time.sleep(60)"]
BLOCKS = [sys.executable, "-c", "a = [bytearray(500_000) for _ in range(100)]; import time; time.sleep(60)"]


@pytest.mark.parametrize("command", [ARRAY, BLOCKS])
def test_malloc_takes_the_pool(command: list[str]) -> None:
    """Blocks smaller than a huge page as well."""
    way = way_of(command, "2M")
    with started(way, 48) as process:
        assert wait_for(process, has("Hugetlb", 40))["Anonymous"] < 16


def test_malloc_takes_1g_pages() -> None:
    way = way_of(ARRAY, "1G")
    with started(way, 1) as process:
        assert wait_for(process, has("Hugetlb", 1024))["Anonymous"] < 16


def test_malloc_is_transparently_huge() -> None:
    with started(way_of(ARRAY, "thp")) as process:
        wait_for(process, has("AnonHugePages", 60))


def test_base_pages_under_any_mode() -> None:
    with setting(THP / "enabled", "always"), started(way_of(["nice", *ARRAY], "base")) as process:
        assert wait_for(process, has("Anonymous", 64))["AnonHugePages"] == 0


FOUND_JAVAS = [shutil.which("java"), *Path("/usr/lib/jvm").glob("*/bin/java")]
JAVAS = sorted({str(Path(path).resolve()) for path in FOUND_JAVAS if path}) or ["java"]


@pytest.fixture(params=JAVAS)
def java(request: pytest.FixtureRequest) -> str:
    return needs(request.param)


@pytest.mark.parametrize("policy", ["base", "thp", "2M", "1G"])
def test_the_jvm_accepts_its_flags(java: str, policy: str) -> None:
    way = way_of([java, "-Xmx64m", "-version"], policy)
    done = subprocess.run(way.command, env={**os.environ, **way.environment}, capture_output=True, timeout=60)
    assert done.returncode == 0, done.stderr


JAVA_SERVER = ["-m", "java.rmi/sun.rmi.registry.RegistryImpl", "0"]
JAVA_HEAP = ["-XX:+UseSerialGC", "-Xms64m", "-Xmx64m", "-XX:+AlwaysPreTouch", "-XX:ReservedCodeCacheSize=16m"]


def test_the_java_heap_lies_in_the_pool(java: str) -> None:
    """Mapped whole from the pool; the JVM does not touch such a heap in advance, whatever it was told."""
    with started(way_of([java, *JAVA_HEAP, *JAVA_SERVER], "2M"), 64) as process:
        wait_for(process, has("Hugetlb", 4))
        smaps = Path(f"/proc/{process.pid}/smaps").read_text()
        assert re.search(r"(?m)^Size: +65536 kB\nKernelPageSize: +2048 kB$", smaps)


def test_the_java_heap_is_transparently_huge(java: str) -> None:
    way = way_of([java, *JAVA_HEAP, *JAVA_SERVER], "thp", madvise_alone)
    with setting(THP / "enabled", "madvise"), started(way) as process:
        wait_for(process, has("AnonHugePages", 60))


def test_zgc_is_transparently_huge(java: str) -> None:
    way = way_of([java, "-XX:+UseZGC", "-Xms64m", "-Xmx64m", "-XX:+AlwaysPreTouch", *JAVA_SERVER], "thp")
    with started(way) as process:
        wait_for(process, lambda seen: seen["ShmemPmdMapped"] + seen["AnonHugePages"] >= 60)


def free_port() -> int:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        port: int = listener.getsockname()[1]
        return port


def say(port: int, request: bytes, times: int) -> None:
    """Send to a server as soon as it listens, and wait for one answer to each."""
    deadline = time.monotonic() + PATIENCE_S
    while True:
        try:
            with socket.create_connection(("127.0.0.1", port), timeout=PATIENCE_S) as connection:
                for number in range(times):
                    connection.sendall(request.replace(b"KEY", b"k%03d" % number))
                    connection.recv(100)
                return
        except ConnectionRefusedError:
            assert time.monotonic() < deadline, "the server does not listen"
            time.sleep(0.05)


BLOCK = b"x" * 500_000
"""A value that memcached stores as one item and redis as one block of malloc."""


@pytest.mark.parametrize(("policy", "name"), [("2M", "Hugetlb"), ("thp", "AnonHugePages"), ("base", "Anonymous")])
def test_memcached(policy: str, name: str) -> None:
    port = str(free_port())
    command = [needs("memcached"), "-u", "root", "-l", "127.0.0.1", "-p", port, "-m", "64"]
    with started(way_of(command, policy), 64) as process:
        say(int(port), b"set KEY 0 0 %d\r\n%s\r\n" % (len(BLOCK), BLOCK), 80)
        assert policy != "base" or memory(process.pid)["AnonHugePages"] == 0
        wait_for(process, has(name, 30))


@pytest.mark.parametrize("mode", ["as the way says", "madvise"])
def test_redis_is_transparently_huge(mode: str) -> None:
    port = str(free_port())
    command = [needs("redis-server"), "--bind", "127.0.0.1", "--port", port, "--save", ""]
    way = way_of(command, "thp")
    if mode == "madvise":
        way = way_of(command, "thp", madvise_alone)
        assert "jemalloc-conf" in way.id or pytest.skip("this redis-server does not use jemalloc's library")
    with setting(THP / "enabled", way.thp_enabled or mode), started(way) as process:
        say(int(port), b"*3\r\n$3\r\nSET\r\n$4\r\nKEY\r\n$%d\r\n%s\r\n" % (len(BLOCK), BLOCK), 100)
        wait_for(process, has("AnonHugePages", 30))


@pytest.fixture(scope="module")
def cluster() -> Iterator[list[str]]:
    """A fresh PostgreSQL cluster, as the command that serves it."""
    postgres = next(iter(sorted(Path("/usr/lib/postgresql").glob("*/bin/postgres"))), None)
    setpriv = needs("setpriv")
    if postgres is None or os.geteuid() != 0:
        pytest.skip("no PostgreSQL here, or not root")
    try:
        account = pwd.getpwnam("postgres")
    except KeyError:
        pytest.skip("no account postgres on this host")
    # pytest's own folders are closed to other users.
    folder = Path(tempfile.mkdtemp())
    os.chown(folder, account.pw_uid, account.pw_gid)
    user = [setpriv, "--reuid", "postgres", "--regid", str(account.pw_gid), "--clear-groups"]
    try:
        command = [*user, str(postgres.with_name("initdb")), "-D", str(folder / "data"), "--no-sync", "-A", "trust"]
        subprocess.run(command, check=True, capture_output=True, cwd="/", timeout=60)
        server = [str(postgres), "-D", str(folder / "data"), "-c", "shared_buffers=32MB", "-c", "listen_addresses="]
        yield [*user, *server, "-c", f"unix_socket_directories={folder}"]
    finally:
        shutil.rmtree(folder)


@pytest.mark.parametrize(("policy", "name"), [("2M", "Hugetlb"), ("thp", "ShmemPmdMapped")])
def test_postgresql(cluster: list[str], policy: str, name: str) -> None:
    way = way_of(cluster, policy)
    assert "postgres-settings" in way.id
    with started(way, 48) as process:
        wait_for(process, has(name, 2))


def test_postgresql_on_base_pages(cluster: list[str]) -> None:
    with started(way_of(cluster, "base")) as process:
        seen = wait_for(process, has("Rss", 10))
        assert seen["Hugetlb"] == seen["ShmemPmdMapped"] == 0


GUEST = ["-m", "64", "-nodefaults", "-display", "none", "-accel", "tcg"]
SHARED_BACKEND = ["-object", "memory-backend-memfd,id=ram,size=64M,share=on", "-machine", "memory-backend=ram"]


@pytest.mark.parametrize("backend", [[], SHARED_BACKEND])
def test_a_guest_in_the_pool(backend: list[str]) -> None:
    command = [needs("qemu-system-x86_64"), *GUEST, *backend]
    with started(way_of(command, "2M"), 40) as process:
        wait_for(process, has("Hugetlb", 64))


def test_a_transparently_huge_guest() -> None:
    """Its firmware alone touches memory, and the mode leaves it to madvise."""
    way = way_of([needs("qemu-system-x86_64"), *GUEST], "thp", madvise_alone)
    with setting(THP / "enabled", "madvise"), started(way) as process:
        wait_for(process, has("AnonHugePages", 2))


def test_a_guest_on_base_pages() -> None:
    hugetlb = ["-object", "memory-backend-memfd,id=ram,size=64M,hugetlb=on", "-machine", "memory-backend=ram"]
    command = [needs("qemu-system-x86_64"), *GUEST, *hugetlb]
    with setting(THP / "enabled", "always"), started(way_of(command, "base")) as process:
        seen = wait_for(process, has("Rss", 20))
        assert seen["AnonHugePages"] == seen["Hugetlb"] == 0


def test_stress_ngs_vm_asks_for_huge_pages() -> None:
    command = [needs("stress-ng"), "--vm", "1", "--vm-bytes", "64M", "--vm-keep", "-t", "30"]
    way = way_of(command, "thp", madvise_alone)
    with setting(THP / "enabled", "madvise"), started(way) as process:
        wait_for(process, has("AnonHugePages", 60))


@pytest.mark.parametrize("policy", ["2M", "1G"])
def test_sysbench_memory(policy: str) -> None:
    """By its own switch, and by malloc where the switch cannot name the size."""
    options = ["--memory-block-size=64M", "--memory-total-size=10T", "--time=30"]
    command = [needs("sysbench"), "memory", *options, "run"]
    with started(way_of(command, policy), {"2M": 48, "1G": 1}[policy]) as process:
        wait_for(process, has("Hugetlb", 60))


def test_nodes_buffers_take_the_pool() -> None:
    """V8's own heap does not: it is no memory of malloc."""
    script = "const a = Buffer.alloc(64 << 20, 1); setTimeout(() => a, 60000)"
    with started(way_of([needs("node"), "-e", script], "2M"), 64) as process:
        wait_for(process, has("Hugetlb", 60))
