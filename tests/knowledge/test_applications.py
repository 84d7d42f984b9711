"""Recognising applications, and what is said of them."""

from __future__ import annotations

import re

import pytest

from advisor.knowledge.applications import Application, load_applications, recognise
from advisor.knowledge.programs import program_signs

GIB = 1 << 30
ELASTICSEARCH = ["java", "-Xmx4g", "-cp", "x", "org.elasticsearch.bootstrap.Elasticsearch", "-d"]


@pytest.mark.parametrize(
    ("name", "executable", "command_line", "libraries", "expected"),
    [
        ("qemu-system-x86", "/usr/bin/qemu-system-x86_64", None, None, ("qemu", "high")),
        ("CPU 0/KVM", "/usr/libexec/qemu-kvm (deleted)", None, None, ("qemu", "high")),
        ("qemu-system-x86", None, None, None, ("qemu", "medium")),
        ("cloud-hyperviso", None, None, None, ("cloud-hypervisor", "medium")),
        ("firecracker", "/jail/firecracker", None, None, ("firecracker", "high")),
        ("postgres", "/usr/lib/postgresql/16/bin/postgres", ["postgres: checkpointer"], [], ("postgresql", "high")),
        ("mariadbd", "/usr/sbin/mariadbd", None, None, ("mariadb", "high")),
        ("mysqld", "/usr/sbin/mysqld", None, None, ("mysql", "high")),
        ("redis-server", "/usr/bin/redis-server", None, None, ("redis", "high")),
        ("redis-server", "/usr/bin/redis-check-rdb", None, None, ("redis", "high")),
        ("valkey-server", "/usr/bin/valkey-server", None, None, ("valkey", "high")),
        ("java", "/opt/jdk/bin/java", ELASTICSEARCH, None, ("elasticsearch", "high")),
        ("java", "/opt/jdk/bin/java", None, None, ("java", "high")),
        ("app", "/opt/app/launcher", None, ["/opt/jdk/lib/server/libjvm.so"], ("java", "medium")),
        ("ora_pmon_ORCL", "/u01/app/oracle/bin/oracle", None, None, ("oracle", "high")),
        ("ora_pmon_ORCL", None, None, None, ("oracle", "medium")),
        ("python3", "/usr/bin/python3.11", None, ["_multiarray_umath.cpython-311.so"], ("numpy", "high")),
        ("python3", "/usr/bin/python3.11", None, ["libc.so.6"], ("python", "high")),
        ("l2fwd", "/opt/l2fwd", None, ["librte_eal.so.23"], ("dpdk", "medium")),
        ("ovs-vswitchd", "/usr/sbin/ovs-vswitchd", None, ["librte_eal.so.23"], ("ovs-dpdk", "high")),
        ("ovs-vswitchd", "/usr/sbin/ovs-vswitchd", None, ["libc.so.6"], None),
        ("postgres", "/usr/bin/vim", None, None, None),
        ("bash", "/usr/bin/bash", None, None, None),
        (None, None, None, None, None),
    ],
)
def test_a_process_is_recognised(
    name: str | None,
    executable: str | None,
    command_line: list[str] | None,
    libraries: list[str] | None,
    expected: tuple[str, str] | None,
) -> None:
    found = recognise(name, executable, command_line, libraries)
    assert (found and (found.id, found.confidence)) == expected


def test_a_recognised_application_keeps_what_is_known_of_it() -> None:
    found = recognise("redis-server", "/usr/bin/redis-server", None, None)
    known = load_applications()["redis"]
    assert found is not None
    assert (found.kind, found.thp_stance, found.sources) == (known.kind, known.thp_stance, known.sources)


@pytest.mark.parametrize(
    ("id", "page_bytes", "default_bytes", "expected"),
    [
        ("postgresql", 512 << 20, 2 << 20, True),
        ("mysql", 2 << 20, 2 << 20, True),
        ("mysql", GIB, 2 << 20, False),
        ("mysql", GIB, None, None),
        ("firecracker", GIB, 2 << 20, False),
        ("cloud-hypervisor", GIB, None, True),
        ("redis", 2 << 20, 2 << 20, False),
    ],
)
def test_which_pool_an_application_can_use(
    id: str, page_bytes: int, default_bytes: int | None, expected: bool | None
) -> None:
    assert load_applications()[id].takes_page_size(page_bytes, default_bytes) is expected


@pytest.mark.parametrize("entry", load_applications().values(), ids=lambda entry: entry.id)
def test_every_application_is_complete(entry: Application) -> None:
    assert re.fullmatch(r"[a-z0-9-]+", entry.id)
    assert entry.sources
    assert entry.executables or entry.libraries
    for pattern in entry.command_line:
        re.compile(pattern)
    assert bool(entry.command_line) == entry.require_command_line
    if entry.explicit:
        assert entry.explicit_sizes and entry.pool_size and entry.if_pool_short and entry.settings_2m
    else:
        assert not entry.explicit_sizes and not entry.settings_2m and not entry.settings_1g
    for source in entry.sources:
        assert source.verified == (source.where != "from memory")


def test_ids_are_unique() -> None:
    entries = list(load_applications())
    assert len(entries) == len(set(entries)) >= 14


@pytest.mark.parametrize("entry", load_applications().values(), ids=lambda entry: entry.id)
def test_a_library_that_decides_is_one_that_the_collector_keeps(entry: Application) -> None:
    for pattern in [*entry.libraries, *entry.libraries_required]:
        assert program_signs().of_library(pattern.replace("*", ".1")) or program_signs().of_library(
            pattern.replace("*", "")
        )
