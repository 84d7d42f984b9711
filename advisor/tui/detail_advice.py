"""What to do with one process, and the reasons: the tab Advice, and the two lines above all tabs."""

from __future__ import annotations

from rich.console import Group, RenderableType
from rich.text import Text

from advisor.render import plan_words, words
from advisor.render.numbers import count, human_bytes, percent, plural
from advisor.report.plan import HostPlan, PlanTenant
from advisor.report.process import ProcessEntry
from advisor.report.reasons import Reason
from advisor.tui.ink import Ink

DECIDERS = {"rules": "rules", "model": "the model", "both": "rules and the model", "user": "you"}
"""Who decided."""

MARK = 12
"""Columns of the mark before a reason, the gap not counted. Reason: the longest is "cannot tell"."""


def title(ink: Ink, process: ProcessEntry) -> RenderableType:
    """Who it is, how large, what it is on, what to do; then what is known of it. Lines are cut, never wrapped."""
    advice = process.recommendation
    coverage = process.memory.huge_coverage
    huge = "" if coverage is None else f", {percent(coverage)} huge"
    who = ink.join(
        (process.name, "strong"),
        (f"  pid {process.pid}", "muted"),
        f"  {human_bytes(words.resident_bytes(process))}{huge}, {words.state(process)} -> ",
        (words.advice(advice), "strong" if advice.changes else ""),
    )
    about = ink.text(words.identity(process), "muted")
    for line in (who, about):
        line.no_wrap, line.overflow = True, "ellipsis"
    return Group(who, about)


def advice(ink: Ink, process: ProcessEntry, plan: HostPlan) -> RenderableType:
    """The decision in its parts, what the plan does for it, then the reasons, the deciding one first."""
    parts: list[RenderableType] = [ink.heading("Decision"), _decision(ink, process)]
    if given := _in_plan(ink, process, plan):
        parts += ["", ink.heading("In the plan"), *given]
    parts += ["", ink.heading("Reasons")]
    reasons = process.recommendation.reasons
    for place, reason in enumerate(reasons):
        parts += [_reason(ink, reason, decides=place == 0), ""]
    if not reasons:
        parts.append(ink.text("no reason given", "muted"))
    return Group(*parts)


def _decision(ink: Ink, process: ProcessEntry) -> RenderableType:
    advice = process.recommendation
    forecast = process.bloat_forecast
    pages = None
    if advice.pages is not None:
        basis = f", from {advice.pages_basis}" if advice.pages_basis else ""
        pages = f"{plural(advice.pages, 'page')} of {human_bytes(advice.page_bytes)}{basis}"
    return ink.facts(
        [
            ("advice", ink.text(words.advice(advice), "strong" if advice.changes else "")),
            ("now", words.state(process) if advice.changes else f"{words.state(process)}: nothing to change"),
            ("pages", pages),
            ("gain", words.gain(advice.expected_gain)),
            ("confidence", f"{advice.confidence}, decided by {DECIDERS.get(advice.decided_by, advice.decided_by)}"),
            ("overridden", advice.override_reason),
            ("memory", words.bloat(advice)),
            ("forecast", words.bloat_forecast(forecast) if forecast is not None else None),
            ("page tables", words.page_tables(process)),
            ("larger pages", advice.gigantic_verdict),
        ]
    )


def _in_plan(ink: Ink, process: ProcessEntry, plan: HostPlan) -> list[RenderableType]:
    tenants = [tenant for tenant in plan.tenants if process.pid in tenant.pids]
    pools = [pool for pool in plan.pools if process.pid in pool.for_pids]
    guests = [guest for guest in plan.guests if guest.pid == process.pid]
    lines: list[RenderableType] = [_tenant(ink, tenant) for tenant in tenants]
    for pool in pools:
        node = "" if pool.node is None else f" on node {pool.node}"
        others = len(pool.for_pids) - 1
        shared = f", for this and {plural(others, 'other process', 'other processes')}" if others else ""
        when = "at boot" if pool.when == "boot" else "now"
        size = f"Pool of {human_bytes(pool.page_bytes)} pages{node}"
        lines.append(ink.text(f"{size}: {count(pool.current_pages)} -> {count(pool.pages)} pages {when}{shared}."))
    lines += [ink.text(f"{plan_words.guest(guest)}. {guest.inside}") for guest in guests]
    limits = [limit for limit in plan.cgroups if process.pid in limit.for_pids]
    lines += [ink.text(f"{plan_words.cgroup_limit(limit)}. {limit.reason}") for limit in limits]
    return lines


def _tenant(ink: Ink, tenant: PlanTenant) -> Text:
    others = len(tenant.pids) - 1
    alike = f" (with {plural(others, 'process', 'processes')} alike)" if others else ""
    restart = " In force after a restart." if tenant.restart else ""
    loses = f" Loses: {tenant.loses}" if tenant.loses else ""
    needs = ("Needs ", "") if tenant.met else ("Not met: needs ", "medium")
    return ink.join(needs, (plan_words.gets(tenant), "strong"), f"{alike}. {tenant.how}{restart}", (loses, "medium"))


def _reason(ink: Ink, reason: Reason, *, decides: bool) -> RenderableType:
    """The message after what is at stake, in words and colour; then evidence, remedy and where the claim is from."""
    unsure = reason.status == "cannot-tell"
    mark = ink.text("cannot tell" if unsure else reason.severity, "muted" if unsure else reason.severity)
    lines = [ink.text(reason.message, "strong" if decides else "")]
    sure = f", {reason.confidence} confidence" if reason.confidence else ""
    if evidence := words.evidence_line(reason):
        lines.append(ink.join(("read: ", "muted"), evidence))
    if reason.remedy:
        lines.append(ink.join(("help: ", "muted"), reason.remedy))
    lines.append(ink.text(f"rule: {reason.rule}{sure}", "muted"))
    lines += [ink.text(f"from: {source}", "muted") for source in reason.sources]
    return ink.hanging(mark, *lines, width=MARK)
