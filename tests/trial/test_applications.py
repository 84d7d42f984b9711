"""Programs with a way of their own: what is started under each policy."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import pytest

from advisor.trial.way_model import HostFacts
from advisor.units import GIB
from tests.trial.test_ways import FIXED, HOST, tunables, ways


def arguments_of(command: Sequence[str], host: HostFacts = HOST) -> dict[str, list[str] | None]:
    found = ways(command, host)
    return {name: None if way.why_unusable else way.command[1:] for name, way in found.items()}


def test_jvm_flags_replace_the_users() -> None:
    """Also behind an option with a value; what follows the main class belongs to the program."""
    found = arguments_of(["java", "-cp", "lib", "-XX:+UseLargePages", "-Xmx1g", "Main", "-XX:+UseLargePages"])
    rest = ["-cp", "lib", "-Xmx1g", "Main", "-XX:+UseLargePages"]
    pool = ["-XX:+UseLargePages", f"-XX:LargePageSizeInBytes={GIB}"]
    assert found["base"] == ["-XX:-UseLargePages", "-XX:-UseTransparentHugePages", *rest]
    assert found["thp"] == ["-XX:+UseTransparentHugePages", *rest]
    assert found["pool-1G"] == [*pool, *rest]
    assert tunables(ways(["java", "Main"])["pool-2M"]) is None
    assert ways(["java", "-jar", "x.jar"], FIXED)["thp"].why_unusable is None


def test_zgc() -> None:
    found = ways(["java", "-XX:+UseZGC", "-jar", "x.jar"])
    assert "2M" in str(found["pool-1G"].why_unusable)
    assert found["pool-2M"].why_unusable is None
    assert found["thp"].shmem_enabled == "advise"
    assert "shmem_enabled" in str(ways(["java", "-XX:+UseZGC", "A"], FIXED)["thp"].why_unusable)
    assert ways(["java", "A", "-XX:+UseZGC"])["thp"].shmem_enabled is None


def test_postgresql() -> None:
    found = arguments_of(["postgres", "-D", "data"])
    assert found["base"] == ["-D", "data", "-c", "huge_pages=off"]
    assert found["pool-1G"] == ["-D", "data", "-c", "huge_pages=on", "-c", "huge_page_size=1GB"]
    assert ways(["postgres"])["thp"].shmem_enabled == "always"
    assert ways(["postgres"], replace(HOST, shmem_enabled="force"))["thp"].shmem_enabled is None
    assert "shmem_enabled is never" in str(ways(["postgres"], FIXED)["thp"].why_unusable)


def test_qemu_gets_a_backend() -> None:
    command = ["qemu-system-x86_64", "-m", "size=2G,slots=2", "-machine", "q35"]
    found = arguments_of(command)
    assert found["base"] == found["thp"] == command[1:]
    for name, label in (("pool-2M", "2M"), ("pool-1G", "1G")):
        value = f"memory-backend-memfd,id=advisor-memory,size={2 * GIB},hugetlb=on,hugetlbsize={label},prealloc=on"
        assert found[name] == [*command[1:], "-object", value, "-machine", "memory-backend=advisor-memory"]
    assert "no multiple of 1G" in str(ways(["qemu-system-arm", "-m", "512"])["pool-1G"].why_unusable)
    assert arguments_of(["qemu-kvm"])["pool-2M"] is not None
    assert ways(command, FIXED)["thp"].why_unusable is None


def test_qemus_own_backend_is_rewritten() -> None:
    backend = "memory-backend-file,id=ram,size=1G,mem-path=/dev/hugepages,prealloc=on,host-nodes=0,policy=bind"
    rest = ["-machine", "q35,memory-backend=ram"]
    found = arguments_of(["qemu-system-x86_64", "-m", "1G", "-object", backend, *rest])
    kept = "id=ram,size=1G,prealloc=on,host-nodes=0,policy=bind"
    assert found["base"] == ["-m", "1G", "-object", f"memory-backend-ram,{kept}", *rest]
    assert found["pool-1G"] == [
        "-m",
        "1G",
        "-object",
        f"memory-backend-memfd,{kept},hugetlb=on,hugetlbsize=1G",
        *rest,
    ]


def test_qemus_shared_memory_stays_shared() -> None:
    command = ["qemu-kvm", "-m", "1G", "-object", "memory-backend-memfd,id=m,size=1G,share=on,hugetlb=on"]
    command += ["-numa", "node,memdev=m"]
    found = ways(command)
    assert found["base"].command[4] == "memory-backend-memfd,id=m,size=1G,share=on"
    assert "shared guest memory" in str(found["thp"].why_unusable)


@pytest.mark.parametrize(
    "extra",
    [
        ["-mem-path", "/dev/hugepages"],
        ["-object", "memory-backend-ram,id=a,size=1G"],
        ["-object", '{"qom-type":"memory-backend-ram","id":"a"}', "-machine", "memory-backend=a"],
        ["-object", "memory-backend-ram,id=a", "-object", "memory-backend-ram,id=b", "-numa", "node,memdev=a"],
        ["-m", "lots"],
    ],
)
def test_qemu_memory_that_cannot_be_rewritten(extra: list[str]) -> None:
    found = ways(["qemu-system-x86_64", "-m", "1G", *extra])
    assert all(found[name].why_unusable for name in ("base", "thp", "pool-2M"))
    assert found["default"].why_unusable is None


def test_servers_with_switches_of_their_own() -> None:
    assert arguments_of(["redis-server", "my.conf"])["thp"] == ["my.conf", "--disable-thp", "no"]
    assert arguments_of(["valkey-server"])["base"] == []
    assert arguments_of(["memcached", "-m", "64"])["thp"] == ["-m", "64", "-L"]
    assert arguments_of(["memcached"])["pool-2M"] == ["-L"]
    assert tunables(ways(["memcached"])["pool-2M"]) is not None
    assert arguments_of(["mysqld"])["base"] == ["--large-pages=OFF"]
    assert arguments_of(["mariadbd"])["pool-2M"] == ["--large-pages=ON"]
    assert "default size" in str(ways(["mysqld"])["pool-1G"].why_unusable)


def test_load_generators() -> None:
    found = arguments_of(["sysbench", "memory", "run"])
    assert found["pool-2M"] == ["memory", "run", "--memory-hugetlb=on"]
    assert found["pool-1G"] == found["base"] == ["memory", "run", "--memory-hugetlb=off"]
    assert arguments_of(["sysbench", "cpu", "run"])["pool-2M"] == ["cpu", "run"]
    assert arguments_of(["stress-ng", "--vm", "1"])["thp"] == [
        "--vm",
        "1",
        "--no-madvise",
        "--vm-madvise",
        "hugepage",
    ]
    assert arguments_of(["stress-ng", "--qsort=1"])["pool-2M"] == ["--qsort=1", "--no-madvise"]
    assert "map their memory" in str(ways(["stress-ng", "--stream", "1"])["pool-2M"].why_unusable)
