"""`record`: samples to a file, each complete on disk before the next is taken."""

from __future__ import annotations

import time
from contextlib import nullcontext
from pathlib import Path

from advisor.allocator import use_one_heap
from advisor.cli.errors import NO_PROC, CommandError, ExitCode
from advisor.cli.privileges import WRITE_ANYWHERE, may_write_beside
from advisor.cli.talk import say, say_in_passing
from advisor.collect.options import DEFAULT_INTERVAL_S, SamplerOptions
from advisor.collect.sampler import Sampler
from advisor.collect.session import iterate_samples, make_header, nothing_seen
from advisor.interrupts import stop_when_interrupted
from advisor.privilege.capabilities import keep_only, raised
from advisor.privilege.huge_pages import leave_huge_pages
from advisor.privilege.needs import NEEDS, WATCHING
from advisor.procfs.fs import KernelFs
from advisor.profile.codec import SUFFIXES, ProfileWriter
from advisor.render.numbers import plural

DISPLACED = "another file has taken its name, or it was removed; what was recorded until then is lost"


def run(
    roots: tuple[str, str],
    output: Path,
    duration_s: float | None,
    interval_s: float | None,
    pids: tuple[int, ...],
    *,
    redact: bool,
) -> None:
    """Record until the duration is over or a signal asks to stop, after the sample in progress; then say what was
    written and what it cost. Raises CommandError."""
    check_name(output)
    leave_huge_pages()
    use_one_heap()
    options = SamplerOptions(
        pids=frozenset(pids) or None,
        complete_first=False,
        spent_before_s=time.process_time(),
        interval_s=interval_s or DEFAULT_INTERVAL_S,
    )
    written, kept = 0, (*WATCHING, *NEEDS["frames"].least)
    try:
        with stop_when_interrupted() as stop, ProfileWriter(output) as writer:
            keep_only(kept, idle=() if may_write_beside(output) else WRITE_ANYWHERE)
            sampler = Sampler(KernelFs(*roots), options)
            for sample in iterate_samples(sampler, duration_s, stop):
                if not written:
                    if nothing_seen([sample]):
                        raise CommandError(f"{roots[0]}: {NO_PROC}", ExitCode.UNUSABLE)
                    writer.write_header(make_header(sampler, redacted=redact))
                # With the first sample the file takes its place.
                with nullcontext() if written else raised(*WRITE_ANYWHERE):
                    writer.write_sample(sample, redact=redact)
                if not written:
                    keep_only(kept)
                written += 1
                if not writer.is_in_place:
                    raise CommandError(f"{output}: {DISPLACED}", ExitCode.FAILED)
                report_progress(written, sampler)
    except OSError as error:
        rest = f"; {plural(written, 'sample')} until then are kept" if written else ""
        raise CommandError(f"{output}: {error.strerror}{rest}", ExitCode.FAILED) from error
    share = sampler.budget.share_spent()
    cost = "" if share is None else f", {share:.2%} of one CPU"
    say(f"{output}: {written} samples, {output.stat().st_size} bytes{cost}")


def check_name(output: Path) -> None:
    """The name says how a profile is compressed. Raises CommandError."""
    if not output.name.endswith(SUFFIXES):
        raise CommandError(f"{output}: the name must end in {', '.join(SUFFIXES)}", ExitCode.USAGE)


def report_progress(samples: int, sampler: Sampler) -> None:
    """A line that rewrites itself."""
    say_in_passing(f"{samples} samples, {sampler.clock() - sampler.began_s:.0f} s ")
