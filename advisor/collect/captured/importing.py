"""The door: a capture in, a profile of one sample out."""

from __future__ import annotations

import math
import os
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

from msgspec.structs import replace

from advisor.collect.captured.recognise import is_capture
from advisor.collect.captured.staging import Limits, Staged, staged
from advisor.collect.captured.streams import CaptureError
from advisor.collect.captured.told import PsLine, name_of, parse_hostname, parse_ps, parse_uname
from advisor.collect.options import SamplerOptions
from advisor.collect.sampler import Sampler
from advisor.collect.session import make_header
from advisor.procfs.fs import KernelFs
from advisor.profile.model import Capture, HostFacts, ProcessFacts, ProcessRecord, Profile, Sample
from advisor.profile.redact import redact_command_line
from advisor.profile.redact_sample import redacted_profile

__all__ = ["CaptureError", "Limits", "is_capture", "profile_of_capture"]

T = TypeVar("T")

READ_DEADLINE_S = 60.0
"""For one file of the copy, on a disk of this machine: nothing in it can hang, it may only be large."""


def profile_of_capture(path: Path, *, redact: bool = True, limits: Limits | None = None) -> Profile:
    """The profile of a sosreport, a captured tree, an archive of one, or a smem capture. Raises CaptureError.

    redact: secrets out of command lines, and folders out of the header's origin. What the capture lacks is None.
    """
    with staged(path, limits or Limits()) as capture:
        fs = KernelFs(str(capture.procfs), str(capture.sysfs))
        sampler = Sampler(
            fs, SamplerOptions(complete_first=True, deadline_s=READ_DEADLINE_S, longest_walk_s=math.inf)
        )
        sample = _with_told(sampler.tick(), capture)
        header = make_header(sampler, redacted=redact, origin=_origin(path, redact=redact))
        facts = _host_told(sampler.host_facts, capture)
    if not (sample.processes or sample.host.meminfo):
        raise CaptureError(f"{path}: neither a process nor meminfo in it can be read; use an undamaged copy")
    header = replace(header, host=facts, interval_s=None, capture=Capture(capture.form, capture.cut, capture.links))
    profile = Profile(header, [sample])
    return redacted_profile(profile) if redact else profile


def _origin(path: Path, *, redact: bool) -> str:
    """The name of the capture; folders above it may name customers and tickets."""
    return redact_command_line([path.resolve().name])[0] if redact else str(path)


def _with_told(sample: Sample, capture: Staged) -> Sample:
    """The sample at the time of the capture, with what ps knew of its processes and no path of the copy."""
    shown = next(filter(None, (_told(capture, f"process/{name}", parse_ps) for name in _ps_names(capture))), {})
    copy = str(capture.procfs.parent)
    return replace(
        sample,
        wall_time=capture.modified or sample.wall_time,
        processes=[_process_told(record, shown.get(record.pid)) for record in sample.processes],
        skipped=[replace(one, detail=one.detail and one.detail.replace(copy, "")) for one in sample.skipped],
    )


def _process_told(record: ProcessRecord, shown: PsLine | None) -> ProcessRecord:
    facts = record.facts or ProcessFacts(name="")
    arguments = facts.command_line or (shown.arguments if shown else None)
    user = facts.user or (shown.user if shown and not shown.user.endswith("+") else None)
    name = facts.name or name_of(arguments or [])
    return replace(record, facts=replace(facts, name=name, command_line=arguments, user=user))


def _host_told(facts: HostFacts, capture: Staged) -> HostFacts:
    uname = _told(capture, "kernel/uname_-a", parse_uname)
    names = (_told(capture, f"{plugin}/hostname", parse_hostname) for plugin in ("host", "general", "hostname"))
    return replace(
        facts,
        hostname=facts.hostname or next(filter(None, names), None) or (uname.hostname if uname else None),
        kernel=facts.kernel or (uname.release if uname else None),
        arch=facts.arch or (uname.machine if uname else None),
    )


def _ps_names(capture: Staged) -> list[str]:
    """What ps printed, the longest name first: more w letters cut less."""
    try:
        names = os.listdir(capture.commands / "process")
    except OSError:
        return []
    return sorted(names, key=lambda name: (-name.count("w"), name))


def _told(capture: Staged, name: str, parser: Callable[[bytes], T | None]) -> T | None:
    try:
        return parser((capture.commands / name).read_bytes())
    except OSError:
        return None
