"""What an imported capture lacks: files that were not in it, said once, with what would bring them."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from advisor.profile.model import Header
from advisor.profile.timeline import ProcessState, Timeline
from advisor.report.document import Limitation

NAMED_FILES = 8
"""Host-wide files named in one message. Source: own choice. Reason: captures lack a handful or nearly all."""

PROCESS_FILES: tuple[tuple[str, Callable[[ProcessState], bool]], ...] = (
    ("smaps", lambda process: process.maps is None and process.rollup is None),
    ("status", lambda process: process.status is None),
    ("stat", lambda process: process.stat is None),
    ("cmdline", lambda process: process.facts is None or process.facts.command_line is None),
    ("exe", lambda process: process.facts is None or process.facts.executable is None),
    ("cgroup", lambda process: process.facts is None or process.facts.cgroup is None),
)
"""Files of a process that advice uses, and whether one is without it."""

SYSFS_FOLDERS = ("kernel/", "devices/", "fs/")
"""Beginnings of the names of host-wide problems that lie below /sys; others lie below /proc."""

REMEDIES = {
    "sosreport": "Run `sos report -k process.smaps=on`, which takes smaps, or record a profile on the host.",
    "smem": "smem takes smaps, cmdline and stat of processes, and meminfo. Record a profile on the host.",
}
"""What brings more, by the form of the capture."""

USUAL_REMEDY = "Take these files too, or record a profile on the host."


def capture_limitations(header: Header, timeline: Timeline) -> Iterator[Limitation]:
    """Of a captured tree; nothing of other profiles."""
    if header.source != "tree":
        return
    capture = header.capture
    lacks = [*_of_processes(timeline), *_of_host(timeline)]
    if lacks:
        remedy = REMEDIES.get(capture.form, USUAL_REMEDY) if capture else USUAL_REMEDY
        yield Limitation(
            "capture-lacks",
            f"The capture lacks {'; '.join(lacks)}. What rests on them is unknown.",
            remedy if any(text.startswith("smaps") for text in lacks) or not capture else USUAL_REMEDY,
        )
    if any(_is_from_ps(process) for process in timeline.processes.values()):
        yield Limitation(
            "command-lines-from-ps",
            "Command lines are what ps printed: an argument with a blank in it counts as several.",
            None,
        )
    if capture is not None and capture.cut:
        yield Limitation(
            "capture-cut", "The archive ends too early: processes and files after that place are missing.", None
        )
    if capture is not None and capture.links:
        yield Limitation(
            "capture-links",
            f"{capture.links} of its files were links or devices, which are not followed.",
            "Make the archive with the files themselves (tar -h, cp -L).",
        )


def _of_processes(timeline: Timeline) -> Iterator[str]:
    number = len(timeline.processes)
    for name, lacks in PROCESS_FILES:
        without = sum(lacks(process) for process in timeline.processes.values())
        if without:
            whose = f"all {number}" if without == number > 1 else f"{without} of {number}"
            yield f"{name} of {whose} process{'' if number == 1 else 'es'}"


def _of_host(timeline: Timeline) -> Iterator[str]:
    problems = timeline.host_last.problems
    names = [_path(name) for name, reason in problems.items() if reason == "missing"]
    if names:
        more = f" and {len(names) - NAMED_FILES} more" if len(names) > NAMED_FILES else ""
        yield ", ".join(names[:NAMED_FILES]) + more


def _path(name: str) -> str:
    return f"/sys/{name}" if name.startswith(SYSFS_FOLDERS) else f"/proc/{name}"


def _is_from_ps(process: ProcessState) -> bool:
    known = process.facts is not None and process.facts.command_line is not None
    return known and "cmdline" in (process.problems or {})
