"""The command `trial --pid`: what it says and refuses, and with which exit code. Nothing is collapsed here."""

from __future__ import annotations

import json
import os
from typing import Any

import numpy as np
import pytest

from advisor.cli import trial_live as command
from advisor.cli.errors import CommandError, ExitCode
from advisor.cli.trial_live import LiveRequest
from advisor.trial import live_prepare
from advisor.trial.dose import choose_slots
from advisor.trial.live_document import Ended, LiveMetric, Memory
from advisor.trial.live_prepare import LiveRefusedError, Prepared
from tests.trial.test_live_text import trial

SLOT = 2 << 20


def asking(**changes: Any) -> LiveRequest:
    return LiveRequest(**{"roots": ("/proc", "/sys"), "pid": os.getpid(), **changes})


@pytest.fixture
def prepared(monkeypatch: pytest.MonkeyPatch) -> Prepared:
    """What looking at the process is made to find: eight slots, half of them shared since a fork."""
    full = np.full(8, SLOT, np.int64)
    choice = choose_slots(np.arange(8, dtype=np.int64) * SLOT, full, SLOT, 0, 0, 4 * SLOT)
    made = Prepared(os.getpid(), "own\x1b[2J", choice, (0.5, 1.0), Memory(1, 0, 1), 1)
    monkeypatch.setattr(live_prepare, "prepare", lambda *_: made)
    return made


def refusal(request: LiveRequest) -> CommandError:
    with pytest.raises(CommandError) as caught:
        command.run(request, None, width=80)
    return caught.value


def test_what_it_is_refused_for_is_escaped(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: Any) -> None:
        raise LiveRefusedError("memory would get tight in fs/cgroup/evil\x1b[2J\n: 1 MiB left")

    monkeypatch.setattr(live_prepare, "prepare", refuse)
    error = refusal(asking(assume_yes=True))
    assert error.code == ExitCode.FAILED
    assert error.message == r"memory would get tight in fs/cgroup/evil\x1b[2J\n: 1 MiB left"


def test_growth_counts_what_is_copied(prepared: Prepared) -> None:
    assert prepared.asked_bytes == 8 * SLOT
    assert (prepared.missing_bytes(), prepared.copied_bytes()) == (0, 4 * SLOT)
    assert prepared.copied_bytes(0.5, 1.0) == 2 * SLOT


@pytest.mark.usefixtures("prepared")
def test_without_a_yes_the_plan_is_told_and_nothing_done(capsys: pytest.CaptureFixture[str]) -> None:
    error = refusal(asking(windows=20, window_s=2.0))
    assert (error.code, error.message) == (ExitCode.USAGE, "nothing was changed; pass --yes to go ahead")
    plan = capsys.readouterr().err
    assert "16 MiB of process" in plan and "measures for 2 min" in plan
    assert "Up to 8 MiB more are taken" in plan and "the process that it started not" in plan
    assert "\x1b" not in plan


@pytest.mark.usefixtures("prepared")
def test_a_metric_that_does_not_work_is_told_before() -> None:
    error = refusal(asking(assume_yes=True, metric_command="printf 'no\\033[2J' >&2; exit 7"))
    assert (error.code, error.message) == (ExitCode.USAGE, r"--metric-cmd exit code 7: no\x1b[2J")


@pytest.mark.parametrize(
    ("ended", "code"),
    [("interrupted", ExitCode.INTERRUPTED), ("gone", ExitCode.TARGET), ("tight-memory", ExitCode.FAILED)],
)
@pytest.mark.usefixtures("prepared")
def test_what_was_measured_is_printed_however_it_ended(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], ended: Ended, code: ExitCode
) -> None:
    secret = LiveMetric("ask --password=hunter2", "rate", "higher")
    monkeypatch.setattr(command, "measure", lambda *_: trial(ended=ended, metric=secret))
    error = refusal(asking(assume_yes=True, format_name="json"))
    assert error.code == code
    printed = json.loads(capsys.readouterr().out)
    assert printed["ended"] == ended
    assert "hunter2" not in printed["metric"]["command"]


def test_a_pid_beyond_all_pids_is_gone() -> None:
    assert refusal(asking(pid=(1 << 32) + os.getpid(), assume_yes=True)).code == ExitCode.TARGET
