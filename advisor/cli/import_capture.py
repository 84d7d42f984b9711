"""`import`: a capture that somebody has, as a profile."""

from __future__ import annotations

from pathlib import Path

from advisor.cli.errors import CommandError, ExitCode
from advisor.cli.output import check_output
from advisor.cli.record import check_name
from advisor.cli.talk import say
from advisor.collect.captured.importing import profile_of_capture
from advisor.profile.codec import ProfileError, ProfileWriter


def run(path: Path, output: Path, *, redact: bool) -> None:
    """Write the profile, and say what it holds. Raises CommandError."""
    check_name(output)
    check_output(output)
    try:
        profile = profile_of_capture(path, redact=redact)
    except ProfileError as error:
        raise CommandError(str(error), ExitCode.UNUSABLE) from error
    with ProfileWriter(output, whole=True) as writer:
        writer.write_header(profile.header)
        writer.write_sample(profile.samples[0], redact=redact)
    processes = profile.samples[0].processes
    mapped = sum(record.maps is not None for record in processes)
    form = profile.header.capture.form if profile.header.capture else "capture"
    say(f"{output}: {form}, {len(processes)} processes, smaps of {mapped}")
