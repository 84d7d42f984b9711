"""Every artefact's text, as it is pasted. HUGEPAGE_ADVISOR_UPDATE_GOLDEN=1 writes the files anew."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from msgspec.structs import replace

from advisor import artefacts
from advisor.artefacts import Artefact, PoolChange, ThpChange
from advisor.artefacts.conflicts import THP_FOLDER
from advisor.artefacts.kinds import KINDS
from advisor.procfs.configuration import ConfiguredValue, HostConfiguration
from advisor.units import GIB, MIB

GOLDEN = Path(__file__).parent / "golden"
UPDATE_ENV = "HUGEPAGE_ADVISOR_UPDATE_GOLDEN"

POOL_2M = PoolChange(2 * MIB, 4300, 0, default_page_bytes=2 * MIB)
POOL_1G_NODES = [PoolChange(GIB, 4, 0, 0, 2 * MIB), PoolChange(GIB, 2, 0, 1, 2 * MIB)]
COMMAND_LINE = "BOOT_IMAGE=/vmlinuz root=/dev/sda1 ro quiet hugepagesz=2M hugepages=512"

POOL_1G = PoolChange(GIB, 8, 0, default_page_bytes=2 * MIB)
CONFIGURATION = HostConfiguration(
    boot_parameters=["transparent_hugepage=never"],
    values=[
        ConfiguredValue("sysctl", "/usr/lib/sysctl.d/80-vpp.conf", 3, "vm.nr_hugepages", "1024"),
        ConfiguredValue("sysctl", "/etc/sysctl.conf", 7, "vm.nr_hugepages", "64"),
        ConfiguredValue("tmpfiles", "/etc/tmpfiles.d/thp.conf", 1, f"{THP_FOLDER}/enabled", "never"),
        ConfiguredValue("unit", "/etc/systemd/system/no-thp.service", 8, f"{THP_FOLDER}/enabled", "never"),
        ConfiguredValue("tuned", "/usr/lib/tuned/postgresql/tuned.conf", 17, f"{THP_FOLDER}/enabled", "never"),
        ConfiguredValue("boot", "/etc/default/grub", 6, "hugepages", "512"),
    ],
    tuned_profile="postgresql",
)

CASES: dict[str, Artefact] = {
    "pool-now-2M": artefacts.pool_now(POOL_2M),
    "pool-now-2M-compacted": artefacts.pool_now(replace(POOL_2M, compact_first=True)),
    "pool-now-1G-node": artefacts.pool_now(POOL_1G_NODES[1]),
    "pool-now-512M-unknown-before": artefacts.pool_now(PoolChange(512 * MIB, 8, None)),
    "pool-boot-default-size": artefacts.pool_at_boot(POOL_2M),
    "pool-boot-other-size": artefacts.pool_at_boot(PoolChange(GIB, 16, 2, default_page_bytes=2 * MIB)),
    "pool-boot-default-size-of-a-node": artefacts.pool_at_boot(PoolChange(2 * MIB, 64, 0, 0, 2 * MIB)),
    "pool-boot-64K": artefacts.pool_at_boot(PoolChange(64 << 10, 2048, 0, default_page_bytes=512 * MIB)),
    "pool-boot-other-files": artefacts.pool_at_boot(POOL_2M, CONFIGURATION),
    "pool-command-line": artefacts.pool_on_command_line(POOL_1G_NODES, COMMAND_LINE),
    "pool-grubby": artefacts.pool_with_grubby([POOL_1G], "ro hugepagesz=1G hugepages=2"),
    "pool-grubby-two-sizes": artefacts.pool_with_grubby(POOL_1G_NODES, COMMAND_LINE),
    "pool-default-grub": artefacts.pool_in_default_grub(POOL_1G_NODES, COMMAND_LINE),
    "pool-kernel-cmdline": artefacts.pool_in_kernel_cmdline([POOL_1G], COMMAND_LINE),
    "pool-grub": artefacts.pool_in_grub([POOL_2M], COMMAND_LINE),
    "pool-grub-other-files": artefacts.pool_in_grub([POOL_2M], COMMAND_LINE, CONFIGURATION.values),
    "pool-grub-nothing-before": artefacts.pool_in_grub([POOL_2M], None),
    "cgroup-limit": artefacts.cgroup_limit("/system.slice/my db.service", 2 * MIB, 8 * GIB, None),
    "thp-now": artefacts.thp_now(
        [ThpChange("enabled", "madvise", "always"), ThpChange("defrag", "defer+madvise", None)]
    ),
    "thp-boot": artefacts.thp_at_boot([ThpChange("enabled", "madvise", "always")]),
    "thp-boot-other-files": artefacts.thp_at_boot([ThpChange("enabled", "madvise", "always")], CONFIGURATION),
    "tuned": artefacts.tuned_profile(
        "postgresql",
        "/etc/tuned",
        [ThpChange("enabled", "madvise", "never"), ThpChange("shmem_enabled", "advise", "never")],
        [POOL_2M],
    ),
    "mount": artefacts.mount_unit("/dev/hugepages1G", GIB),
    "mount-group": artefacts.mount_unit("/mnt/huge pages", 2 * MIB, group="dpdk"),
    "mount-fstab": artefacts.mount_in_fstab("/mnt/huge pages", 2 * MIB, group="990"),
    "memory-limit": artefacts.memory_limit("db.service", 9 * GIB),
    "memlock": artefacts.locked_memory("oracle.service"),
    "thp-off-start": artefacts.thp_off_start("redis.service", ["/usr/bin/redis-server", "*:6379", "100%", "$HOME"]),
    "environment-drop-in": artefacts.environment_drop_in(
        "app.service", "allocator", "jemalloc of app on THP", artefacts.allocator_settings("jemalloc", None)
    ),
    "environment-command": artefacts.environment_command(
        "app-1", "allocator", "mimalloc of app", ["./app"], artefacts.allocator_settings("mimalloc", GIB, 3 * GIB)
    ),
    "mysql": artefacts.mysql_large_pages("mysqld-17", "mysqld", 2 * MIB),
    "redis": artefacts.redis_without_thp("redis-server-17", "redis"),
    "memcached": artefacts.memcached_large_pages("memcached-17"),
    "kubernetes": artefacts.pod_resources("postgres-17", 2 * MIB, 537, 900 * MIB),
    "kubernetes-1G": artefacts.pod_resources("my_App 1", GIB, 4, 64 * MIB),
    "dpdk": artefacts.dpdk_memory("testpmd-17", GIB, [2 * GIB, 0], directory="/dev/hugepages1G"),
    "ovs": artefacts.ovs_memory(2 * MIB, [GIB], directory="/dev/hugepages"),
    "settings": artefacts.application_settings(
        "cloud-hypervisor-17",
        "Cloud Hypervisor",
        "guest RAM from the pool",
        ["--memory size=SIZE,hugepages=on,hugepage_size=2M"],
        artefacts.numbers_for(4 * GIB, 2 * MIB),
        "the guest starts although the pool is too small",
    ),
    "thp-boot-one-size": artefacts.thp_at_boot([ThpChange("enabled", "inherit", "never", 64 << 10)]),
    "khugepaged-now": artefacts.khugepaged_now({"pages_to_scan": 65536, "max_ptes_none": 64}, {"max_ptes_none": 511}),
    "khugepaged-boot": artefacts.khugepaged_at_boot({"max_ptes_none": 0}, {"max_ptes_none": 511}),
    "memory-thp-madvise": artefacts.memory_thp("app@1.service", "madvise"),
    "memory-thp-disable": artefacts.memory_thp("dev-disk\\x2dby.service", "disable"),
    "thp-off-command": artefacts.thp_off_command("4711", ["/opt/my app/run", "--name=it's"]),
    "malloc-drop-in-thp": artefacts.malloc_drop_in("batch.service", None),
    "malloc-drop-in-pool": artefacts.malloc_drop_in(
        "batch.service", 2 * MIB, "glibc.malloc.hugetlb=1:glibc.malloc.arena_max=4"
    ),
    "malloc-command": artefacts.malloc_command("4711", ["./solve", "in put.dat"], GIB, "glibc.malloc.arena_max=1"),
    "libvirt": artefacts.libvirt_memory("web 1", GIB, 16 * GIB, shared=False),
    "libvirt-shared": artefacts.libvirt_memory("web1", 2 * MIB, 4 * GIB, shared=True),
    "libvirt-node": artefacts.libvirt_memory("web1", GIB, 4 * GIB, shared=False, host_node=1),
    "shared-memory-group": artefacts.shared_memory_group("oracle"),
    "qemu": artefacts.qemu_memory("4711", 2 * MIB, 8 * GIB, host_node=None, shared=False),
    "qemu-node-shared": artefacts.qemu_memory("4711", GIB, 8 * GIB, host_node=1, shared=True),
    "postgresql-default-size": artefacts.postgresql_huge_pages("main", 2 * MIB, default_page_bytes=2 * MIB),
    "postgresql-1G": artefacts.postgresql_huge_pages(
        "main", GIB, default_page_bytes=2 * MIB, previous_mode="off", previous_page_size="2MB"
    ),
    "jvm-thp": artefacts.jvm_flags("4711", None, default_page_bytes=2 * MIB),
    "jvm-default-size": artefacts.jvm_flags("4711", 2 * MIB, default_page_bytes=2 * MIB),
    "openj9": artefacts.openj9_options("4711", 2 * MIB),
    "openj9-thp": artefacts.openj9_options("4711", None),
    "jvm-1G": artefacts.jvm_flags("4711", GIB, default_page_bytes=2 * MIB),
}


def as_text(artefact: Artefact) -> str:
    head = f"{artefact.id} | {artefact.kind} | {artefact.title}\n"
    where = f"path: {artefact.path or '(none)'}  needs reboot: {'yes' if artefact.needs_reboot else 'no'}\n"
    return f"{head}{where}---- text\n{artefact.text}---- undo\n{artefact.undo}"


@pytest.mark.parametrize("name", CASES)
def test_the_text_is_the_one_agreed_upon(name: str) -> None:
    file = GOLDEN / f"{name}.txt"
    text = as_text(CASES[name])
    if os.environ.get(UPDATE_ENV):
        file.write_text(text)
    assert text == file.read_text()


def test_every_golden_file_has_its_case() -> None:
    assert {file.stem for file in GOLDEN.glob("*.txt")} == set(CASES)


NO_ARTEFACT = {
    "allocator_off", "malloc_setting", "numbers_for", "pool_parameters", "tuned_is_silenced", "usual_mount_point"
}  # fmt: skip
"""Functions of the facade that make a part of a text."""


def test_every_function_of_the_facade_has_a_golden_file() -> None:
    makers = {name for name in artefacts.__all__ if name[0].islower()} - NO_ARTEFACT
    source = Path(__file__).read_text()
    assert all(f"artefacts.{maker}(" in source for maker in makers)


@pytest.mark.parametrize("artefact", CASES.values(), ids=CASES)
def test_an_artefact_can_be_pasted_and_undone(artefact: Artefact) -> None:
    for text in (artefact.text, artefact.undo):
        assert text.endswith("\n") and not text.endswith("\n\n")
        assert all(line == line.rstrip() for line in text.splitlines())
    assert artefact.title and "\n" not in artefact.title
    assert artefact.path is None or artefact.path.startswith("/etc/")
    assert artefact.path is None or artefact.path in artefact.undo.replace("'", "")


def test_every_kind_is_explained() -> None:
    assert {artefact.kind for artefact in CASES.values()} <= set(KINDS)
    assert all(kind.traps and kind.sources for kind in KINDS.values())
