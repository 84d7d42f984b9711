"""A few of the moments of `python -m tests.killed`."""

from __future__ import annotations

import os
import random
from pathlib import Path

import pytest

from tests.killed.kill import COMMANDS, KNOBS, Killed, kill_once, seconds_of

pytestmark = pytest.mark.host

MOMENTS = {"record": 3, "score": 1, "trial": 2}


@pytest.mark.parametrize("command", COMMANDS, ids=lambda command: command.name)
def test_what_a_killed_command_leaves_is_in_order(command: Killed, tmp_path: Path) -> None:
    if os.geteuid() != 0 or not all(os.access(path, os.W_OK) for path in KNOBS):
        pytest.skip("the host's huge page settings cannot be changed here")
    rng = random.Random(command.name)  # the same moments each time
    (tmp_path / "whole").mkdir()
    whole_s = seconds_of(command, tmp_path / "whole")
    for number in range(MOMENTS[command.name]):
        folder = tmp_path / str(number)
        folder.mkdir()
        _, wrong = kill_once(command, folder, rng, whole_s)
        assert wrong == []
