"""Whatever one file does, a command ends with what it could find out and says what it could not.

A part of the files for each way, another one for each; `python -m tests.faults` walks through all of them.
"""

from __future__ import annotations

import json
from collections.abc import Iterator

import pytest

from tests.faults.inject import WAYS
from tests.faults.walk import Ground, facts, ground, wrongs
from tests.fuzz.alone import scratch_folder

PART = 8
"""Every so many files one. Source: own choice. Reason: all of them take several minutes."""

GROUNDS = [("report", True), ("report", False), ("plan", True), ("import", False), ("trial", True), ("tui", True)]


@pytest.fixture(scope="module", params=GROUNDS, ids=lambda given: f"{given[0]}-{'live' if given[1] else 'tree'}")
def there(request: pytest.FixtureRequest) -> Iterator[Ground]:
    command, live = request.param
    with scratch_folder() as scratch:
        yield ground(scratch, command, live=live)


@pytest.mark.parametrize("way", WAYS)
def test_a_command_ends_well_on_a_host_of_which_one_file_fails(there: Ground, way: str) -> None:
    begin = (WAYS.index(way) + GROUNDS.index((there.command, there.live))) % PART
    assert list(wrongs(there, way, slice(begin, None, PART))) == []


def test_the_host_is_as_before_after_each_fault(there: Ground) -> None:
    after = there.run()
    assert after.returncode == 0
    if there.command == "report":
        assert facts(json.loads(after.stdout)) == facts(json.loads(there.sound.stdout))
