"""Where memory ends, one line says so and what was gathered is kept."""

from __future__ import annotations

from pathlib import Path
from unittest import mock

from advisor.cli import main
from advisor.collect.sampler import Sampler
from advisor.profile.codec import load_profile
from advisor.profile.model import Sample
from tests.in_process import advisor


def test_a_recording_keeps_the_samples_that_it_has(tmp_path: Path) -> None:
    path, tick = tmp_path / "p.jsonl", Sampler.tick
    ticks = iter((tick, tick))

    def third_fails(sampler: Sampler) -> Sample:
        for real in ticks:
            return real(sampler)
        raise MemoryError

    with mock.patch.object(Sampler, "tick", third_fails):
        done = advisor("record", "-o", str(path), "--duration", "120", "--interval", "0.05")
    assert done.returncode == 1
    assert (
        done.stderr == "hugepage-advisor: there is not enough memory for this; what was written until now is kept\n"
    )
    assert len(load_profile(path).samples) == 2


def test_a_library_that_cannot_be_mapped_is_one_line() -> None:
    why = "libpolars.so: failed to map segment from shared object"
    with mock.patch.object(main.cli, "main", side_effect=ImportError(f"advice in many lines\n\n{why}\n")):
        done = advisor("report")
    assert done.returncode == 1
    assert done.stderr == f"hugepage-advisor: a library could not be loaded: {why}\n"
