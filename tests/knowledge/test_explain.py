"""`explain` of an application: everything that is known, readable, with sources and what is not verified."""

from __future__ import annotations

import pytest

from advisor.cli.explain_application import WIDTH, explain_application
from advisor.knowledge.applications import Application, load_applications

APPLICATIONS = list(load_applications().values())


def page_of(entry: Application) -> str:
    return " ".join(explain_application(entry).split())


@pytest.mark.parametrize("entry", APPLICATIONS, ids=lambda entry: entry.id)
def test_everything_that_is_known_is_on_the_page(entry: Application) -> None:
    page = page_of(entry)
    said = [entry.name, entry.explicit_memory, entry.pool_size, entry.if_pool_short, entry.pool_refusal, entry.notes]
    said += [*entry.executables, *entry.libraries, *entry.symbols, *entry.settings_2m, *entry.settings_1g]
    for word in entry.thp:
        said += [word.stance, word.says, word.where, word.date, *word.settings]
    for source in entry.sources:
        said += [source.where, source.claim, source.date]
    for text in said:
        assert text is None or " ".join(text.split()) in page


@pytest.mark.parametrize("entry", APPLICATIONS, ids=lambda entry: entry.id)
def test_hypotheses_are_marked_as_many_times_as_there_are(entry: Application) -> None:
    hypotheses = [source for source in (*entry.sources, *entry.thp) if not source.verified]
    assert explain_application(entry).count("not verified)") == len(hypotheses)


@pytest.mark.parametrize("entry", APPLICATIONS, ids=lambda entry: entry.id)
def test_only_settings_are_wider_than_the_page(entry: Application) -> None:
    settings = [*entry.settings_2m, *entry.settings_1g, *(one for word in entry.thp for one in word.settings)]
    for line in explain_application(entry).splitlines():
        assert len(line) <= WIDTH or any(line.endswith(setting) for setting in settings)
