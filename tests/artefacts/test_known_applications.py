"""Every application of the table that can use a pool has a text for it, without a placeholder left unsaid."""

from __future__ import annotations

import pytest

from advisor.artefacts import application_settings, numbers_for
from advisor.artefacts.settings import PLACEHOLDER
from advisor.knowledge.applications import load_applications
from advisor.units import GIB

TABLE = load_applications()
SETTINGS = [
    (application.id, size, settings)
    for application in TABLE.values()
    for size, settings in (("2M", application.settings_2m), ("1G", application.settings_1g))
    if settings
]


@pytest.mark.parametrize(("application", "size", "settings"), SETTINGS, ids=[f"{a}-{s}" for a, s, _ in SETTINGS])
def test_settings_are_filled_in(application: str, size: str, settings: list[str]) -> None:
    page_bytes = GIB if size == "1G" else 2 << 20
    made = application_settings("x-1", application, "memory", settings, numbers_for(4 * GIB, page_bytes))
    code = "\n".join(line for line in made.text.splitlines() if not line.startswith("# "))
    left = {match[0] for match in PLACEHOLDER.finditer(code)}
    said = next((line for line in made.text.splitlines() if line.startswith("# Put in")), "")
    assert all(word in said for word in left)
    assert not left & {"SIZE", "0xBYTES", "MB", "PAGES", "N"}


def test_whoever_can_use_a_pool_is_told_how() -> None:
    silent = [one.id for one in TABLE.values() if one.explicit and not (one.settings_2m or one.settings_1g)]
    assert silent == []
