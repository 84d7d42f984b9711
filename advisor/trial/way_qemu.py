"""QEMU: what backs the guest's memory, by a memory-backend object."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from advisor.trial.way_model import Answer, Case, Step, Unusable, size_label

DEFAULT_GUEST_BYTES = 128 << 20
"""Guest memory without -m (qemu(1))."""

NEW_BACKEND_ID = "advisor-memory"

KEPT_PROPERTIES = ("id", "size", "share", "host-nodes", "policy", "merge", "dump", "prealloc", "prealloc-threads")
"""Properties that every kind of backend has; the rest (mem-path, hugetlb, seal ...) belongs to one kind."""

_SIZE = re.compile(r"([0-9]+)([KMGTkmgt]?)[Bb]?")
_UNITS = {"": 20, "K": 10, "M": 20, "G": 30, "T": 40}
"""Power of two by suffix; -m counts in MiB without one."""


@dataclass(frozen=True)
class Backend:
    """The guest's memory as the command describes it. place: index of the -object's value, None where QEMU makes
    the object by itself."""

    place: int | None
    properties: tuple[tuple[str, str], ...]
    size_bytes: int

    @property
    def shared(self) -> bool:
        """Another process maps it too, so it must stay a file."""
        return dict(self.properties).get("share") in ("on", "yes", "true")


def guest_memory(arguments: Sequence[str]) -> Backend | str:
    """What backs the guest's memory, or why that cannot be rewritten."""
    options = _options(arguments)
    if any(name in ("mem-path", "mem-prealloc") for name, _ in options):
        return "-mem-path and -mem-prealloc name the memory already: give a way of your own for each policy"
    size = _guest_bytes([arguments[at] for name, at in options if name == "m" and at < len(arguments)])
    if size is None:
        return "the size after -m is not understood"
    objects = [at for name, at in options if name == "object" and at < len(arguments)]
    backends = [at for at in objects if "memory-backend-" in arguments[at]]
    used = [arguments[at] for name, at in options if name in ("machine", "M", "numa") and at < len(arguments)]
    named = any("memory-backend=" in value or "memdev=" in value for value in used)
    if not backends and not named:
        return Backend(None, (("id", NEW_BACKEND_ID), ("size", str(size))), size)
    if len(backends) != 1 or not named or arguments[backends[0]].startswith("{"):
        return "its memory backends are too special to be rewritten: give a way of your own for each policy"
    kept = _properties(arguments[backends[0]])
    return Backend(backends[0], kept, size)


def _options(arguments: Sequence[str]) -> list[tuple[str, int]]:
    """Names of all options without their dashes, each with the index of the word after it."""
    return [(word.lstrip("-"), index + 1) for index, word in enumerate(arguments) if word.startswith("-")]


def _guest_bytes(values: Sequence[str]) -> int | None:
    """Bytes of the last -m; its value is `512`, `2G` or `size=2G,slots=...`."""
    if not values:
        return DEFAULT_GUEST_BYTES
    match = _SIZE.fullmatch(values[-1].partition(",")[0].removeprefix("size="))
    return int(match.group(1)) << _UNITS[match.group(2).upper()] if match else None


def _properties(value: str) -> tuple[tuple[str, str], ...]:
    pairs = (part.partition("=") for part in value.split(",")[1:])
    return tuple((name, text) for name, _, text in pairs if name.startswith(KEPT_PROPERTIES))


def _with_backend(
    arguments: Sequence[str], backend: Backend, kind: str, extra: Sequence[tuple[str, str]]
) -> list[str]:
    properties = {**dict(backend.properties), **dict(extra)}
    value = ",".join([kind, *(f"{name}={text}" for name, text in properties.items())])
    if backend.place is None:
        return [*arguments, "-object", value, "-machine", f"memory-backend={NEW_BACKEND_ID}"]
    return [*arguments[: backend.place], value, *arguments[backend.place + 1 :]]


def _ordinary(case: Case) -> tuple[Backend, list[str]] | Unusable:
    """Guest memory that no pool backs: the command as it is, or its backend made an ordinary one."""
    backend = guest_memory(case.arguments)
    if isinstance(backend, str):
        return Unusable(backend)
    if backend.place is None:
        return backend, list(case.arguments)
    kind = "memory-backend-memfd" if backend.shared else "memory-backend-ram"
    return backend, _with_backend(case.arguments, backend, kind, ())


def base(case: Case) -> Answer:
    ordinary = _ordinary(case)
    if isinstance(ordinary, Unusable):
        return ordinary
    return Step("qemu-memory", "guest memory in no pool", ordinary[1])


def thp(case: Case) -> Answer:
    ordinary = _ordinary(case)
    if isinstance(ordinary, Unusable):
        return ordinary
    backend, arguments = ordinary
    if backend.shared:
        return Unusable("QEMU does not align shared guest memory to huge pages, so none of it becomes huge")
    return Step(
        id="qemu-memory",
        description="QEMU madvises the guest's memory",
        arguments=arguments,
        madvises=True,
        instead_of_malloc=True,
    )


def pool(case: Case) -> Answer:
    backend = guest_memory(case.arguments)
    if isinstance(backend, str):
        return Unusable(backend)
    page_bytes = case.policy.page_bytes or 0
    if backend.size_bytes % page_bytes:
        return Unusable(
            f"guest memory of {size_label(backend.size_bytes)} is no multiple of {size_label(page_bytes)}: change -m"
        )
    extra = (("hugetlb", "on"), ("hugetlbsize", size_label(page_bytes)), ("prealloc", "on"))
    return Step(
        id="qemu-memory",
        description="guest memory in a memfd from the pool, all of it taken at the start",
        arguments=_with_backend(case.arguments, backend, "memory-backend-memfd", extra),
        instead_of_malloc=True,
    )
