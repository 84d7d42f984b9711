"""A report without secrets in what names its processes: for one that somebody else has made, with nothing hidden."""

from __future__ import annotations

from msgspec.structs import replace

from advisor.profile.redact import redact_command_line, redact_name
from advisor.report.document import Report
from advisor.report.process import ProcessEntry


def redacted_names(report: Report) -> Report:
    """Names, paths, cgroups and command lines. Texts in it quote none of them but in what is to be pasted."""
    return replace(report, processes=[_process(process) for process in report.processes])


def _process(process: ProcessEntry) -> ProcessEntry:
    return replace(
        process,
        name=redact_name(process.name),
        cgroup=process.cgroup and redact_name(process.cgroup),
        executable=process.executable and redact_name(process.executable),
        command_line=process.command_line and redact_command_line(process.command_line),
    )
