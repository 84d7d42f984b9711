"""How each page policy is brought to a command: the general ways (prctl, system mode, glibc's tunables), then what
the program itself has, or what the user says.

Nothing is changed here: a Way says what is to be set, and what is to be started.
"""

from __future__ import annotations

import os
import re
import shlex
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from advisor.procfs.errors import KernelTextError
from advisor.procfs.fs import KernelFs
from advisor.procfs.hugetlb import POOLS_FOLDER, read_pools
from advisor.procfs.meminfo import parse_meminfo
from advisor.procfs.text import list_optional, page_bytes_of_folder, parse_value, read_optional
from advisor.procfs.thp import THP_FOLDER, parse_choice
from advisor.trial.applications import recognise
from advisor.trial.document import Policy, PolicyKind, Way
from advisor.trial.way_command import is_assignment, take_apart
from advisor.trial.way_malloc import pool_of_malloc, thp_of_malloc, tunables_off
from advisor.trial.way_model import Answer, Case, CustomWay, HostFacts, Step, Unusable, size_label
from advisor.trial.way_program import look_at

__all__ = ["CustomWay", "HostFacts", "host_facts", "parse_custom_way", "policies_of", "ways_for"]

POLICY_VARIABLE = "HUGEPAGE_ADVISOR_POLICY"
PAGE_BYTES_VARIABLE = "HUGEPAGE_ADVISOR_PAGE_BYTES"

OWN_ARGUMENTS = "..."
"""In a custom way: where the command's own arguments go."""

SHMEM_ON = {"advise": ("advise", "always", "within_size", "force"), "always": ("always", "within_size", "force")}
"""Modes of shmem_enabled that do what a way needs, by the one that it would set (transhuge.rst)."""

_GLIBC = re.compile(r"glibc ([0-9]+)\.([0-9]+)")


def host_facts(fs: KernelFs, *, may_change: bool) -> HostFacts:
    """What the host can give now; what cannot be read is None or left out. may_change: the user said yes."""
    return HostFacts(
        glibc=_glibc_release(),
        thp_enabled=read_optional(fs, f"{THP_FOLDER}/enabled", parse_choice, {}),
        shmem_enabled=read_optional(fs, f"{THP_FOLDER}/shmem_enabled", parse_choice, {}),
        pools=_free_pages(fs),
        default_pool_bytes=_default_pool_bytes(fs),
        may_change=may_change,
        root=os.geteuid() == 0 and not _is_read_only(fs),
    )


def _is_read_only(fs: KernelFs) -> bool:
    """Whether settings cannot be written even by root, as in most containers."""
    try:
        return bool(os.statvfs(fs.sys_path("kernel/mm")).f_flag & os.ST_RDONLY)
    except OSError:
        return False


def policies_of(fs: KernelFs, names: Sequence[str] | None) -> list[Policy]:
    """Policies by name, each once, in the order given; None is base, THP and every pool size of this host.

    A pool is named "pool-2M" or "2M". Raises ValueError, with the choices, for a name that this host does not have.
    """
    problems: dict[str, str] = {}
    known = {policy.name: policy for policy in _all_policies(fs, problems)}
    if names is None:
        return [policy for policy in known.values() if policy.kind != "default"]
    found: dict[str, Policy] = {}
    for name in names:
        policy = known.get(name) or known.get(f"pool-{name}")
        if policy is None:
            unread = "".join(f"; {file} could not be read: {reason}" for file, reason in problems.items())
            raise ValueError(f"no policy {name!r} on this host; there are {', '.join(known)}{unread}")
        found[policy.name] = policy
    return list(found.values())


def ways_for(
    command: Sequence[str],
    environment: Mapping[str, str],
    policies: Sequence[Policy],
    host: HostFacts,
    custom: Mapping[str, CustomWay] | None = None,
    own_way: bool = False,
) -> list[Way]:
    """One way for each policy, in their order; one that cannot be says why.

    environment: the caller's whole environment. custom: the user's ways by policy name, used instead of what is
    known of the program. own_way: the command applies the policy itself, from HUGEPAGE_ADVISOR_POLICY or a
    placeholder; pools, modes and the prctl are prepared all the same. Raises ValueError for an empty command.
    """
    invocation = take_apart(command)
    merged = {**environment, **invocation.assigned}
    file = look_at(invocation.program, merged)
    cases = [Case(policy, host, invocation, merged, file) for policy in policies]
    return [_way(case, (custom or {}).get(case.policy.name), own_way) for case in cases]


def parse_custom_way(text: str) -> tuple[str, CustomWay]:
    """`POLICY: WORDS` -> policy name and way. Words are split as a shell does.

    NAME=VALUE words become environment, others are appended to the command; words before a lone `...` go right
    after the program instead. Raises ValueError for a text without a policy, without words, or with open quotes.
    """
    name, colon, rest = text.partition(":")
    try:
        words = shlex.split(rest)
    except ValueError as error:
        raise ValueError(f"{text!r}: {error}") from None
    if not colon or not name.strip() or not words:
        raise ValueError(f"{text!r} is not of the form 'POLICY: ARGUMENT ... NAME=VALUE ...'")
    environment = dict(word.split("=", 1) for word in words if is_assignment(word))
    arguments = [word for word in words if not is_assignment(word)]
    place = arguments.index(OWN_ARGUMENTS) if OWN_ARGUMENTS in arguments else None
    inserted = () if place is None else tuple(arguments[:place])
    appended = tuple(arguments) if place is None else tuple(arguments[place + 1 :])
    return name.strip(), CustomWay(environment, inserted, appended)


def _all_policies(fs: KernelFs, problems: dict[str, str]) -> list[Policy]:
    policies = [Policy("base", "base")]
    thp_bytes = read_optional(fs, f"{THP_FOLDER}/hpage_pmd_size", parse_value, problems)
    if thp_bytes:
        policies.append(Policy("thp", "thp", thp_bytes))
    folders = list_optional(fs, POOLS_FOLDER, problems)
    sizes = sorted(size for name in folders if (size := page_bytes_of_folder(name)) is not None)
    policies += [Policy(f"pool-{size_label(size)}", "hugetlb", size) for size in sizes]
    return [*policies, Policy("default", "default")]


def _glibc_release() -> tuple[int, int] | None:
    """The release that this interpreter runs on (confstr(3)); None for another C library."""
    try:
        match = _GLIBC.match(os.confstr("CS_GNU_LIBC_VERSION") or "")
    except (ValueError, OSError):
        return None
    return (int(match.group(1)), int(match.group(2))) if match else None


def _free_pages(fs: KernelFs) -> dict[int, int]:
    try:
        pools = read_pools(fs, {})
    except KernelTextError:
        return {}
    return {pool.page_bytes: max(0, pool.free - (pool.reserved or 0)) for pool in pools if pool.node is None}


def _default_pool_bytes(fs: KernelFs) -> int | None:
    try:
        return fs.parse_proc("meminfo", parse_meminfo).get("Hugepagesize")
    except KernelTextError:
        return None


@dataclass(frozen=True)
class _Settings:
    """What the host and the process need beside the command; words say so. Fields as in Way."""

    ids: tuple[str, ...] = ()
    words: tuple[str, ...] = ()
    thp_disable: bool = False
    thp_enabled: str | None = None
    shmem_enabled: str | None = None
    pool_page_bytes: int | None = None


def _way(case: Case, custom: CustomWay | None, own_way: bool) -> Way:
    if case.invocation.obstacle and case.policy.kind != "default":
        return _unusable(case, case.invocation.obstacle)
    steps = _steps(case, custom, own_way)
    if isinstance(steps, Unusable):
        return _unusable(case, steps.why)
    settings = _settings(case, steps)
    if isinstance(settings, Unusable):
        return _unusable(case, settings.why)
    return _joined(case, steps, settings)


def _unusable(case: Case, why: str) -> Way:
    return Way(policy=case.policy, id="none", description="", why_unusable=why)


def _steps(case: Case, custom: CustomWay | None, own_way: bool) -> list[Step] | Unusable:
    """Everything that is done to the command itself, in order. What the user says goes before what is known."""
    answers: list[Answer]
    if custom is not None:
        off = None if case.policy.kind == "default" else tunables_off(case)
        answers = [off, _custom_step(case, custom)]
    elif case.policy.kind == "default":
        answers = []
    elif own_way:
        answers = [Step("own", "the command applies the policy itself", madvises=True)]
    else:
        answers = _known_steps(case)
    refused = next((answer for answer in answers if isinstance(answer, Unusable)), None)
    return refused or [answer for answer in answers if isinstance(answer, Step)]


def _known_steps(case: Case) -> list[Answer]:
    """The application's own way, after what the policy does to malloc wherever malloc has a part in it."""
    application = recognise(case.invocation.name)
    way = application.ways.get(case.policy.kind) if application else None
    step = way(case) if way else None
    if isinstance(step, Step) and step.instead_of_malloc:
        return [tunables_off(case), step]
    return [MALLOC_STEP[case.policy.kind](case), step]


def _custom_step(case: Case, custom: CustomWay) -> Answer:
    if custom.environment and case.invocation.environment_lost:
        return Unusable(case.invocation.environment_lost)
    words = " ".join([*(f"{name}={text}" for name, text in custom.environment.items()), *custom.inserted])
    return Step(
        id="custom",
        description=f"as the user says: {' '.join([words, *custom.appended]).strip()}",
        arguments=[*custom.inserted, *case.arguments, *custom.appended],
        environment=custom.environment,
        # Whether the program madvises then is the user's to know; the watch sees whether it did.
        madvises=True,
    )


MALLOC_STEP: Mapping[PolicyKind, Callable[[Case], Answer]] = {
    "base": tunables_off,
    "thp": thp_of_malloc,
    "hugetlb": pool_of_malloc,
}


def _settings(case: Case, steps: Sequence[Step]) -> _Settings | Unusable:
    match case.policy.kind:
        case "base":
            return _base_settings(case.host)
        case "thp":
            return _thp_settings(case.host, steps)
        case "hugetlb":
            return _pool_settings(case.host, case.policy.page_bytes or 0)
        case "default":
            return _Settings(("as-it-is",), ("the host and the command as they are",))


def _base_settings(host: HostFacts) -> _Settings:
    if host.thp_enabled is None:
        return _Settings(("as-it-is",), ("this kernel has no THP to switch off",))
    return _Settings(("prctl",), ("PR_SET_THP_DISABLE, which children inherit",), thp_disable=True)


def _thp_settings(host: HostFacts, steps: Sequence[Step]) -> _Settings | Unusable:
    shmem = next((step.needs_shmem for step in steps if step.needs_shmem), None)
    if shmem is not None and host.shmem_enabled in SHMEM_ON[shmem]:
        shmem = None
    if host.changes:
        words = ("transparent_hugepage/enabled=always", *([f"shmem_enabled={shmem}"] if shmem else []))
        return _Settings(("system-mode",), words, thp_enabled="always", shmem_enabled=shmem)
    if shmem is not None:
        return Unusable(f"shmem_enabled is {host.shmem_enabled}, and may not be changed to {shmem} here")
    if host.thp_enabled == "always":
        return _Settings(("as-it-is",), ("transparent_hugepage/enabled is always",))
    if host.thp_enabled != "madvise":
        return Unusable(f"transparent_hugepage/enabled is {host.thp_enabled}, and may not be changed here")
    if not any(step.madvises for step in steps):
        return Unusable("transparent_hugepage/enabled is madvise, may not be changed here, and nothing would ask")
    return _Settings((), ("transparent_hugepage/enabled is madvise",))


def _pool_settings(host: HostFacts, page_bytes: int) -> _Settings | Unusable:
    label = size_label(page_bytes)
    if not host.changes and not host.pools.get(page_bytes):
        return Unusable(f"the {label} pool has no free page, and may not be changed here")
    return _Settings((), (f"pool of {label} pages",), pool_page_bytes=page_bytes)


def _joined(case: Case, steps: Sequence[Step], settings: _Settings) -> Way:
    policy = case.policy
    environment = {name: text for step in steps for name, text in step.environment.items()}
    arguments = next((step.arguments for step in reversed(steps) if step.arguments is not None), case.arguments)
    marks = {POLICY_VARIABLE: policy.name, PAGE_BYTES_VARIABLE: str(policy.page_bytes or "")}
    command = case.invocation.rebuilt(arguments, environment)
    return Way(
        policy=policy,
        id="+".join([*settings.ids, *(step.id for step in steps)]),
        description="; ".join([*settings.words, *(step.description for step in steps)]),
        command=[_filled(word, policy) for word in command],
        environment={**{name: _filled(text, policy) for name, text in environment.items()}, **marks},
        thp_disable=settings.thp_disable,
        thp_enabled=settings.thp_enabled,
        shmem_enabled=settings.shmem_enabled,
        pool_page_bytes=settings.pool_page_bytes,
    )


def _filled(text: str, policy: Policy) -> str:
    """Placeholders of an own way. Other braces stay as they are."""
    return text.replace("{policy}", policy.name).replace("{page_bytes}", str(policy.page_bytes or ""))
