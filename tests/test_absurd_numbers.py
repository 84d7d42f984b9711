"""A profile in which one number is one that no machine has: it is damaged, or there is a report of the rest."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec
import pytest

from advisor.advise import advise
from advisor.profile.codec import load_profile
from advisor.profile.model import Profile
from advisor.render.json import render_json
from advisor.render.text import render_text

PROFILE = Path(__file__).resolve().parents[1] / "sample_profiles" / "qemu-hugetlb.jsonl.zst"


def numbers(value: Any, place: tuple[str, ...] = ()) -> Iterator[tuple[tuple[str, ...], Any, Any]]:
    """Each with its place, of which all of a list are one, and what holds it under which key."""
    items = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, item in items:
        below = (*place, key if isinstance(key, str) else "*")
        if isinstance(item, (int, float)) and not isinstance(item, bool):
            yield below, value, key
        else:
            yield from numbers(item, below)


@pytest.mark.parametrize("number", [(1 << 63) - 1, -(1 << 63), 0])
def test_a_number_of_no_machine_ends_in_a_report_or_in_damage(number: int) -> None:
    profile = load_profile(PROFILE)
    few = [msgspec.structs.replace(one, processes=one.processes[:1]) for one in profile.samples[:1]]
    plain = msgspec.to_builtins(Profile(profile.header, few))
    places = {place: (holder, key) for place, holder, key in numbers(plain)}
    for holder, key in places.values():
        before = holder[key]
        holder[key] = type(before)(number)
        try:
            changed = msgspec.convert(plain, Profile)
        except msgspec.ValidationError:
            continue
        finally:
            holder[key] = before
        report = advise(changed, kind="profile")
        assert render_text(report, details=True) and render_json(report)
