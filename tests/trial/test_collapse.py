"""The kernel's answers to process_madvise, as outcomes; the real call is tried in the host tests."""

from __future__ import annotations

import ctypes
import errno
import os
import threading
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from advisor.trial.collapse import FAILURES, SLOTS_A_CALL, CollapseError, Outcome, Target

SLOT = 2 << 20


class FakeKernel(Target):
    """Answers for each slot from a table of errnos (0: collapsed), as process_madvise does for a list of ranges."""

    def __init__(self, answers: list[list[int]]) -> None:
        self.pid = 42
        self.pidfd = -1
        self._answers = answers
        self.calls: list[int] = []

    def _advise(self, starts: list[int], slot_bytes: int) -> int:  # type: ignore[override]
        self.calls.append(len(starts))
        done = 0
        for start in starts:
            answers = self._answers[start // SLOT]
            answer = answers.pop(0) if len(answers) > 1 else answers[0]
            if answer:
                if done == 0:
                    ctypes.set_errno(answer)
                    return -1
                answers.insert(0, answer)
                return done
            done += slot_bytes
        return done


def collapse(answers: list[list[int]]) -> tuple[Outcome, FakeKernel]:
    kernel = FakeKernel(answers)
    return kernel.collapse([index * SLOT for index in range(len(answers))], SLOT), kernel


def test_all_collapsed_in_bounded_calls() -> None:
    outcome, kernel = collapse([[0]] * (2 * SLOTS_A_CALL + 3))
    assert outcome.collapsed == list(range(2 * SLOTS_A_CALL + 3))
    assert outcome.failures == {}
    assert kernel.calls == [SLOTS_A_CALL, SLOTS_A_CALL, 3]


def test_a_slot_that_fails_is_passed_over_and_named() -> None:
    outcome, _ = collapse([[0], [errno.EINVAL], [0], [errno.ENOMEM], [errno.ENOMEM]])
    assert outcome.collapsed == [0, 2]
    assert outcome.failures == {"EINVAL": 1, "ENOMEM": 2}


def test_again_is_tried_once_more() -> None:
    outcome, _ = collapse([[errno.EAGAIN, 0], [0], [errno.EAGAIN]])
    assert outcome.collapsed == [0, 1]
    assert outcome.failures == {"EAGAIN": 1}


def test_a_process_that_exits_ends_it() -> None:
    with pytest.raises(CollapseError, match="exited") as caught:
        collapse([[0], [errno.ESRCH]])
    assert caught.value.reason == "gone"


@given(st.lists(st.sampled_from([0, errno.ENOMEM, errno.EBUSY, errno.EINVAL, errno.EAGAIN]), max_size=60))
def test_every_slot_is_accounted_for(answers: list[int]) -> None:
    outcome, _ = collapse([[answer] for answer in answers])
    assert outcome.collapsed == [place for place, answer in enumerate(answers) if answer == 0]
    assert sum(outcome.failures.values()) == sum(answer != 0 for answer in answers)
    assert set(outcome.failures) <= set(FAILURES)


def test_outcomes_join() -> None:
    first, later = Outcome([0], {"ENOMEM": 1}, 1.0, 0.5), Outcome([1, 2], {"ENOMEM": 1, "EBUSY": 1}, 2.0, 0.5)
    first.add(later, 10)
    assert first == Outcome([0, 11, 12], {"ENOMEM": 2, "EBUSY": 1}, 3.0, 1.0)


def test_a_number_that_no_process_can_have_is_no_other_process() -> None:
    """Cut to 32 bits it would be this very process."""
    with pytest.raises(CollapseError) as caught:
        Target((1 << 32) + os.getpid())
    assert caught.value.reason == "gone"


def test_a_thread_is_not_a_process() -> None:
    stay = threading.Event()
    thread = threading.Thread(target=stay.wait)
    thread.start()
    try:
        with pytest.raises(CollapseError, match="thread of another"):
            Target(thread.native_id or 0)
    finally:
        stay.set()
        thread.join()


def test_a_process_that_was_never_there() -> None:
    highest = int(Path("/proc/sys/kernel/pid_max").read_text())
    try:
        os.kill(highest - 1, 0)
    except ProcessLookupError:
        with pytest.raises(CollapseError) as caught:
            Target(highest - 1)
        assert caught.value.reason == "gone"
