"""`explain`: the documentation of a rule, a feature, an application, a policy or a kind of text."""

from __future__ import annotations

import difflib
from collections.abc import Iterator, Mapping

import click

from advisor.artefacts.kinds import KINDS, explain_kind
from advisor.cli.errors import CommandError, ExitCode
from advisor.cli.explain_application import explain_application
from advisor.features import FEATURES, Feature
from advisor.knowledge.applications import Application, load_applications
from advisor.rules import RULES, Policy, explain_rule

POLICIES = {
    Policy.LEAVE: "Change nothing: what the process has is right, or nothing better can be said of it.",
    Policy.THP: "Transparent huge pages: the kernel backs aligned ranges of anonymous memory with PMD-size pages, at "
    "the fault or later through khugepaged. Needs no pool and no change to the program where it asks for them "
    "(madvise) or the host's mode is always.",
    Policy.THP_OFF: "No transparent huge pages for this process: they would cost memory or latency and bring no "
    "gain. Set per service (systemd MemoryTHP=, prctl(PR_SET_THP_DISABLE)), not for the host.",
    Policy.HUGETLB: "Pages from an explicit pool, reserved for those who ask for them by name: never swapped, never "
    "split, sure to be there or refused at start. The pool is lost to everybody else, and the program must be "
    "told to use it.",
}


def run(name: str | None) -> None:
    """Print what is known under a name, or the list of all names. Raises CommandError for an unknown name."""
    applications = load_applications()
    if name is None:
        click.echo(list_of_names(applications))
        return
    found = list(explanations(name, applications))
    if not found:
        known = [*RULES, *FEATURES, *applications, *Policy, *KINDS]
        close = difflib.get_close_matches(name, known, n=3)
        hint = f"; did you mean {', '.join(close)}?" if close else "; `explain` alone lists all names"
        raise CommandError(f"nothing is called {name!r}{hint}", ExitCode.USAGE)
    click.echo("\n\n".join(found))


def explanations(name: str, applications: Mapping[str, Application]) -> Iterator[str]:
    """What is known under this name; an application and the kind of text for it may share one."""
    if name in RULES:
        yield explain_rule(name)
    if name in FEATURES:
        yield explain_feature(FEATURES[name])
    if name in applications:
        yield explain_application(applications[name])
    if name in list(Policy):
        yield f"policy {name}\n\n{POLICIES[Policy(name)]}"
    if name in KINDS:
        yield explain_kind(name)


def list_of_names(applications: Mapping[str, Application]) -> str:
    """Every name with its one-line meaning, by kind."""
    blocks = {
        "policies": {policy.value: POLICIES[policy].partition(":")[0] for policy in Policy},
        "rules": {rule.id: rule.title for rule in RULES.values()},
        "features": {feature.name: feature.unit for feature in FEATURES.values()},
        "kinds of text": {word: kind.name for word, kind in KINDS.items()},
        "applications": {entry.id: entry.name for entry in applications.values() if not entry.part},
        "libraries, allocators, collectors": {entry.id: entry.name for entry in applications.values() if entry.part},
    }
    lines: list[str] = []
    for title, names in blocks.items():
        width = max(map(len, names))
        lines += [f"{title} ({len(names)})", *(f"  {name:{width}}  {words}" for name, words in names.items()), ""]
    return "\n".join(lines).rstrip()


def explain_feature(feature: Feature) -> str:
    """The declaration of a column of the feature table."""
    return "\n".join(
        (
            f"feature {feature.name}",
            "",
            f"meaning     {feature.meaning}",
            f"unit        {feature.unit}",
            f"type        {feature.dtype}",
            f"scope       {feature.scope}",
            f"source      {feature.source}",
            f"null means  {feature.null_meaning}",
        )
    )
