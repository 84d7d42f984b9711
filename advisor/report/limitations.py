"""What a report cannot know or did not see: named facts about the observation, each with what would show more."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from typing import NamedTuple

from advisor.privilege.needs import NEEDS
from advisor.profile.model import Profile, Skipped
from advisor.profile.timeline import Timeline
from advisor.report.build_host import is_limitation
from advisor.report.document import Limitation
from advisor.report.host import Host
from advisor.report.lacking import capture_limitations
from advisor.report.process import ProcessEntry
from advisor.rules import Finding
from advisor.rules.conditions import LARGE_BYTES
from advisor.rules.text import show_bytes

NAMED_AT_MOST = 3
"""File names listed in one message. Source: own choice. Reason: the reader needs an example; JSON has the rest."""

DENIED = "denied"
WALK_FILES = ("smaps", "smaps_rollup")
"""Files of a process whose absence costs whole columns; other files are told of together."""

MUCH_BASE_BYTES = LARGE_BYTES
"""Anonymous memory on base pages from which rules ask for its density."""

FILES_WITH_WALK = ("exe", "numa_maps")
"""Files of a process that need the same permission as its smaps: denied together, said once."""


class Observation(NamedTuple):
    """What the checks look at. without_model: why no model took part, None where one did."""

    profile: Profile
    timeline: Timeline
    host: Host
    findings: Sequence[Finding]
    processes: Sequence[ProcessEntry]
    skipped: Sequence[Skipped]
    without_model: str | None


NEED_OF = {"pagemap": "pages", "kpageflags": "frames", "fd": "buffers", "exe": "program", "numa_maps": "placement"}
HOST_NEED_OF = {"kpageflags": "flags"}
"""What else may be denied, of a process and of the host -> what it needs."""

TRACE_PROBLEMS = {"missing": "tracefs is not mounted, or this kernel has no such tracepoints", "denied": "denied"}
"""What a reason says of tracefs; others are told as they are."""

Check = Callable[[Observation], Iterator[Limitation]]


def find_limitations(observation: Observation) -> list[Limitation]:
    """Every limitation that holds, in the fixed order of the checks."""
    return [limitation for check in CHECKS for limitation in check(observation)]


def _source(seen: Observation) -> Iterator[Limitation]:
    header = seen.profile.header
    if header.source == "tree":
        yield Limitation(
            "captured-tree",
            "Made from a captured tree of kernel files: one moment, no rates, no CPU use, no programs on disk.",
            "Run on the host itself, or record a profile there.",
        )
    if seen.profile.truncated:
        yield Limitation(
            "truncated-profile",
            f"The profile ends inside a sample; the {seen.timeline.samples} whole ones before it were used.",
            None,
        )


def _capture(seen: Observation) -> Iterator[Limitation]:
    yield from capture_limitations(seen.profile.header, seen.timeline)


def _rules(seen: Observation) -> Iterator[Limitation]:
    """Rules about the observation: privileges, samples, length, mTHP, TLB, guest."""
    for finding in seen.findings:
        if is_limitation(finding):
            yield Limitation(finding.rule.id, finding.message, finding.rule.remedy or None)


def _privileges(seen: Observation) -> Iterator[Limitation]:
    if denied := _count_denied_walks(seen.timeline):
        yield Limitation(
            "smaps-denied",
            f"Reading smaps of {_processes(denied)} was denied: what is huge, mapped and running there is unknown.",
            "The kernel protects it even from CAP_SYS_PTRACE: another user namespace, or a security module."
            if seen.profile.header.privileged
            else f"{_run_with('mappings')} From kernel 6.15 on CAP_PERFMON is enough.",
        )
    if seen.timeline.host_last.problems.get("pagetypeinfo") == DENIED:
        yield Limitation(
            "pagetypeinfo-denied",
            "/proc/pagetypeinfo may not be read: how much free memory compaction could win is unknown.",
            _run_with("pagetypes"),
        )


def _kernel(seen: Observation) -> Iterator[Limitation]:
    thp = seen.host.thp
    if thp.enabled is None and thp.pmd_bytes is None:
        yield Limitation(
            "no-thp", "No transparent huge pages in this kernel, or their switches could not be read.", None
        )
    if not seen.host.pools:
        yield Limitation("no-hugetlb", "No hugetlb pools in this kernel, or they could not be read.", None)


def _settings(seen: Observation) -> Iterator[Limitation]:
    """What texts to paste build on."""
    configuration = seen.profile.header.host.configuration
    if configuration is not None and configuration.boot_parameters is None:
        yield Limitation(
            "command-line-unknown",
            "The kernel command line could not be read: pools that it reserves already are not in texts to paste.",
            "Keep its hugepagesz= and hugepages= when you set new ones.",
        )


def _nodes(seen: Observation) -> Iterator[Limitation]:
    nodes = seen.profile.header.host.nodes or []
    unknown = [node for node in nodes if node not in seen.timeline.host_last.node_meminfo]
    if len(nodes) > 1 and unknown:
        names = ", ".join(map(str, unknown))
        yield Limitation(
            "nodes-unknown",
            f"The memory of NUMA node {names} could not be read: what each node holds and could supply is unknown.",
            None,
        )


def _trace(seen: Observation) -> Iterator[Limitation]:
    """Where khugepaged was to be listened to."""
    reason = seen.timeline.host_last.problems.get("tracefs")
    heard = seen.host.khugepaged.listened
    if reason is not None:
        yield Limitation(
            "khugepaged-not-traced",
            f"khugepaged could not be listened to: {TRACE_PROBLEMS.get(reason, reason)}.",
            "mount -t tracefs tracefs /sys/kernel/tracing" if reason == "missing" else _run_with("tracing"),
        )
    elif heard is not None and not heard.looks:
        sleep_ms = seen.host.khugepaged.scan_sleep_ms
        sleeps = "" if sleep_ms is None else f"; it sleeps for {sleep_ms / 1000:g} s between two looks around"
        yield Limitation(
            "khugepaged-quiet",
            f"khugepaged looked at nothing in the {heard.seconds:.0f} s in which it was listened to{sleeps}.",
            "Observe longer: --duration.",
        )


def _supply(seen: Observation) -> Iterator[Limitation]:
    unknown = sorted({supply.page_bytes for supply in seen.host.supply if supply.available_now is None})
    if unknown:
        yield Limitation(
            "supply-unknown",
            "How many pages could be handed out now is unknown for "
            + ", ".join(show_bytes(n) for n in unknown)
            + ".",
            f"Run `report` on the host itself with {NEEDS['flags'].words} (or as root): it then looks at "
            "/proc/kpageflags. To be sure, reserve at boot; at run time write nr_hugepages and read it again.",
        )
    look = seen.timeline.host_last.contiguity
    if look is not None and any(ranges.unread for ranges in look.ranges):
        unread = sum(ranges.unread for ranges in look.ranges)
        yield Limitation(
            "supply-estimated",
            f"{unread} ranges of gigantic pages were not looked at to the end, to bound the cost: their share of the "
            "supply is estimated from the others.",
            None,
        )


def _reads(seen: Observation) -> Iterator[Limitation]:
    for reason, identifier, words, remedy in (
        ("hung", "hung-reads", "did not return in time", "Look for processes in state D, or a held mmap_lock."),
        ("malformed", "malformed-files", "has a form that is not understood", "Please report it, with the file."),
        ("incomplete", "incomplete-files", "ended in the middle", "Observe again."),
        ("unreadable", "unreadable-files", "failed", "Look into the kernel's log."),
    ):
        files, processes = _problem_files(seen, reason)
        if files:
            where = f", of {_processes(processes)}," if processes else ""
            yield Limitation(identifier, f"Reading {_some(files)}{where} {words}.", remedy)
    files, _ = _problem_files(seen, DENIED)
    told = {*WALK_FILES, "pagetypeinfo", "tracefs"} | set(
        FILES_WITH_WALK if _count_denied_walks(seen.timeline) else ()
    )
    others = [name for name in files if name not in told]
    if others:
        yield Limitation("denied-files", f"Access denied: {_some(others)}.", _run_with(*_needs_of(seen, others)))
    reasons = Counter(skipped.reason for skipped in seen.skipped)
    if quarantined := reasons["quarantined"]:
        yield Limitation(
            "quarantined",
            f"{_processes(quarantined)} not read again after a read hung; what is shown of them is old.",
            "Look for processes in state D, or a held mmap_lock.",
        )
    if too_long := reasons["walk-too-long"]:
        yield Limitation(
            "walk-too-long",
            f"{_processes(too_long)} too large: reading smaps would hold the mmap_lock too long; the huge pages of "
            "such a process are unknown.",
            "Read smaps_rollup of them by hand at a quiet time.",
        )


def _pages(seen: Observation) -> Iterator[Limitation]:
    """Of whom it is unknown how full their huge page slots are, so that growth is a bound."""
    large = [process for process in seen.processes if _base_bytes(process) >= MUCH_BASE_BYTES]
    unscanned = [process for process in large if process.bloat_forecast is None]
    cut = [process for process in large if process.bloat_forecast and not process.bloat_forecast.complete]
    if unscanned:
        yield Limitation(
            "pages-not-scanned",
            f"How full the huge page slots of {_processes(len(unscanned))} with much memory on base pages are is "
            "unknown: what THP would add there is a bound by smaps, which may be far too high.",
            f"Observe the running host with {NEEDS['pages'].words} (or as root).",
        )
    if cut:
        yield Limitation(
            "pages-partly-scanned",
            f"The pages of {_processes(len(cut))} were looked at in part, as far as the time went: the forecast of "
            "growth covers that part alone, and advice uses the bound by smaps.",
            "Observe that process alone, with --pid.",
        )


def _base_bytes(process: ProcessEntry) -> int:
    return max(0, (process.memory.anon_bytes or 0) - (process.memory.anon_huge_bytes or 0))


def _depth(seen: Observation) -> Iterator[Limitation]:
    if waiting := _count_not_walked(seen):
        yield Limitation(
            "reads-put-off",
            f"smaps of {_processes(waiting)} not read yet, to stay inside the budget: their huge pages are unknown.",
            "Observe longer.",
        )
    yield Limitation(
        "no-walk-counters",
        "Page walks are not counted: what huge pages are worth is judged by memory size, TLB reach and CPU use.",
        "Measure the program itself: `hugepage-advisor trial`.",
    )
    if seen.without_model is not None:
        yield Limitation(
            "no-model",
            f"No gain is predicted: {seen.without_model}, so advice rests on rules alone.",
            "Train a model: `hugepage-advisor model train`.",
        )


CHECKS: tuple[Check, ...] = (
    _source,
    _capture,
    _rules,
    _privileges,
    _kernel,
    _settings,
    _nodes,
    _trace,
    _supply,
    _reads,
    _pages,
    _depth,
)
"""All checks, in the order in which a reader should see what they find."""


def _count_denied_walks(timeline: Timeline) -> int:
    """Processes of which neither smaps nor smaps_rollup could be read."""
    denied = (process for process in timeline.processes.values() if process.maps is None and process.rollup is None)
    return sum(DENIED in ((process.problems or {}).get(name) for name in WALK_FILES) for process in denied)


def _count_not_walked(seen: Observation) -> int:
    """Processes whose page tables nothing forbade to walk, but whose turn had not come."""
    excused = {skipped.pid for skipped in seen.skipped}
    return sum(
        process.maps is None and process.rollup is None and process.pid not in excused
        for process in seen.timeline.processes.values()
        if not set(WALK_FILES) & (process.problems or {}).keys()
    )


def _problem_files(seen: Observation, reason: str) -> tuple[list[str], int]:
    """Names of files that failed for a reason, host-wide first, and in how many processes any did."""
    names = {name: None for name, why in sorted(seen.timeline.host_last.problems.items()) if why == reason}
    processes = 0
    for process in seen.timeline.processes.values():
        of_process = [name for name, why in sorted((process.problems or {}).items()) if why == reason]
        names |= dict.fromkeys(of_process)
        processes += bool(of_process)
    return list(names), processes


def _run_with(*needs: str) -> str:
    """The least capabilities for all of these; none named: nobody knows."""
    least = sorted({name for need in needs for name in NEEDS[need].least})
    return f"Run with {' and '.join(least)} (or as root)." if least else "Run as root."


def _needs_of(seen: Observation, files: Sequence[str]) -> list[str]:
    """Of files that were denied; none where one of them is none of those whose need is known."""
    of_processes = {name for process in seen.timeline.processes.values() for name in process.problems or {}}
    needs = [(NEED_OF if name in of_processes else HOST_NEED_OF).get(name) for name in files]
    known = [need for need in needs if need is not None]
    return known if len(known) == len(needs) else []


def _processes(number: int) -> str:
    return f"{number} process{'' if number == 1 else 'es'}"


def _some(names: Sequence[str]) -> str:
    listed = ", ".join(names[:NAMED_AT_MOST])
    return listed if len(names) <= NAMED_AT_MOST else f"{listed} and {len(names) - NAMED_AT_MOST} more"
