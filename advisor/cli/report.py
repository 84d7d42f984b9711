"""`report`: observe or load, advise, render."""

from __future__ import annotations

import threading
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import nullcontext
from dataclasses import dataclass
from pathlib import Path

import click
from msgspec.structs import replace

from advisor.advise import NO_MODEL, advise
from advisor.cli.errors import NO_PROC, CommandError, ExitCode
from advisor.cli.output import Look, check_output, look_of, write_output
from advisor.cli.talk import say
from advisor.collect.captured.importing import is_capture, profile_of_capture
from advisor.collect.khugepaged_trace import COST as TRACE_COST
from advisor.collect.options import SamplerOptions
from advisor.collect.probes import PROBES, UnknownProbeError, check_names
from advisor.collect.sampler import Sampler
from advisor.collect.session import iterate_samples, listening, make_header, nothing_seen, with_probes
from advisor.interrupts import stop_when_interrupted
from advisor.predictor import ModelError, Predictor, load_predictor
from advisor.procfs.fs import KernelFs
from advisor.profile.codec import ProfileError, load_profile
from advisor.profile.model import Profile
from advisor.profile.redact_sample import redacted_profile
from advisor.recommendation import Wish, Wishes
from advisor.report.document import Report, SourceKind
from advisor.rules import Policy


@dataclass(frozen=True)
class Request:
    """What was asked. roots: (procfs, sysfs). format_name: text | json | markdown | html. probes: of the named
    processes. wanted: pid, policy, page bytes. trace: listen to khugepaged meanwhile. wanted_thp: the host's mode.
    wanted_pools: page bytes, pages in all. check: the exit code says what the report does.
    """

    roots: tuple[str, str]
    pids: tuple[int, ...]
    duration_s: float
    interval_s: float | None
    format_name: str
    redact: bool
    probes: tuple[str, ...] = ()
    wanted: tuple[tuple[int, str, int | None], ...] = ()
    trace: bool = False
    wanted_thp: str | None = None
    wanted_pools: tuple[tuple[int, int], ...] = ()
    check: bool = False

    @property
    def wishes(self) -> Wishes:
        policies = {pid: Wish(Policy(policy), page_bytes) for pid, policy, page_bytes in self.wanted}
        return Wishes(policies, self.wanted_thp, dict(self.wanted_pools))


def run(request: Request, profile_path: Path | None, output: Path | None, *, width: int) -> ExitCode:
    """Raises CommandError with a documented exit code. Interrupted while it watches, it reports what was seen."""
    check_output(output)
    with nullcontext(threading.Event()) if profile_path else stop_when_interrupted() as stop:
        report = make(request, profile_path, stop)
    write_output(render(report, request, width, look_of(output)), output)
    if stop.is_set():
        return ExitCode.INTERRUPTED
    return verdict(report) if request.check else ExitCode.DONE


def verdict(report: Report) -> ExitCode:
    """What the report comes to: whether anything should change, on the host or for a process, or cannot be told."""
    advice = [process.recommendation for process in report.processes]
    if report.plan.artefacts or any(one.changes for one in advice):
        return ExitCode.CHANGE_ADVISED
    told = all(one.reasons[0].status == "matched" for one in advice if one.reasons)
    return ExitCode.DONE if told else ExitCode.ABSTAINED


def make(request: Request, profile_path: Path | None, stop: threading.Event | None = None) -> Report:
    """The report of this host, or of a saved profile. stop: ends watching. Raises CommandError."""
    loading: list[Future[tuple[Predictor | None, str]]] = []
    with ThreadPoolExecutor(max_workers=1) as beside:
        if profile_path is None:
            # Importing scikit-learn takes a second of CPU: between two samples, where it disturbs neither.
            stop = stop or threading.Event()
            profile = observe_host(request, lambda: loading.append(beside.submit(model_for_advice)), stop)
        else:
            profile = load(profile_path, redact=request.redact)
        check_targets(profile, (*request.pids, *request.wishes.policies))
        predictor, why_none = loading[0].result() if loading else model_for_advice()
    kind: SourceKind | None = "profile" if profile_path else None
    report = advise(
        only_pids(profile, request.pids),
        redact=request.redact,
        kind=kind,
        predictor=predictor,
        without_model=why_none,
        wishes=request.wishes,
    )
    check_granted(report)
    return report


def check_granted(report: Report) -> None:
    """A mode or a pool that the host cannot have is a wrong command line; of a process, the report says it."""
    for asked in report.plan.asked_for:
        if asked.kind != "policy" and not asked.granted:
            raise CommandError(f"{asked.what}: {asked.note}", ExitCode.USAGE)


def probes_of(names: str, pids: tuple[int, ...], profile_path: Path | None) -> tuple[str, ...]:
    """The probes that are asked for; says what each will cost. Raises UsageError."""
    if not pids or profile_path is not None:
        raise click.UsageError("--probe disturbs a running process: name it with --pid")
    try:
        wanted = check_names(name.strip() for name in names.split(","))
    except UnknownProbeError as error:
        raise click.UsageError(str(error)) from error
    for name in wanted:
        say(f"probe {name}: {PROBES[name]}")
    return wanted


def check_trace(profile_path: Path | None) -> None:
    """Says what listening costs. Raises UsageError."""
    if profile_path is not None:
        raise click.UsageError("--trace listens to this host's kernel; a saved profile has what was heard then")
    say(f"trace: {TRACE_COST}")


def observe_host(request: Request, after_first: Callable[[], object], stop: threading.Event) -> Profile:
    """Samples of the live host, or the one sample of a captured tree. after_first: called once one has been taken.

    stop: ends it with one more sample, so that there are rates of the time until then.
    """
    fs = KernelFs(*request.roots)
    options = SamplerOptions(
        pids=frozenset(request.pids) or None,
        complete_first=True,
        look_at_memory=True,
        interval_s=request.interval_s or max(request.duration_s, 0.05),
    )
    sampler = Sampler(fs, options)
    samples = []
    with listening(fs) if request.trace else nullcontext() as heard:
        for sample in iterate_samples(sampler, request.duration_s, stop):
            samples.append(sample)
            if len(samples) == 1:
                after_first()
        if stop.is_set():
            samples.append(sampler.tick())
            say(f"hugepage-advisor: interrupted after {samples[-1].t_s:.0f} s: a report of what was seen until then")
        if heard is not None:
            samples[-1] = heard(sampler, samples[-1])
    if request.probes:
        samples[-1] = with_probes(sampler, samples[-1], request.probes, request.pids)
    if nothing_seen(samples):
        raise CommandError(f"{fs.procfs}: {NO_PROC}", ExitCode.UNUSABLE)
    profile = Profile(make_header(sampler, redacted=request.redact), samples)
    return redacted_profile(profile) if request.redact else profile


def model_for_advice() -> tuple[Predictor | None, str]:
    """The shipped model, or why there is none: a report does not fail for want of a model."""
    try:
        predictor = load_predictor()
    except ModelError as error:
        say(f"hugepage-advisor: {error}; going on with rules alone")
        return None, "the model cannot be used"
    return predictor, NO_MODEL


def load(path: Path, *, redact: bool = True) -> Profile:
    """A saved profile, or a capture imported on the way. Raises CommandError."""
    try:
        if path.is_dir() or is_capture(path):
            return profile_of_capture(path, redact=redact)
        profile = load_profile(path)
    except ProfileError as error:
        raise CommandError(str(error), ExitCode.UNUSABLE) from error
    # Also where it says that it was redacted: an older version knew fewer secrets.
    return redacted_profile(profile) if redact else profile


def check_targets(profile: Profile, pids: tuple[int, ...]) -> None:
    """A process asked for by number must be there and readable: exit code 3 says that it is not."""
    seen = {record.pid: record for sample in profile.samples for record in sample.processes}
    gone = {pid for sample in profile.samples for pid, _ in sample.gone}
    for pid in pids:
        record = seen.get(pid)
        if record is None or pid in gone:
            raise CommandError(f"process {pid} is gone or was never there", ExitCode.TARGET)
        if record.problems and record.problems.get("smaps") == "denied":
            raise CommandError(
                f"process {pid}: its memory map may not be read; run as its owner or with CAP_SYS_PTRACE",
                ExitCode.TARGET,
            )


def only_pids(profile: Profile, pids: tuple[int, ...]) -> Profile:
    """The profile without other processes; the whole profile where none is named."""
    if not pids:
        return profile
    samples = [
        replace(sample, processes=[record for record in sample.processes if record.pid in pids])
        for sample in profile.samples
    ]
    return replace(profile, samples=samples)


def render(made: Report, request: Request, width: int, look: Look) -> str:
    """The report in the format asked for; details of each process where processes were named."""
    if request.format_name == "json":
        from advisor.render.json import render_json

        return render_json(made)
    if request.format_name == "markdown":
        from advisor.render.markdown import render_markdown

        return render_markdown(made)
    if request.format_name == "html":
        from advisor.render.html import render_html

        return render_html(made)
    from advisor.render.text import render_text

    return render_text(made, width=width, **look, details=bool(request.pids))
