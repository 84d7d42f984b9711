"""A sampler run for some time: the samples of a report, of a recording, of a captured tree."""

from __future__ import annotations

import datetime
import math
import mmap
import threading
import time
from collections import Counter
from collections.abc import Callable, Collection, Iterator, Sequence
from contextlib import ExitStack, contextmanager

import msgspec

from advisor import __version__
from advisor.collect.khugepaged_trace import KhugepagedTrace
from advisor.collect.probes import Prober
from advisor.collect.refusals import Suspect, attribute
from advisor.collect.sampler import Sampler
from advisor.procfs.errors import KernelTextError
from advisor.procfs.fs import KernelFs
from advisor.procfs.khugepaged_trace import Look
from advisor.profile.model import PROFILE_SCHEMA, Header, ProcessRecord, Sample
from advisor.profile.pages import KhugepagedLooks
from advisor.profile.redact_sample import redacted_host


def iterate_samples(sampler: Sampler, duration_s: float | None, stop: threading.Event) -> Iterator[Sample]:
    """Samples at the sampler's pace until the duration is over (None: until `stop` is set). The first at once.

    The last sample falls on the end of the duration, so that two samples are the least for any duration above 0.
    A captured tree does not change and gives one. What this process does with a sample until it asks for the next is
    charged to the sampler's budget: a recording is compressed and written.
    """
    yield from _charged(sampler)
    if not sampler.fs.is_live or duration_s == 0:
        return
    while not stop.is_set():
        delay, left = sampler.delay_s(), math.inf
        if duration_s is not None:
            left = sampler.began_s + duration_s - sampler.clock()
        if stop.wait(max(min(delay, left), 0.0)):
            return
        yield from _charged(sampler)
        if left <= delay:
            return


def _charged(sampler: Sampler) -> Iterator[Sample]:
    sample, before_s = sampler.tick(), time.process_time()
    yield sample
    sampler.budget.charge_also(time.process_time() - before_s)


def nothing_seen(samples: Sequence[Sample]) -> bool:
    """Whether there was neither a process nor meminfo: what was looked at is no /proc."""
    return not any(sample.processes or sample.host.meminfo for sample in samples)


def probed_tick(sampler: Sampler, probes: Collection[str], pids: Sequence[int]) -> Sample:
    """One more sample, with the probes of these processes. Raises UnknownProbeError."""
    return with_probes(sampler, sampler.tick(), probes, pids)


def with_probes(sampler: Sampler, newest: Sample, probes: Collection[str], pids: Sequence[int]) -> Sample:
    """The sample just taken, with the probes of these processes. Raises UnknownProbeError."""
    facts = sampler.host_facts
    prober = Prober(sampler.fs, probes, sampler.pmd_bytes, facts.base_page_bytes or mmap.PAGESIZE)
    return prober.add_to(newest, pids)


@contextmanager
def listening(fs: KernelFs) -> Iterator[Callable[[Sampler, Sample], Sample]]:
    """Listens to khugepaged inside the block. Gives what adds to the newest sample what was heard until then, or, as
    the host's problem "tracefs", why nothing could be."""
    with ExitStack() as stack:
        problem: str | None = None
        try:
            trace = stack.enter_context(KhugepagedTrace(fs))
        except KernelTextError as error:
            problem = error.reason

        def add(sampler: Sampler, newest: Sample) -> Sample:
            why = problem
            if why is None:
                try:
                    return _with_looks(sampler, newest, *trace.finish())
                except KernelTextError as error:
                    why = error.reason
            return _with_host(newest, problems=newest.host.problems | {"tracefs": why})

        yield add


def _with_looks(sampler: Sampler, newest: Sample, looks: Sequence[Look], lost: int, seconds: float) -> Sample:
    """Each refusal with its process, where the frame of its page tells."""
    maps = sampler.newest_maps()
    refusals = attribute(sampler.fs, looks, [Suspect.of(pid, found) for (pid, _), found in maps.items()])
    records = {(record.pid, record.start_ticks): record for record in newest.processes}
    for identity in maps:
        if (refused := refusals.get(identity[0])) is not None:
            record = records.get(identity) or ProcessRecord(*identity)
            records[identity] = msgspec.structs.replace(record, refusals=refused)
    heard = KhugepagedLooks(
        seconds=round(seconds, 3),
        looks=dict(sorted(Counter(look.status for look in looks).items())),
        attributed=sum(refusal.times for found in refusals.values() for refusal in found),
        lost=lost,
    )
    newest = msgspec.structs.replace(newest, processes=[records[identity] for identity in sorted(records)])
    return _with_host(newest, khugepaged_looks=heard)


def _with_host(sample: Sample, **sections: object) -> Sample:
    host = msgspec.structs.replace(sample.host, **sections)
    return msgspec.structs.replace(sample, host=host)


def make_header(sampler: Sampler, *, redacted: bool, origin: str | None = None) -> Header:
    """The profile's header; of a captured tree only after its sample, which may tell the base page size."""
    live = sampler.fs.is_live
    return Header(
        schema=PROFILE_SCHEMA,
        tool_version=__version__,
        created_at=datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds"),
        source="live" if live else "tree",
        host=redacted_host(sampler.host_facts) if redacted else sampler.host_facts,
        interval_s=sampler.options.interval_s,
        budget_share=sampler.options.budget_share,
        privileged=sampler.privileged,
        redacted=redacted,
        origin=origin,
    )
