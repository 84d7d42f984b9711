"""Report as Markdown for a ticket: tables, the processes that matter with their evidence, the texts to paste."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

from advisor.render import host_words, plan_words, why_words, words
from advisor.render.escape import code, fenced, link, markdown
from advisor.render.languages import language_of
from advisor.render.numbers import UNKNOWN_SHORT, count, human_bytes, percent, plural
from advisor.render.probe_words import probe_lines
from advisor.render.select import Group, Selection, select
from advisor.report.document import Report
from advisor.report.host import Host
from advisor.report.plan import Artefact, HostPlan, PlanTenant
from advisor.report.process import ProcessEntry
from advisor.report.reasons import Reason

MOST_CHANGES = 40
"""Groups of processes to change in the table. Source: own choice. Reason: a ticket is read, JSON is processed."""

MOST_DETAILS = 10
"""Processes whose reasons are told in full. Source: own choice. Reason: as above."""


def render_markdown(report: Report) -> str:
    """GitHub-flavoured Markdown, ending in one newline. Names from processes stand in code spans or are escaped."""
    selection = select(report, MOST_CHANGES)
    blocks = [
        *_head(report),
        *_host(report.host),
        *_plan(report),
        *_processes(selection, report.totals.processes),
        *_details([group.leader for group in selection.groups][:MOST_DETAILS]),
        *_artefacts(report.plan.artefacts),
        *_limitations(report),
    ]
    return "\n\n".join(blocks) + "\n"


def _head(report: Report) -> Iterator[str]:
    yield f"# Huge pages on {code(report.host.hostname or 'unnamed host')}"
    yield f"**{markdown(report.plan.summary)}**"
    made = f"{markdown(report.tool.name)} {markdown(report.tool.version)}, {markdown(report.generated_at)}"
    yield f"Observed {markdown(words.source_words(report))}. Made by {made}."


def _host(host: Host) -> Iterator[str]:
    yield "## Host"
    rows = (
        ("Machine", host_words.machine_parts(host)),
        ("Memory", host_words.memory_parts(host)),
        ("THP", host_words.thp_parts(host)),
        *([("khugepaged", [why_words.listened(heard)])] if (heard := host.khugepaged.listened) is not None else ()),
        ("Pools", host_words.pool_parts(host)),
        ("TLB", host_words.tlb_parts(host)),
    )
    yield table(("", "Now"), [(label, markdown("; ".join(parts))) for label, parts in rows])
    if host.findings:
        yield _bullets(_finding(finding) for finding in host.findings)


def _finding(finding: Reason) -> str:
    remedy = f" {markdown(finding.remedy)}" if finding.remedy else ""
    return f"**{finding.severity}** {markdown(finding.message)}{remedy} ({code(finding.rule)})"


def _plan(report: Report) -> Iterator[str]:
    plan = report.plan
    yield "## Plan"
    yield _bullets(markdown(line) for line in plan.arithmetic)
    rows = [
        (f"THP {code(name)}", code(now), code(then)) for name, now, then in plan_words.thp_changes(report.host, plan)
    ]
    for pool in plan.pools:
        if pool.pages != pool.current_pages:
            size = f"{human_bytes(pool.page_bytes)} pool{'' if pool.node is None else f', node {pool.node}'}"
            when = "at boot" if pool.when == "boot" else "at run time"
            rows.append((f"{size}, pages", count(pool.current_pages, UNKNOWN_SHORT), f"{count(pool.pages)} ({when})"))
    rows += [
        (f"Memory {what}" if what != "page tables" else "Page tables", human_bytes(before), human_bytes(after))
        for what, before, after in plan_words.memory_changes(plan)
    ]
    if rows:
        yield table(("What", "Now", "Planned"), rows)
    yield from _tenants(plan.tenants)
    yield from _risks(plan)


def _risks(plan: HostPlan) -> Iterator[str]:
    """Risks with what to do about them, limits of cgroups, and what guests should do inside."""
    if plan.risks:
        yield "### Before you apply it"
        yield _bullets(
            f"**{risk.severity}** {markdown(risk.message)} {markdown(risk.remedy)} ({code(risk.id)})"
            for risk in plan.risks
        )
    if plan.cgroups:
        yield "### Limits of cgroups"
        yield _bullets(
            f"{markdown(plan_words.cgroup_limit(limit))}{' (needed)' if limit.required else ' (may be lowered)'}. "
            f"{markdown(limit.reason)}"
            for limit in plan.cgroups
        )
    if plan.guests:
        yield "### Virtual machines"
        yield _bullets(f"{markdown(plan_words.guest(guest))}. {markdown(guest.inside)}" for guest in plan.guests)


def _tenants(tenants: Sequence[PlanTenant]) -> Iterator[str]:
    """Who gets its own by which means, and who loses what."""
    told = [one for one in tenants if plan_words.is_told(one)]
    if not told:
        return
    yield "### Who gets what"
    rows = [
        (
            plan_words.named_pids(one),
            code(one.name) + (f" ({code(one.service)})" if one.service else ""),
            plan_words.gets(one) if one.met else f"**{plan_words.gets(one)}**",
            markdown(one.how) + (f" Loses: {markdown(one.loses)}" if one.loses else ""),
            ", ".join(map(code, one.artefacts)),
        )
        for one in told
    ]
    yield table(("PID", "Name", "Gets", "How", "To apply"), rows)


def _processes(selection: Selection, total: int) -> Iterator[str]:
    head = ("PID", "Name", "Memory", "Huge", "Now", "Advice", "Confidence", "Why")
    yield "## Processes"
    if selection.groups:
        yield table(head, [_row(group) for group in selection.groups])
    if selection.rest_changes:
        more = plural(selection.rest_changes, "more process", "more processes")
        yield f"And {more} that should change: see the JSON."
    if nothing := len(selection.rest) - selection.rest_changes:
        lead = "And " if selection.groups else ""
        yield f"{lead}{count(nothing)} of {count(total)} processes with nothing at stake."


def _row(group: Group) -> tuple[str, ...]:
    process, advice = group.leader, group.leader.recommendation
    alike = f" and {count(group.alike)} alike" if group.alike else ""
    return (
        str(process.pid),
        code(process.name) + alike,
        human_bytes(words.resident_bytes(process), UNKNOWN_SHORT),
        percent(process.memory.huge_coverage, UNKNOWN_SHORT),
        words.state(process),
        f"**{words.advice(advice)}**" if advice.changes else words.advice(advice),
        advice.confidence,
        markdown(advice.reasons[0].message) if advice.reasons else "",
    )


def _details(processes: Iterable[ProcessEntry]) -> Iterator[str]:
    for process in processes:
        advice = process.recommendation
        yield f"### {process.pid} {code(process.name)}: {words.advice(advice)}"
        yield _bullets(_about(process))
        yield table(
            ("Rule", "Severity", "Finding", "Evidence", "Sources"), [_reason(reason) for reason in advice.reasons]
        )
        if process.why_not_huge:
            rows = [
                (
                    markdown(why_words.title(base)),
                    why_words.amount(base),
                    why_words.vmas(base),
                    markdown(why_words.advice(base)),
                )
                for base in process.why_not_huge
            ]
            yield "Why its memory is not on huge pages:"
            yield table(("Reason", "Memory", "VMAs", "What would help"), rows)
        if advice.alternatives:
            yield "Not chosen:"
            yield _bullets(
                f"{words.policy(other)}: {markdown(other.why_not)}; cost: {', '.join(words.costs(other, process))}"
                for other in advice.alternatives
            )


def _about(process: ProcessEntry) -> Iterator[str]:
    advice, memory = process.recommendation, process.memory
    if process.command_line:
        yield f"Command: {code(' '.join(process.command_line))}"
    if known := words.identity(process):
        yield markdown(known)
    yield (
        f"Memory: RSS {human_bytes(memory.rss_bytes)}, anonymous {human_bytes(memory.anon_bytes)}, of it huge "
        f"{human_bytes(memory.anon_huge_bytes)}, hugetlb {human_bytes(memory.hugetlb_bytes)}, page tables "
        f"{words.page_tables(process)}, swap {human_bytes(memory.swap_bytes)}"
    )
    yield from map(markdown, probe_lines(process.probes))
    basis = f"; pages for {markdown(advice.pages_basis)}" if advice.pages_basis else ""
    yield f"Gain {words.gain(advice.expected_gain)}; {words.bloat(advice)}{basis}"
    if process.memory.mthp is not None:
        yield words.mthp(process.memory)
    if process.bloat_forecast is not None:
        yield words.bloat_forecast(process.bloat_forecast)
    if advice.gigantic_verdict:
        yield markdown(advice.gigantic_verdict)
    override = f": {markdown(advice.override_reason)}" if advice.override_reason else ""
    yield f"Decided by {advice.decided_by} with {advice.confidence} confidence{override}"
    if advice.artefacts:
        yield f"To apply: {', '.join(map(code, advice.artefacts))}"


def _reason(reason: Reason) -> tuple[str, ...]:
    evidence = words.evidence_line(reason)
    severity = reason.severity if reason.status == "matched" else "cannot tell"
    sources = "; ".join(map(link, reason.sources))
    asked = f" {markdown(reason.remedy)}" if reason.title is None and reason.remedy else ""  # no rule's page has it
    return code(reason.rule), severity, markdown(reason.message) + asked, markdown(evidence), sources


def _artefacts(artefacts: Sequence[Artefact]) -> Iterator[str]:
    if artefacts:
        yield "## To apply, in this order"
    for number, artefact in enumerate(artefacts, 1):
        reboot = " (needs a reboot)" if artefact.needs_reboot else ""
        yield f"### {number}. {markdown(artefact.title)}{reboot}"
        where = f", the content of {code(artefact.path)}" if artefact.path else ""
        yield f"{code(artefact.id)}{where}:"
        if artefact.warnings:
            yield _bullets(markdown(warning) for warning in artefact.warnings)
        yield fenced(artefact.text, language_of(artefact.kind))
        if artefact.undo:
            yield "To undo:"
            yield fenced(artefact.undo, "sh")


def _limitations(report: Report) -> Iterator[str]:
    yield "## What this report cannot tell"
    lines = [
        f"{markdown(limitation.message)}{' ' + markdown(limitation.remedy) if limitation.remedy else ''} "
        f"({code(limitation.id)})"
        for limitation in report.limitations
    ]
    if report.skipped:
        reasons = markdown(words.skipped_words(report.skipped))
        lines.append(f"{plural(len(report.skipped), 'process', 'processes')} not observed: {reasons}.")
    yield _bullets([*lines, f"Observing cost {words.cost_words(report)}."])


def table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """A table of cells that are Markdown already and hold no bare pipe."""
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join(f"| {' | '.join(cells)} |" for cells in lines)


def _bullets(items: Iterable[str]) -> str:
    return "\n".join(f"- {item}" for item in items)
