"""The host's THP switches: the mode under which most needs are met, by the host or process by process."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import Any, NamedTuple

from advisor.profile.model import HostState
from advisor.recommendation.model import ThpPlan
from advisor.recommendation.tenants import (
    SWITCHED_OFF_BY,
    Means,
    Need,
    Wanting,
    means_of,
    thp_means,
)
from advisor.recommendation.thp_reach import exposed_growth
from advisor.rules import Policy
from advisor.rules.text import show_bytes

Row = Mapping[str, Any]
"""One row of the feature frame, by column name."""

MODES = ("never", "madvise", "always")
"""From the strictest to the most generous (transhuge.rst)."""

SPARSE_COLLAPSE_RULE = "khugepaged-fills-sparse-memory"
"""The rule that asks for a lower max_ptes_none."""

FALL_BACK_RULE = "thp-faults-fall-back"
"""The rule that says that the host cannot supply the huge pages that faults ask for."""

EXPOSED_GROWTH_SHARE = 0.1
"""Share of MemTotal. Source: own choice. Reason: mode always makes everybody pay; above a tenth of the host's
memory that is worse than changing the few programs that need it."""

MOST_SWITCHES = 8
"""Programs. Source: own choice. Reason: to restart more with a switch of their own, so that another may have its huge
pages, is worse than to change that one."""

PASS_TARGET_S = 3600.0
"""Seconds. Source: the threshold of the rule khugepaged-starved. Reason: one pass an hour ends the
starvation."""

SCAN_FACTOR_LIMIT = 16
"""Factor. Source: own choice. Reason: sixteen times khugepaged's default pace costs about one percent of a
CPU when it finds nothing to do, and more when it does; beyond that an operator should decide."""

DEFAULT_SCAN_SLEEP_MS = 10_000
"""Milliseconds. Source: mm/khugepaged.c, khugepaged_scan_sleep_millisecs. Reason: the kernel's own pace."""

NONE_PTES_DIVISOR = 8
"""Divisor of the entries of a PMD. Source: own choice. Reason: a collapse may then add at most one seventh to
what is resident in its range; the default lets it add everything."""

NAMED = 5
"""Pids named in a sentence. Source: own choice. Reason: the tenants have them all."""


class Mode(NamedTuple):
    """The chosen mode, why, and why who needs huge pages and gets none under it does not."""

    enabled: str | None
    reason: str
    denied: str | None


def plan_thp(
    host: Row,
    rows: Sequence[Row],
    found: Sequence[Wanting],
    host_rules: Collection[str],
    wanted: str | None = None,
) -> ThpPlan:
    """The switches as they should be. host: any row; found: who needs what; host_rules: host-scope ids that match;
    wanted: the mode that somebody asks for."""
    mode = choose_mode(host, rows, found) if wanted is None else asked_mode(wanted, host, rows, found)
    defrag = _defrag(host, mode.enabled, found, host_rules)
    shmem_enabled = _shmem_mode(host["host_shmem_enabled"], [one.row for one in found if _asks_for_shmem(one)])
    khugepaged = _khugepaged(host, mode.enabled, found, host_rules)
    switches = {
        "enabled": (host["host_thp_enabled"], mode.enabled),
        "defrag": (host["host_thp_defrag"], defrag),
        "shmem_enabled": (host["host_shmem_enabled"], shmem_enabled),
    }
    changed = [name for name, (now, then) in switches.items() if now != then]
    changed += [f"khugepaged/{name}" for name in khugepaged]
    return ThpPlan(mode.enabled, defrag, shmem_enabled, khugepaged, changed, mode.reason, mode.denied)


def own_switch(state: HostState | None) -> int | None:
    """The PMD page size, bytes, where its own switch decides, not the host-wide one (6.8+); None where it inherits.

    Writing the host-wide switch would then change nothing (transhuge.rst, hugepages-<size>kB/enabled).
    """
    thp = state.thp if state is not None else None
    sizes = thp.sizes if thp is not None else []
    own = next((size for size in sizes if thp is not None and size.page_bytes == thp.pmd_bytes), None)
    return own.page_bytes if own is not None and own.enabled not in (None, "inherit") else None


def choose_mode(host: Row, rows: Sequence[Row], found: Sequence[Wanting]) -> Mode:
    """The mode with least at stake unmet; of equals the one nearest to today's, which is never made stricter.

    Who needs base pages can have them under every mode, by a switch of its own; who needs huge pages cannot. So the
    mode follows the latter, as long as those who need neither do not grow by more than EXPOSED_GROWTH_SHARE, and no
    more than MOST_SWITCHES programs must be switched off for it.
    """
    now: str | None = host["host_thp_enabled"]
    if now not in MODES:
        return Mode(now, "The host's THP mode is unknown.", "The host's THP mode is unknown.")
    needing = [one for one in found if one.need is Need.THP]
    exposed = exposed_growth(rows, found)
    switches = {_program(one) for one in found if one.need is Need.BASE_PAGES and _only_under_always(one, now)}
    too_exposed = now != "always" and (exposes_too_many(host, exposed) or len(switches) > MOST_SWITCHES)
    modes = [mode for mode in MODES[MODES.index(now) :] if not (mode == "always" and too_exposed)]
    chosen = min(modes, key=lambda mode: _at_stake(_unmet(needing, mode, now)))
    reason = _reason(chosen, now, needing, found, exposed)
    unmet = _unmet(needing, chosen, now)
    if not unmet:
        return Mode(chosen, reason, None)
    denied = _denied(chosen, exposed)
    return Mode(chosen, f"{reason} {_processes(unmet)} get{'s' if len(unmet) == 1 else ''} none. {denied}", denied)


def exposes_too_many(host: Row, exposed: int | None) -> bool:
    """Whether those who need neither kind of pages may grow by too much under always, or by nobody knows what."""
    return exposed is None or exposed > EXPOSED_GROWTH_SHARE * (host["host_memory_total_bytes"] or 0)


def asked_mode(wanted: str, host: Row, rows: Sequence[Row], found: Sequence[Wanting]) -> Mode:
    """The mode that somebody asks for: whom it serves, who gets none under it, and what others pay for it."""
    now: str = host["host_thp_enabled"]
    needing = [one for one in found if one.need is Need.THP]
    served = [one for one in needing if thp_means(one.row, wanted, now) is not None]
    unmet = _unmet(needing, wanted, now)
    said = ["It was asked for."]
    if served:
        said.append(f"{_processes(served)} {_have(served)} huge pages under it.")
    if unmet:
        said.append(f"{_processes(unmet)} get{'s' if len(unmet) == 1 else ''} none.")
    growth = exposed_growth(rows, found)
    if wanted == "always" and now != "always" and growth != 0:
        said.append(f"Others grow by {'an unknown amount' if growth is None else f'at most {show_bytes(growth)}'}.")
    reason = f"{' '.join(said)}{_switched_off(found, wanted)}"
    if not unmet:
        return Mode(wanted, reason, None)
    denied = {
        "never": "Mode never was asked for, under which nobody has huge pages of its own memory.",
        "madvise": "Mode madvise was asked for; the program asks for no huge pages, and no known setting makes it.",
        "always": _denied("always", None),
    }[wanted]
    return Mode(wanted, reason, denied)


def _only_under_always(one: Wanting, now: str) -> bool:
    """It stays on base pages by today's mode, and under always would need a switch of its own."""
    return _means(one, "always") in SWITCHED_OFF_BY and _means(one, now) not in SWITCHED_OFF_BY


def _program(one: Wanting) -> tuple[str | None, str | None]:
    """What is started and configured as one: processes of a name in a cgroup."""
    return one.row["name"], one.row["cgroup"]


def _unmet(needing: Sequence[Wanting], mode: str, now: str) -> list[Wanting]:
    return [one for one in needing if thp_means(one.row, mode, now) is None]


def _at_stake(unmet: Sequence[Wanting]) -> int:
    """Bytes, and something for each process however little it holds."""
    return sum(max(one.advice.at_stake_bytes, 1) for one in unmet)


def _reason(chosen: str, now: str, needing: Sequence[Wanting], found: Sequence[Wanting], exposed: int | None) -> str:
    """Whom the mode serves, and what becomes of the others."""
    served = [one for one in needing if thp_means(one.row, chosen, now) is not None]
    others = _switched_off(found, chosen)
    if not served:
        return f"No process needs another mode than {now}.{others}"
    if chosen == "always":
        kept = "It serves" if now == "always" else "It is the only mode that serves"
        growth = "" if now == "always" else f" Others grow by at most {show_bytes(exposed or 0)}."
        return f"{kept} {_processes(served)}.{growth}{others}"
    return f"{_processes(served)} can ask for huge pages each on its own; nobody else is affected.{others}"


def _switched_off(found: Sequence[Wanting], mode: str) -> str:
    """Who needs a switch of its own under the mode, as one more sentence; empty where nobody does."""
    off = [one for one in found if one.need is Need.BASE_PAGES and _means(one, mode) in SWITCHED_OFF_BY]
    return f" {_processes(off)} {_have(off)} THP switched off by itself." if off else ""


def _denied(chosen: str, exposed: int | None) -> str:
    """What would have to change for who gets no huge pages under the mode."""
    if chosen == "always":
        return "Its memory is kept from huge pages by the program or whoever starts it."
    cost = "an unknown amount" if exposed is None else f"up to {show_bytes(exposed)}"
    return (
        "The program would have to ask for them (madvise), as no known setting makes it; mode always would let "
        f"others grow by {cost}, or need too many switched off one by one."
    )


def _means(one: Wanting, mode: str) -> Means | None:
    return means_of(one, mode, one.row["host_shmem_enabled"])


def _have(found: Sequence[Wanting]) -> str:
    return "has" if len(found) == 1 else "have"


def _processes(found: Sequence[Wanting]) -> str:
    """How many, and the first pids."""
    shown = ", ".join(str(one.row["pid"]) for one in found[:NAMED])
    more = ", ..." if len(found) > NAMED else ""
    return f"{len(found)} process{'es' if len(found) > 1 else ''} (pid {shown}{more})"


def _defrag(host: Row, mode: str | None, found: Sequence[Wanting], host_rules: Collection[str]) -> str | None:
    """Who asks may wait for a huge page; who does not ask never does, but the kernel works ahead for it.

    defer+madvise is the setting for both kinds: direct compaction for madvised memory alone, kcompactd for the rest.
    """
    now: str | None = host["host_thp_defrag"]
    needing = [one for one in found if one.need is Need.THP]
    if "defrag-stalls" in host_rules and now == "always":
        return "defer+madvise"
    if not needing or mode == "never":
        return now
    silent = mode == "always" and any(not _can_ask(one) for one in needing)
    if silent and FALL_BACK_RULE in host_rules and now in ("madvise", "never"):
        return "defer+madvise"
    return "madvise" if now == "never" else now


def _can_ask(one: Wanting) -> bool:
    """Whether the memory of this process is, or will be, marked as advised."""
    return thp_means(one.row, "madvise", None) is not None


def _asks_for_shmem(one: Wanting) -> bool:
    return one.need is Need.SHMEM_THP and one.recommendation.policy == Policy.THP


def _shmem_mode(now: str | None, asking: Sequence[Row]) -> str | None:
    """Monitors advise their guests' RAM by themselves (QEMU, Cloud Hypervisor); for others no setting does."""
    if not asking:
        return now
    return "advise" if all(row["is_vmm"] for row in asking) else "within_size"


def _khugepaged(
    host: Row, enabled: str | None, found: Sequence[Wanting], host_rules: Collection[str]
) -> dict[str, int]:
    """What changes below khugepaged/."""
    changes: dict[str, int] = {}
    if "khugepaged-too-eager" in host_rules:
        changes["scan_sleep_millisecs"] = max(2 * int(host["host_khugepaged_scan_sleep_ms"]), DEFAULT_SCAN_SLEEP_MS)
    elif "khugepaged-starved" in host_rules and enabled != "never" and host["host_khugepaged_pages_to_scan"]:
        factor = min(-(-host["host_khugepaged_pass_s"] // PASS_TARGET_S), SCAN_FACTOR_LIMIT)
        changes["pages_to_scan"] = int(host["host_khugepaged_pages_to_scan"] * factor)
    sizes_known = host["host_pmd_bytes"] and host["host_base_page_bytes"]
    if sizes_known and any(map(_khugepaged_fills, found)):
        entries = host["host_pmd_bytes"] // host["host_base_page_bytes"]
        changes["max_ptes_none"] = entries // NONE_PTES_DIVISOR
    return changes


def _khugepaged_fills(one: Wanting) -> bool:
    """Sparse memory that khugepaged may still collapse: it passes over a process whose THP is switched off."""
    reasons = one.recommendation.reasons if one.need is not Need.BASE_PAGES else []
    return any(reason.rule == SPARSE_COLLAPSE_RULE and reason.status == "matched" for reason in reasons)
