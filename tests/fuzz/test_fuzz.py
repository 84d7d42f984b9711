"""A bounded part of what `python -m tests.fuzz` does, each time the same; and that it finds what it is for."""

from __future__ import annotations

import random
import time
from pathlib import Path

import pytest

from tests.fuzz.alone import scratch_folder
from tests.fuzz.files import target_names, target_of
from tests.fuzz.mutate import MOST_BYTES, mutated
from tests.fuzz.run import Target, harm_of, inputs_of, run

INPUTS = 300
"""Of each target. Source: own choice. Reason: all of them take some ten seconds."""

SLOW_INPUTS = {"capture_archive": 40, "capture_file": 40, "model_facts": 60, "model_forests": 25, "data_set": 60}
"""Of those that take milliseconds each."""

SEED = 7


@pytest.mark.parametrize("name", target_names())
def test_mutated_input_does_no_harm(name: str) -> None:
    with scratch_folder() as scratch:
        target = target_of(name, scratch)
        tally = run(target, inputs_of(target, SLOW_INPUTS.get(name, INPUTS), SEED))
    assert [(harm.what, harm.detail) for harm in tally.harm] == []


def test_what_goes_wrong_is_found_and_kept(tmp_path: Path) -> None:
    def harmful(data: bytes) -> object:
        if data == b"crash":
            raise KeyError("x")
        if data == b"hang":
            deadline = time.process_time() + 1.2
            while time.process_time() < deadline:
                pass
        if data == b"refused":
            raise ValueError("as it should")
        return bytearray(210 << 20) if data == b"memory" else data

    Path("/proc/self/clear_refs").write_text("5")  # the peak of other tests in this process is none of this one's
    target = Target("harmful", harmful, (ValueError,), [b"sound"])
    tally = run(target, [b"crash", b"refused", b"sound", b"memory", b"hang"])
    assert [(harm.what, harm.data) for harm in tally.harm] == [
        ("crash", b"crash"),
        ("memory", b"memory"),
        ("hang", b"hang"),
    ]
    assert (tally.inputs, tally.sound) == (5, 3)
    assert tally.harm[0].keep(tmp_path).read_bytes() == b"crash"


def test_what_never_ends_is_ended(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tests.fuzz.run.ENDED_S", 1)

    def endless(_: bytes) -> object:
        while True:
            time.sleep(0.01)

    harm, sound = harm_of(Target("endless", endless, (Exception,), []), b"")
    assert harm is not None
    assert (harm.what, sound) == ("hang", False)


def test_inputs_are_the_same_each_time_bounded_and_mostly_changed() -> None:
    seeds = [b'{"a": 1}\n', b"MemTotal: 100 kB\n"]
    first, again = ([mutated(random.Random(n), seeds) for n in range(300)] for _ in range(2))
    assert first == again
    assert max(map(len, first)) <= MOST_BYTES
    assert len(set(first) - set(seeds)) > 200
