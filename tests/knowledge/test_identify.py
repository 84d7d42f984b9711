"""Recognising applications and what is in them."""

from __future__ import annotations

import pytest

from advisor.knowledge.applications import load_applications
from advisor.knowledge.identify import Signs, candidates, identify, is_library_of_interest

ELASTICSEARCH = ("java", "-Xmx4g", "-cp", "x", "org.elasticsearch.bootstrap.Elasticsearch", "-d")
JVM = "/opt/jdk/lib/server/libjvm.so"


@pytest.mark.parametrize(
    ("signs", "expected"),
    [
        (Signs("qemu-system-x86", "/usr/bin/qemu-system-x86_64"), ("qemu", "high")),
        (Signs("CPU 0/KVM", "/usr/libexec/qemu-kvm (deleted)"), ("qemu", "high")),
        (Signs("qemu-system-x86"), ("qemu", "medium")),
        (Signs("cloud-hyperviso"), ("cloud-hypervisor", "medium")),
        (Signs("firecracker", "/jail/firecracker"), ("firecracker", "high")),
        (
            Signs("postgres", "/usr/lib/postgresql/16/bin/postgres", ("postgres: checkpointer",)),
            ("postgresql", "high"),
        ),
        (Signs("mariadbd", "/usr/sbin/mariadbd"), ("mariadb", "high")),
        (Signs("mysqld", "/usr/sbin/mysqld"), ("mysql", "high")),
        (Signs("mysqld", "/usr/sbin/mysqld", found=frozenset({"mariadb"})), ("mariadb", "high")),
        (Signs("redis-server", "/usr/bin/redis-check-rdb"), ("redis", "high")),
        (Signs("valkey-server", "/usr/bin/valkey-server"), ("valkey", "high")),
        (Signs("memcached", "/usr/bin/memcached"), ("memcached", "high")),
        (Signs("memcached", "/opt/couchbase/bin/memcached"), ("couchbase", "high")),
        (Signs("beam.smp", "/opt/couchbase/lib/erlang/bin/beam.smp"), ("couchbase", "high")),
        (Signs("beam.smp", "/usr/lib/erlang/erts-13/bin/beam.smp"), ("erlang", "high")),
        (Signs("java", "/opt/jdk/bin/java", ELASTICSEARCH), ("elasticsearch", "high")),
        (Signs("java", "/opt/jdk/bin/java", ("java", "kafka.Kafka")), ("kafka", "high")),
        (Signs("java", "/opt/jdk/bin/java", ("java", "-Dproc_regionserver")), ("hadoop", "high")),
        (Signs("java", "/opt/zing/zing-jdk17/bin/java"), ("zing", "high")),
        (Signs("java", "/opt/jdk/bin/java"), ("java", "high")),
        (Signs("java", "/opt/jdk/bin/java", None, ("libj9vm29.so", "libjvm.so")), ("openj9", "medium")),
        (Signs("app", "/opt/app/launcher", None, (JVM,)), ("java", "medium")),
        (Signs("ora_pmon_ORCL", "/u01/app/oracle/bin/oracle"), ("oracle", "high")),
        (Signs("ora_pmon_ORCL"), ("oracle", "medium")),
        (Signs("python3", "/usr/bin/python3.11", None, ("_multiarray_umath.cpython-311.so",)), ("python", "high")),
        (Signs("l2fwd", "/opt/l2fwd", None, ("librte_eal.so.23",)), ("dpdk", "medium")),
        (Signs("l2fwd", "/opt/l2fwd", symbols=frozenset({"rte_eal_init"})), ("dpdk", "medium")),
        (Signs("ovs-vswitchd", "/usr/sbin/ovs-vswitchd", None, ("librte_eal.so.23",)), ("ovs-dpdk", "high")),
        (Signs("ovs-vswitchd", "/usr/sbin/ovs-vswitchd", None, ("libc.so.6",)), None),
        (Signs("postgres", "/usr/bin/vim"), None),
        (Signs("bash", "/usr/bin/bash", ("bash",), ("libc.so.6",)), None),
        (Signs(), None),
    ],
)
def test_a_process_is_recognised(signs: Signs, expected: tuple[str, str] | None) -> None:
    found = identify(signs)
    assert (found.application and (found.application.id, found.confidence)) == expected


@pytest.mark.parametrize(
    ("signs", "components"),
    [
        (
            Signs("python3", "/usr/bin/python3.11", None, ("_multiarray_umath.x.so", "libc.so.6")),
            {"numpy", "glibc-malloc"},
        ),
        (Signs("java", "/opt/bin/java", ("java", "-XX:+UseZGC"), (JVM,)), {"zgc"}),
        (Signs("java", "/opt/bin/java", ELASTICSEARCH, ("libj9vm29.so", "libjvm.so")), {"openj9"}),
        (Signs("java", "/opt/bin/java", ELASTICSEARCH, (JVM,)), {"java"}),
        (
            Signs("rank", "/home/me/solver", None, ("libucp.so.0", "libuct.so.0", "libc.so.6")),
            {"ucx", "glibc-malloc"},
        ),
        (Signs("srv", "/opt/srv", symbols=frozenset({"MallocExtension_Internal_GetStats"})), {"tcmalloc-google"}),
        (Signs("srv", "/opt/srv", symbols=frozenset({".go.buildinfo"})), {"go"}),
        (Signs("srv", "/opt/srv"), set()),
    ],
)
def test_what_is_in_a_program_is_known_beside_what_it_is(signs: Signs, components: set[str]) -> None:
    assert {entry.id for entry in identify(signs).components} == components


def test_arguments_that_are_not_known_do_not_fulfil_a_requirement() -> None:
    assert [entry.id for entry in identify(Signs("java", "/opt/bin/java", None, (JVM,))).entries] == ["java"]


def test_what_can_be_opened_decides_whose_version_is_looked_for() -> None:
    found = candidates("/usr/sbin/mysqld", ["/lib/x86_64-linux-gnu/libc.so.6"], ["mallctl"])
    assert {entry.id for entry in found} == {"mysql", "mariadb", "glibc-malloc", "jemalloc"}


@pytest.mark.parametrize("entry", load_applications().values(), ids=lambda entry: entry.id)
def test_a_library_that_decides_is_one_that_the_collector_keeps(entry: object) -> None:
    for pattern in [*entry.libraries, *entry.libraries_required]:  # type: ignore[attr-defined]
        assert is_library_of_interest(pattern.replace("*", ".1"))
