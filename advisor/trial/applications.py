"""Programs that have a way of their own to huge pages, recognised by the name of what is started."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase

from advisor.trial import way_jvm, way_qemu
from advisor.trial.document import PolicyKind
from advisor.trial.way_model import Answer, Case, Step, Unusable, size_label


@dataclass(frozen=True)
class Application:
    """names: patterns of the executable's base name. ways: what to add for each kind of policy."""

    id: str
    names: tuple[str, ...]
    ways: dict[PolicyKind, Callable[[Case], Answer]]


def recognise(name: str) -> Application | None:
    """The application by the base name of its executable; None for every other program."""
    return next((a for a in APPLICATIONS if any(fnmatchcase(name, pattern) for pattern in a.names)), None)


def _appended(case: Case, *words: str) -> list[str]:
    """For programs whose last mention of an option counts."""
    return [*case.arguments, *words]


def _postgres_base(case: Case) -> Answer:
    return Step("postgres-settings", "huge_pages=off", _appended(case, "-c", "huge_pages=off"))


def _postgres_thp(case: Case) -> Answer:
    return Step(
        id="postgres-settings",
        description="shared_buffers are shared memory: transparent huge pages come from shmem_enabled",
        arguments=_appended(case, "-c", "huge_pages=off"),
        needs_shmem="always",
    )


def _postgres_pool(case: Case) -> Answer:
    size = f"{size_label(case.policy.page_bytes or 0)}B"
    return Step(
        id="postgres-settings",
        description=f"shared memory from the pool by huge_pages=on, huge_page_size={size} (PostgreSQL 14 and later)",
        arguments=_appended(case, "-c", "huge_pages=on", "-c", f"huge_page_size={size}"),
        instead_of_malloc=True,
    )


def _redis_thp(case: Case) -> Answer:
    return Step(
        id="redis-settings",
        description="disable-thp no: the server would switch THP off for itself",
        arguments=_appended(case, "--disable-thp", "no"),
    )


def _memcached_chunk(case: Case) -> Answer:
    """Both policies need the one large block: single slabs of 1 MiB fill no huge page."""
    return Step(
        id="memcached-large-pages",
        description="-L allocates the whole item memory as one aligned block and madvises it",
        arguments=_appended(case, "-L"),
        madvises=True,
    )


def _default_size_alone(case: Case, name: str) -> Unusable | None:
    default = case.host.default_pool_bytes
    if default is not None and case.policy.page_bytes != default:
        return Unusable(f"{name} takes huge pages of the host's default size alone, {size_label(default)}")
    return None


def _mysql_off(case: Case) -> Answer:
    return Step("mysql-settings", "large-pages=OFF", _appended(case, "--large-pages=OFF"))


def _mysql_pool(case: Case) -> Answer:
    return _default_size_alone(case, "InnoDB") or Step(
        id="mysql-settings",
        description="the InnoDB buffer pool from the pool by large-pages=ON",
        arguments=_appended(case, "--large-pages=ON"),
        instead_of_malloc=True,
    )


def _sysbench_off(case: Case) -> Answer:
    if "memory" not in case.arguments:
        return None
    return Step("sysbench-options", "memory-hugetlb=off", _appended(case, "--memory-hugetlb=off"))


def _sysbench_pool(case: Case) -> Answer:
    """The test's own switch where it can name the size; malloc serves it otherwise."""
    if "memory" not in case.arguments:
        return None
    if case.policy.page_bytes != case.host.default_pool_bytes:
        return _sysbench_off(case)
    return Step(
        id="sysbench-options",
        description="the test's memory from the pool by memory-hugetlb=on",
        arguments=_appended(case, "--memory-hugetlb=on"),
        instead_of_malloc=True,
    )


def _stress_ng(case: Case, *vm_advice: str) -> list[str]:
    """stress-ng gives its mappings random advice, about huge pages too: without it every run is alike."""
    advice = vm_advice if _has_option(case.arguments, "--vm", "-m") else ()
    return _appended(case, "--no-madvise", *advice)


def _has_option(arguments: Sequence[str], *names: str) -> bool:
    return any(word.partition("=")[0] in names for word in arguments)


def _stress_ng_base(case: Case) -> Answer:
    return Step("stress-ng-options", "no random madvise", _stress_ng(case, "--vm-madvise", "normal"))


def _stress_ng_thp(case: Case) -> Answer:
    arguments = _stress_ng(case, "--vm-madvise", "hugepage")
    return Step("stress-ng-options", "no random madvise; the vm stressor asks for huge pages", arguments)


def _stress_ng_pool(case: Case) -> Answer:
    if _has_option(case.arguments, "--vm", "-m", "--stream"):
        return Unusable("the vm and stream stressors map their memory themselves, and never from a pool")
    return Step("stress-ng-options", "no random madvise", _stress_ng(case))


APPLICATIONS: Sequence[Application] = (
    Application("jvm", ("java",), {"base": way_jvm.base, "thp": way_jvm.thp, "hugetlb": way_jvm.pool}),
    Application(
        "postgresql",
        ("postgres", "postmaster", "edb-postgres"),
        {"base": _postgres_base, "thp": _postgres_thp, "hugetlb": _postgres_pool},
    ),
    Application(
        "qemu",
        ("qemu-system-*", "qemu-kvm", "kvm"),
        {"base": way_qemu.base, "thp": way_qemu.thp, "hugetlb": way_qemu.pool},
    ),
    Application("redis", ("redis-server", "valkey-server"), {"thp": _redis_thp}),
    Application("memcached", ("memcached",), {"thp": _memcached_chunk, "hugetlb": _memcached_chunk}),
    Application("mysql", ("mysqld", "mariadbd"), {"base": _mysql_off, "thp": _mysql_off, "hugetlb": _mysql_pool}),
    Application("sysbench", ("sysbench",), {"base": _sysbench_off, "thp": _sysbench_off, "hugetlb": _sysbench_pool}),
    Application(
        "stress-ng",
        ("stress-ng",),
        {"base": _stress_ng_base, "thp": _stress_ng_thp, "hugetlb": _stress_ng_pool},
    ),
)
"""Each was seen to take effect on a live program, save MySQL, MariaDB and Valkey (by their manuals). DPDK, SPDK and
programs with libhugetlbfs set up their own pools: a way of one's own."""
