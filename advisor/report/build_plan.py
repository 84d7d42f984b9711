"""The plan's part of a report, from the host plan and what is advised to each process."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

import msgspec

from advisor.recommendation import Plan
from advisor.report.plan import (
    Artefact,
    HostPlan,
    PlanAsked,
    PlanCgroup,
    PlanGuest,
    PlanMemory,
    PlanPageTables,
    PlanPool,
    PlanRisk,
    PlanTenant,
    PlanThp,
)
from advisor.report.process import ProcessEntry

POLICY_ORDER = ("hugetlb", "thp", "thp-off")
"""The policies that are a change, in the order of the summary, and how they read in it."""

POLICY_WORDS = {"hugetlb": "hugetlb", "thp": "THP", "thp-off": "THP off"}


def build_plan(plan: Plan, processes: Sequence[ProcessEntry]) -> HostPlan:
    """The plan's structs have the contract's names. `summary` is a sentence, the plan's lines are the arithmetic."""
    return HostPlan(
        summary=_summary(plan, processes),
        thp=msgspec.convert(plan.thp, PlanThp, from_attributes=True),
        pools=[msgspec.convert(pool, PlanPool, from_attributes=True) for pool in plan.pools],
        memory=msgspec.convert(plan.memory, PlanMemory, from_attributes=True),
        page_table_bytes=msgspec.convert(plan.page_table_bytes, PlanPageTables, from_attributes=True),
        artefacts=[msgspec.convert(artefact, Artefact, from_attributes=True) for artefact in plan.artefacts],
        arithmetic=list(plan.summary),
        tenants=[msgspec.convert(tenant, PlanTenant, from_attributes=True) for tenant in plan.tenants],
        risks=[msgspec.convert(risk, PlanRisk, from_attributes=True) for risk in plan.risks],
        cgroups=[msgspec.convert(limit, PlanCgroup, from_attributes=True) for limit in plan.cgroups],
        guests=[msgspec.convert(guest, PlanGuest, from_attributes=True) for guest in plan.guests],
        asked_for=[msgspec.convert(asked, PlanAsked, from_attributes=True) for asked in plan.asked_for],
        thp_growth_bytes=plan.thp_growth_bytes,
    )


def _summary(plan: Plan, processes: Sequence[ProcessEntry]) -> str:
    """How many processes should change to what, and what changes on the host; where somebody asked for it, that it is
    no advice."""
    asked = any(one.granted for one in plan.asked_for)
    verb = "would" if asked else "should"
    advice = [process.recommendation for process in processes]
    counts: Counter[str] = Counter(advised.policy for advised in advice if advised.changes)
    changes = ", ".join(f"{counts[policy]} to {POLICY_WORDS[policy]}" for policy in POLICY_ORDER if counts[policy])
    total = len(processes)
    if not total:
        return "Nothing is advised, as no process was seen."
    if changes:
        sentence = f"{counts.total()} of {plural(total)} {verb} change: {changes}."
    else:
        sentence = f"Nothing {verb} change for any of {plural(total)}."
    sentence = f"As asked for, not as advised: {sentence[0].lower()}{sentence[1:]}" if asked else sentence
    switches = ", ".join(plan.thp.changed)
    pools = sum(pool.pages != pool.current_pages for pool in plan.pools)
    parts = [f"set {switches} of THP"] if switches else []
    parts += [f"resize {pools} hugetlb pool{'s' if pools > 1 else ''}"] if pools else []
    return f"{sentence} On the host: {' and '.join(parts)}." if parts else sentence


def plural(processes: int) -> str:
    return f"{processes} {'process' if processes == 1 else 'processes'}"
