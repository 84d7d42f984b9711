"""The plan in the text report: the sums, who gets what by which means, and the texts that do it by title."""

from __future__ import annotations

from collections.abc import Sequence

from advisor.render import plan_words
from advisor.render.escape import visible
from advisor.render.numbers import plural
from advisor.render.page import Page, style_of
from advisor.report.plan import HostPlan, PlanTenant

MOST_TENANTS = 12
"""Tenants that are shown. Source: own choice. Reason: a screen; JSON has all."""


def write_plan(page: Page, plan: HostPlan) -> None:
    """The plan's arithmetic, the tenants that it changes something for, and the texts by title."""
    page.heading("Plan")
    for line in plan.arithmetic:
        page.hanging("· ", visible(line))
    _write_tenants(page, plan.tenants)
    _write_risks(page, plan)
    if not plan.artefacts:
        return
    page.heading("To apply, in this order")
    for number, artefact in enumerate(plan.artefacts, 1):
        where = f" -> {visible(artefact.path)}" if artefact.path else ""
        reboot = " (needs a reboot)" if artefact.needs_reboot else ""
        page.hanging(f"{number}. ", visible(artefact.title), (where, "dim"), (reboot, "yellow"))
    page.hanging("", ("The texts and how to undo them: plan; as files with a script: plan -o DIR.", "dim"))


def _write_tenants(page: Page, tenants: Sequence[PlanTenant]) -> None:
    """Who gets its own by which means, and who loses what; who has it already is only counted."""
    told = [one for one in tenants if plan_words.is_told(one)]
    if not told:
        return
    page.heading("Who gets what")
    for one in told[:MOST_TENANTS]:
        lead = "· " if one.met and one.loses is None else "! "
        loses = f" Loses: {visible(one.loses)}" if one.loses else ""
        who, what = visible(plan_words.tenant(one)), plan_words.gets(one)
        page.hanging(lead, f"{who}: ", (what, "bold"), f". {visible(one.how)}", (loses, "yellow"))
    rest = len(told) - MOST_TENANTS
    if rest > 0:
        page.line((f"and {plural(rest, 'more', 'more')} (--json lists all)", "dim"))
    have = sum(len(one.pids) for one in tenants if not plan_words.is_told(one))
    if have:
        page.line((f"and {plural(have, 'process has', 'processes have')} what is needed already", "dim"))


def _write_risks(page: Page, plan: HostPlan) -> None:
    """Risks with what to do about them, limits of cgroups that may change, and what guests should do inside."""
    if plan.risks:
        page.heading("Before you apply it")
        for risk in plan.risks:
            page.hanging("! ", (visible(risk.message), style_of(risk.severity)), (f" {visible(risk.remedy)}", "dim"))
    offers = [limit for limit in plan.cgroups if not limit.required]
    if offers:
        page.heading("Limits that may be lowered")
        for limit in offers:
            page.hanging("· ", f"{visible(plan_words.cgroup_limit(limit))}. ", (visible(limit.reason), "dim"))
    if plan.guests:
        page.heading("Virtual machines")
        for guest in plan.guests:
            page.hanging("· ", f"{visible(plan_words.guest(guest))}. ", (visible(guest.inside), "dim"))
