"""Pictures of the interface for the documentation: `python -m tests.make_pictures` writes them anew.

They show a sample profile, as of a moment of its own, so that they are the same whenever they are made.
"""

from __future__ import annotations

import asyncio
from pathlib import Path

from advisor.profile.codec import load_profile
from advisor.tui.app import AdvisorApp
from advisor.watch.adviser import Adviser
from advisor.watch.asked import Asked
from advisor.watch.frames import Tick
from advisor.watch.pulse import pulses_of
from tests.tui.fake import FakeSource, settled
from tests.tui.picture import still_picture

ROOT = Path(__file__).resolve().parents[1]
PROFILES = ROOT / "sample_profiles"

SIZE = 100, 30
"""Columns and lines of the pictures."""

PICTURES = {
    "docs/tui-main.svg": ("postgres-pool-too-small", ("b", "enter")),
    "docs/tui-detail.svg": ("numpy-gather-base-pages", ("enter",)),
}
"""File: the profile that it shows, and the keys that are pressed first. Reason: many processes that share memory,
with a pool that is too small; one that reads at random from memory on base pages, with a gain to be had."""


def pictures() -> dict[Path, str]:
    """The files and what is in them."""
    adviser = Adviser(True, "profile")
    adviser.load_model()
    return {ROOT / file: _picture(adviser, *shown) for file, shown in PICTURES.items()}


def _picture(adviser: Adviser, name: str, keys: tuple[str, ...]) -> str:
    """At the end of the recording, with the first process looked at from near, as it is in the detail."""
    asked = Asked()
    first = _tick(adviser, name, asked)
    asked.pid = first.report.processes[0].pid
    source = FakeSource(first.report, first.length)

    async def show() -> str:
        app = AdvisorApp(source)
        async with app.run_test(size=SIZE) as pilot:
            source.put(_tick(adviser, name, asked))
            await settled(source, pilot)
            await pilot.press(*keys)
            return await still_picture(app, pilot)

    return asyncio.run(show())


def _tick(adviser: Adviser, name: str, asked: Asked) -> Tick:
    profile = load_profile(PROFILES / f"{name}.jsonl.zst")
    length = len(profile.samples)
    pulses = pulses_of(profile.samples, profile.header.host.clock_ticks_per_s)
    return adviser.tick(profile, asked, length, length, pulses)


if __name__ == "__main__":
    for path, text in pictures().items():
        path.write_text(text)
        print(path.relative_to(ROOT))
