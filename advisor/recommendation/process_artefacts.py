"""The texts that change one process: its service's settings, its own options, its container's."""

from __future__ import annotations

from collections.abc import Sequence

from advisor import artefacts as texts
from advisor.artefacts import Artefact
from advisor.knowledge.applications import Application, load_applications
from advisor.procfs.text import node_list
from advisor.recommendation.model import Recommendation
from advisor.recommendation.setup import Row, Setup, in_kubernetes, label_of
from advisor.recommendation.sizing import concerns_shmem
from advisor.recommendation.tenants import Means, service_of
from advisor.rules import Policy
from advisor.units import GIB

GLIBC = "glibc"
"""The allocator with a text of its own."""

JVM = "jvm"
"""The runtime whose page size its own flags set."""

OPENJ9 = "openj9"
"""The Java virtual machine that does not take HotSpot's flags."""

GPERFTOOLS = "tcmalloc-gperftools"
"""The tcmalloc that takes memory from a hugetlbfs mount; Google's own does not."""

MOUNT_USERS = frozenset({"dpdk", "ovs-dpdk", "spdk", "vpp"})
"""Applications that map files of a hugetlbfs mount."""

SYSV = frozenset({"oracle", "db2"})
"""Applications whose memory is SysV shared memory, in a pool for one group of users alone, and which lock it."""


def with_huge_pages(row: Row, recommendation: Recommendation, rows: Sequence[Row], setup: Setup) -> list[Artefact]:
    """The texts that give one process huge pages, in the order to apply them; none for names that cannot be shown.

    rows: all of the host's, for what a container holds beside the process.
    """
    try:
        if recommendation.policy == Policy.THP and not concerns_shmem(recommendation):
            return _thp(row, setup)
        if recommendation.policy == Policy.HUGETLB and not row["hugetlb_bytes"] and recommendation.page_bytes:
            return _hugetlb(row, recommendation, rows, setup)
    except ValueError:
        return []
    return []


def without_thp(row: Row, means: str | None, setup: Setup) -> list[Artefact]:
    """The texts that keep one process from THP by these means; none for names that cannot be shown."""
    try:
        return [_thp_off(row, means, setup)]
    except ValueError:
        return []


def _application(row: Row) -> Application | None:
    return load_applications().get(row["application_id"] or "")


def _thp_off(row: Row, means: str | None, setup: Setup) -> Artefact:
    """The text for the means that the plan names; a wrapper around the program's start where there is no other."""
    service = service_of(row)
    if means == Means.APPLICATION:
        return texts.redis_without_thp(label_of(row), row["application_id"])
    if service is not None and means == Means.MEMORY_THP:
        return texts.memory_thp(service, "disable")
    variables = texts.allocator_off(row["allocator"] or "")
    if means == Means.ALLOCATOR and variables:
        return _environment(row, setup, "allocator", f"{row['allocator']} of {label_of(row)} without THP", variables)
    command = setup.command(row)
    if service is not None and command[0].startswith("/"):
        return texts.thp_off_start(service, command)
    return texts.thp_off_command(label_of(row), command)


def _thp(row: Row, setup: Setup) -> list[Artefact]:
    if row["advised_bytes"]:
        return []
    if row["application_id"] == OPENJ9:
        return [texts.openj9_options(label_of(row), None)]
    if row["runtime"] == JVM:
        return [texts.jvm_flags(label_of(row), None, default_page_bytes=None)]
    if row["application_id"] == "memcached":
        return [texts.memcached_large_pages(label_of(row))]
    return _malloc(row, setup, None)


def _hugetlb(row: Row, recommendation: Recommendation, rows: Sequence[Row], setup: Setup) -> list[Artefact]:
    page_bytes, pages = recommendation.page_bytes, recommendation.pages
    assert page_bytes is not None  # noqa: S101 - the caller looked
    if row["sharing_leader"] is False:
        return []
    made = _own_setting(row, page_bytes, pages, setup)
    if in_kubernetes(row) and pages:
        made.append(
            texts.pod_resources(label_of(row), page_bytes, pages, _held_beside(row, rows, pages * page_bytes))
        )
    return made


def _own_setting(row: Row, page_bytes: int, pages: int | None, setup: Setup) -> list[Artefact]:
    """The application's option; the main process of an instance speaks for those that share its memory."""
    name, application = label_of(row), row["application_id"]
    default = setup.default_page_bytes
    if application == OPENJ9:
        return [texts.openj9_options(name, page_bytes)]
    if row["runtime"] == JVM:
        return [texts.jvm_flags(name, page_bytes, default_page_bytes=default)]
    if application == "postgresql":
        return [texts.postgresql_huge_pages(name, page_bytes, default_page_bytes=default)] if _leads(row) else []
    if application in ("mysql", "mariadb") and page_bytes in (default, None):
        section = "mysqld" if application == "mysql" else "mariadbd"
        return [texts.mysql_large_pages(name, section, page_bytes)]  # type: ignore[arg-type]
    if application == "qemu":
        return _guest(row, page_bytes, setup)
    if application in ("dpdk", "ovs-dpdk"):
        return _dpdk(row, page_bytes, pages, setup)
    known = _application(row)
    if known is not None:
        return [*_sysv(row), *_known(row, known, page_bytes, pages, setup)]
    return _malloc(row, setup, page_bytes, (pages or 0) * page_bytes)


def _leads(row: Row) -> bool:
    return bool(row["sharing_leader"])


def _sysv(row: Row) -> list[Artefact]:
    """What SysV shared memory needs to be in a pool, and to be locked there."""
    if row["application_id"] not in SYSV:
        return []
    service, user = service_of(row), row["user"]
    group = [texts.shared_memory_group(user)] if user and user != "root" else []
    return [*group, *([texts.locked_memory(service)] if service is not None else [])]


def _guest(row: Row, page_bytes: int, setup: Setup) -> list[Artefact]:
    ram = row["guest_ram_bytes"]
    if not ram:
        return []
    shared = bool(row["shmem_mapped_bytes"] and row["shmem_mapped_bytes"] >= ram)
    domain, nodes = setup.libvirt_guest(row), _bound_nodes(row)
    node = nodes[0] if len(nodes) == 1 else None
    if domain is not None:
        return [texts.libvirt_memory(domain, page_bytes, ram, shared=shared, host_node=node)]
    return [texts.qemu_memory(label_of(row), page_bytes, ram, host_node=node, shared=shared)]


def _bound_nodes(row: Row) -> list[int]:
    """NUMA nodes that the process's memory is bound to; none where it may use all."""
    return node_list(row["numa_nodes"]) if row["numa_nodes"] else []


def _dpdk(row: Row, page_bytes: int, pages: int | None, setup: Setup) -> list[Artefact]:
    if not pages:
        return []
    mount, directory = _mount(page_bytes, setup)
    by_node = _by_node(pages * page_bytes, row)
    if row["application_id"] == "ovs-dpdk":
        return [*mount, texts.ovs_memory(page_bytes, by_node, directory=directory)]
    return [*mount, texts.dpdk_memory(label_of(row), page_bytes, by_node, directory=directory)]


def _by_node(size_bytes: int, row: Row) -> list[int]:
    """Bytes for each NUMA node of the host, in even parts over those that the process is bound to, else over all."""
    nodes = _bound_nodes(row) or list(range(row["host_numa_nodes"] or 1))
    return [size_bytes // len(nodes) if node in nodes else 0 for node in range(max(nodes) + 1)]


def _known(row: Row, known: Application, page_bytes: int, pages: int | None, setup: Setup) -> list[Artefact]:
    """The settings of the table of applications for this page size."""
    settings = known.settings_1g if page_bytes >= GIB else known.settings_2m
    if not settings:
        return []
    mount = _mount(page_bytes, setup)[0] if known.id in MOUNT_USERS else []
    numbers = texts.numbers_for(pages * page_bytes if pages else None, page_bytes)
    notes = [known.if_pool_short] if known.if_pool_short else []
    what = f"{known.explicit_memory or 'memory'} from the pool"
    return [*mount, texts.application_settings(label_of(row), known.name, what, settings, numbers, *notes)]


def _mount(page_bytes: int, setup: Setup) -> tuple[list[Artefact], str]:
    """A mount of this page size where there is none, and where it is."""
    configuration = setup.configuration
    mounts = (configuration.mounts if configuration is not None else None) or []
    present = next((mount.path for mount in mounts if mount.page_bytes == page_bytes), None)
    if present is not None:
        return [], present
    path = texts.usual_mount_point(page_bytes, setup.default_page_bytes)
    if configuration is not None and configuration.systemd_runs is False:
        return [texts.mount_in_fstab(path, page_bytes)], path
    return [texts.mount_unit(path, page_bytes)], path


def _malloc(row: Row, setup: Setup, page_bytes: int | None, heap_bytes: int | None = None) -> list[Artefact]:
    """The allocator's own setting, of a service or of a command; page_bytes None: THP."""
    service, allocator = service_of(row), row["allocator"]
    if allocator == GLIBC:
        if row["malloc_tunable"] is False:
            return []
        if service is not None:
            return [texts.malloc_drop_in(service, page_bytes)]
        return [texts.malloc_command(label_of(row), setup.command(row), page_bytes)]
    if allocator == "tcmalloc" and GPERFTOOLS not in (row["components"] or ""):
        return []
    variables = texts.allocator_settings(allocator or "", page_bytes, heap_bytes)
    if not variables:
        return []
    where = "THP" if page_bytes is None else "a pool"
    made = _environment(row, setup, "allocator", f"{allocator} of {label_of(row)} on {where}", variables)
    needs_mount = page_bytes is not None and allocator == "tcmalloc"
    return [*(_mount(page_bytes, setup)[0] if needs_mount and page_bytes else []), made]


def _environment(row: Row, setup: Setup, what: str, title: str, variables: dict[str, str]) -> Artefact:
    service = service_of(row)
    if service is not None:
        return texts.environment_drop_in(service, what, title, variables)
    return texts.environment_command(label_of(row), what, title, setup.command(row), variables)


def _held_beside(row: Row, rows: Sequence[Row], pool_bytes: int) -> int:
    """What the container holds, less what moves into the pool, bytes; at least what a small process takes."""
    held = sum(other["rss_bytes"] or 0 for other in rows if other["cgroup"] == row["cgroup"])
    return max(held - pool_bytes, SMALLEST_CONTAINER_BYTES)


SMALLEST_CONTAINER_BYTES = 64 << 20
"""Bytes. Source: own choice. Reason: a memory limit below what a runtime's start takes kills the container."""
