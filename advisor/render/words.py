"""What text and Markdown say in the same words: states, advice, pools, changes. All from the report, unescaped."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from advisor.render.numbers import (
    UNKNOWN,
    count,
    duration,
    human_bytes,
    percent,
    plural,
)
from advisor.report.document import Report, SkippedProcess
from advisor.report.process import (
    Alternative,
    Application,
    BloatForecast,
    Component,
    ExpectedGain,
    Memory,
    ProcessEntry,
    RecommendationEntry,
)
from advisor.report.reasons import Evidence, Reason

MOSTLY = 0.5
"""Share of a process's memory from which a kind of page names its state. Source: own choice: more than half."""

LEAVE = "leave"

LONG_TEXT = 30
"""Characters from which a text is not repeated beside a message that holds it. Source: own choice. Reason: names and
numbers are evidence, sentences are what was said."""

POLICY_WORDS = {"leave": "leave", "thp": "THP", "thp-off": "THP off", "hugetlb": "hugetlb"}
"""How a policy reads."""


def resident_bytes(process: ProcessEntry) -> int | None:
    """Resident memory with hugetlb, which RSS does not count; null only where RSS is unknown."""
    memory = process.memory
    return None if memory.rss_bytes is None else memory.rss_bytes + (memory.hugetlb_bytes or 0)


def state(process: ProcessEntry) -> str:
    """The pages that a process's memory is on now: base, THP, hugetlb, mixed, THP off, unknown."""
    memory = process.memory
    thp = (memory.anon_huge_bytes or 0) + (memory.shmem_huge_bytes or 0)
    pool = memory.hugetlb_bytes or 0
    known = memory.anon_huge_bytes is not None or memory.huge_coverage is not None
    if pool and (pool >= thp or not known):
        return "hugetlb" if memory.huge_coverage is None or memory.huge_coverage >= MOSTLY else "mixed"
    if process.thp_disabled:
        return "THP off"
    if not known:
        return UNKNOWN
    if not thp:
        return "base"
    return "THP" if (memory.huge_coverage or 0) >= MOSTLY else "mixed"


def advice(recommendation: RecommendationEntry) -> str:
    """A recommendation in a few words: THP 2 MiB, hugetlb 1 GiB x 24."""
    if not recommendation.changes and recommendation.policy != LEAVE:
        return f"keep {POLICY_WORDS[recommendation.policy]} {human_bytes(recommendation.page_bytes, '')}".rstrip()
    return policy(recommendation)


def gain(expected: ExpectedGain | None) -> str:
    """A predicted gain with its interval: 12 % less time (5 % to 19 %, 90 % sure)."""
    if expected is None:
        return "not predicted"
    sign = "less" if expected.median >= 0 else "more"
    low, high = _signed_percent(expected.low), _signed_percent(expected.high)
    return f"{percent(abs(expected.median))} {sign} time ({low} to {high}, {percent(expected.level)} sure)"


def _signed_percent(share: float) -> str:
    return f"-{percent(-share)}" if share < 0 else percent(share)


def bloat(recommendation: RecommendationEntry | Alternative) -> str:
    """What the policy may cost or save in memory: memory may grow by up to 1.5 GiB (by smaps, a bound)."""
    size = recommendation.bloat_bytes
    if size == 0:
        return "no growth of memory"
    if size is None:
        return "growth of memory unknown" if recommendation.policy != LEAVE else "no growth of memory"
    words = {
        "thp": f"memory may grow by up to {human_bytes(size)}",
        "thp-off": f"prevents growth of up to {human_bytes(size)}",
        "hugetlb": f"whole pages cost {human_bytes(size)}",
    }
    basis = {"pages": " (counted page by page)", "smaps": " (a bound by smaps)"}
    said = words.get(recommendation.policy, f"up to {human_bytes(size)} of growth")
    return said + basis.get(recommendation.bloat_basis or "", "")


def policy(option: RecommendationEntry | Alternative) -> str:
    """A policy with its pages: THP 2 MiB, hugetlb 1 GiB x 24."""
    words = f"{POLICY_WORDS[option.policy]} {human_bytes(option.page_bytes, '')}".rstrip()
    return words if option.pages is None else f"{words} x {count(option.pages)}"


def costs(option: RecommendationEntry | Alternative, process: ProcessEntry) -> list[str]:
    """What a policy costs the process: growth of memory, and page tables where they change."""
    now, after = process.memory.page_table_bytes, option.page_table_bytes_after
    tables = [] if after in (None, now) else [f"page tables {human_bytes(now)} -> {human_bytes(after)}"]
    return [bloat(option), *tables]


def bloat_forecast(forecast: BloatForecast) -> str:
    """What THP would add, by way and by khugepaged's limit, in one sentence."""
    ways = [f"{human_bytes(forecast.fault_bytes)} if it were started under it"]
    if forecast.fault_most_bytes > forecast.fault_bytes:
        ways[0] += f" (at most {human_bytes(forecast.fault_most_bytes)}: it gave back memory that it once had)"
    if forecast.khugepaged_bytes is not None:
        ways.append(
            f"{human_bytes(forecast.khugepaged_bytes)} by khugepaged at max_ptes_none {forecast.max_ptes_none}"
        )
    if forecast.khugepaged_bytes:
        steps: dict[int, int] = {}
        for at in forecast.by_max_ptes_none:
            steps.setdefault(at.bytes, at.max_ptes_none)
        ways.append("by limit " + ", ".join(f"{human_bytes(size)} from {at} on" for size, at in steps.items()))
    said = f"THP would add {'; '.join(ways)}"
    if forecast.fault_bytes and forecast.reclaimable_bytes:
        said += f"; {human_bytes(forecast.reclaimable_bytes)} comes back under memory pressure (shrink_underused)"
    if not forecast.complete:
        said += f"; nothing is said of {human_bytes(forecast.unscanned_bytes)} that was not looked at"
    return said


def _application(application: Application) -> str:
    version = f" {application.version}" if application.version else ""
    return f"{application.name}{version} ({application.confidence} confidence)"


def _component(component: Component) -> str:
    return f"{component.name} {component.version}" if component.version else component.name


def mthp(memory: Memory) -> str:
    """Memory in large folios that no PMD maps, by size: mTHP 96 MiB of 64 KiB, 12 MiB of 128 KiB; 3 MiB in parts."""
    found = memory.mthp or []
    sizes = [f"{human_bytes(size.bytes)} in pages of {human_bytes(size.page_bytes)}" for size in found if size.bytes]
    words = [f"mTHP: {', '.join(sizes)}" if sizes else "no mTHP"]
    if memory.mthp_partial_bytes:
        words.append(f"{human_bytes(memory.mthp_partial_bytes)} in larger folios mapped in part")
    if file_bytes := sum(size.file_bytes for size in found):
        words.append(f"{human_bytes(file_bytes)} in large folios of page cache or shmem")
    if not memory.mthp_complete:
        words.append("not all was looked at")
    return "; ".join(words)


def identity(process: ProcessEntry) -> str:
    """What is known of a process beside its name: user, application, what is in it, allocator, CPU use, cgroup."""
    application = process.application
    known = (
        ("user", process.user),
        ("application", application and _application(application)),
        ("with", ", ".join(filter(None, (_component(one) for one in process.components)))),
        ("allocator", process.allocator),
        ("runtime", process.runtime),
        ("CPUs", process.cpu_cores is not None and f"{process.cpu_cores:.2f}"),
        ("cgroup", process.cgroup),
    )
    return ", ".join(f"{name} {value}" for name, value in known if value)


def evidence_line(reason: Reason) -> str:
    """What a rule read, in one line; texts that its message holds already are left out."""
    told = ((name, evidence(name, value)) for name, value in reason.evidence.items())
    return ", ".join(f"{name} {said}" for name, said in told if len(said) < LONG_TEXT or said not in reason.message)


def evidence(name: str, value: Evidence) -> str:
    """A feature's value in words; the unit is in the feature's name."""
    if value is None:
        return UNKNOWN
    if isinstance(value, bool | str):
        return str(value).lower() if isinstance(value, bool) else value
    if name.endswith("_bytes") and isinstance(value, int):
        return human_bytes(value)
    return count(value) if isinstance(value, int) else f"{value:.3g}"


def is_change(process: ProcessEntry) -> bool:
    """Whether something should be done for this process."""
    return process.recommendation.changes


def page_tables(process: ProcessEntry) -> str:
    """Its page tables now, and as estimated with the plan carried out where that differs."""
    now, after = process.memory.page_table_bytes, process.recommendation.page_table_bytes_after
    return human_bytes(now) if after in (None, now) else f"{human_bytes(now)} (with the plan {human_bytes(after)})"


def source_words(report: Report) -> str:
    """Where the observations come from: live, 3 samples over 2 s. Unescaped: a capture has any name."""
    source = report.source
    kinds = {"live": "live", "profile": "saved profile", "tree": "captured tree"}
    if source.origin is not None:
        return f"import of {source.origin}"
    return f"{kinds[source.kind]}, {plural(source.samples, 'sample')} over {duration(source.duration_s)}"


def cost_words(report: Report) -> str:
    """What observing cost, in one sentence."""
    cost = report.source.cost
    words = f"{cost.cpu_s:.3f} s of CPU in {cost.wall_s:.2f} s of reading"
    if cost.share_of_one_cpu is not None:
        words += f", {cost.share_of_one_cpu * 100:.2f} % of one CPU"
        if cost.budget_share is not None:
            words += f" (budget {cost.budget_share * 100:.2g} %)"
    if cost.deferred:
        words += f"; {plural(cost.deferred, 'read')} put off"
    return words


def skipped_words(skipped: Sequence[SkippedProcess]) -> str:
    """How many processes were not observed, by reason, the most frequent first."""
    reasons = Counter(process.reason for process in skipped).most_common()
    return ", ".join(f"{count(number)} {reason}" for reason, number in reasons)
