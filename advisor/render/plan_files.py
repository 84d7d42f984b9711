"""A plan as files: the texts in their order, a script that applies them, one that undoes it, a page to read first.

In: the report document. Out: names and contents; nothing is written here. The scripts do what the texts say and
nothing else; what is a person's business is listed, not done.
"""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator, Sequence
from typing import NamedTuple

import msgspec
from msgspec import Struct

from advisor.render.escape import visible
from advisor.render.plan_page import plan_page
from advisor.report.document import Report, without_surrogates
from advisor.report.plan import Artefact

FOLDER_SCHEMA = "hugepage-advisor/plan-folder/1"
"""Version of the folder. History: 1 = first. Tells an earlier plan's folder from anybody else's."""

INDEX_NAME = "plan.json"
"""The file that says what the folder is and which files belong to it."""

APPLY_NAME = "apply.sh"
"""The script that applies the plan."""

KEPT_NAME = "before"
"""Folder in which apply.sh keeps what it found, for undo.sh."""

SUFFIXES = {"libvirt": ".xml", "kubernetes": ".yaml"}
"""File name endings of excerpts, by kind; others are .txt, commands .sh, and files have the ending of their path."""

COMMAND_KINDS = frozenset({"shell", "kernel-command-line"})
"""Kinds whose text is shell commands where they have no path."""


class PlanFile(NamedTuple):
    """One file of the folder."""

    name: str
    text: str
    executable: bool = False


class FolderIndex(Struct, frozen=True):
    """Content of INDEX_NAME. files: all names in the folder, this one included."""

    schema: str
    generated_at: str
    hostname: str | None
    files: list[str]


class Step(NamedTuple):
    """One artefact in its place. key: its number as text; name: the file that holds its text."""

    key: str
    name: str
    artefact: Artefact

    @property
    def undo_name(self) -> str:
        """The file with the commands that undo commands."""
        return f"{self.name.removesuffix('.sh')}.undo.sh"

    @property
    def has_undo_file(self) -> bool:
        """Commands other than writes to kernel files, whose old values are kept instead."""
        return not self.artefact.by_hand and not self.artefact.path and not self.artefact.writes


def plan_files(report: Report) -> list[PlanFile]:
    """Every file of the folder, the index last."""
    steps = steps_of(report.plan.artefacts)
    files = [
        PlanFile("README.md", plan_page(report, [(step.key, step.name, step.artefact) for step in steps])),
        PlanFile(APPLY_NAME, apply_script(report, steps), executable=True),
        PlanFile("undo.sh", undo_script(report, steps), executable=True),
    ]
    for step in steps:
        files.append(PlanFile(step.name, step.artefact.text))
        if step.has_undo_file:
            files.append(PlanFile(step.undo_name, step.artefact.undo or ""))
    names = sorted([*(file.name for file in files), INDEX_NAME])
    index = FolderIndex(FOLDER_SCHEMA, report.generated_at, report.host.hostname, names)
    document = msgspec.json.encode(without_surrogates(msgspec.to_builtins(index)))
    return [*files, PlanFile(INDEX_NAME, msgspec.json.format(document, indent=2).decode() + "\n")]


def steps_of(artefacts: Sequence[Artefact]) -> list[Step]:
    """The artefacts with numbers in apply order and file names that are letters, digits, dots and hyphens."""
    width = max(2, len(str(len(artefacts))))
    keys = [f"{number:0{width}}" for number in range(1, len(artefacts) + 1)]
    return [Step(key, f"{key}-{_file_name(one)}", one) for key, one in zip(keys, artefacts, strict=True)]


def _file_name(artefact: Artefact) -> str:
    """The id, with the ending of the file it becomes or of what it is."""
    base = re.sub(r"[^A-Za-z0-9.-]+", "-", artefact.id).strip("-.")
    if artefact.path:
        return f"{base}.{artefact.path.rpartition('/')[2].rpartition('.')[2]}"
    if artefact.kind in COMMAND_KINDS and not artefact.by_hand:
        return f"{base}.sh"
    return f"{base}{SUFFIXES.get(artefact.kind, '.txt')}"


APPLY_HEAD = r"""set -eu
umask 022
cd "$(dirname "$0")"

fail() {
    echo "apply.sh: $*" >&2
    exit 1
}

say() {
    printf '%s\n' "$*"
}

# current FILE: the value of a kernel file; of a list of words the one in brackets.
current() {
    sed 's/.*\[\(.*\)\].*/\1/' "$1"
}

# remember KEY FILE: keeps the value of a kernel file as it was before the first run.
remember() {
    [ -e "$2" ] || fail "$2: this kernel has no such file; nothing was written to it"
    if [ ! -e "before/$1" ]; then
        current "$2" > "before/new"
        mv "before/new" "before/$1"
    fi
}

# put KEY TEXT FILE: keeps the file that was there before the first run, and puts the text in its place.
put() {
    [ ! -L "$3" ] || fail "$3: is a symbolic link; write the file it stands for by hand"
    folder=$(dirname "$3")
    if [ ! -e "before/$1" ] && [ ! -e "before/$1.absent" ]; then
        if [ -e "$3" ]; then
            cp -p "$3" "before/$1"
        else
            [ -d "$folder" ] || : > "before/$1.folder"
            : > "before/$1.absent"
        fi
    fi
    mkdir -p "$folder"
    cp "$2" "$3.new"
    chmod 644 "$3.new"
    mv "$3.new" "$3"
}

# granted FILE PAGES: stops where the kernel found less memory than was asked for.
granted() {
    got=$(cat "$1")
    [ "$got" -ge "$2" ] || fail "$1: asked for $2 pages, the kernel granted $got;" \
        "free memory or reserve them at boot, then run this again; ./undo.sh puts everything back"
}

[ "$(id -u)" = 0 ] || fail "must be run as root"
mkdir -p before
"""

UNDO_HEAD = r"""set -eu
cd "$(dirname "$0")"

fail() {
    echo "undo.sh: $*" >&2
    exit 1
}

say() {
    printf '%s\n' "$*"
}

was_put() {
    [ -e "before/$1" ] || [ -e "before/$1.absent" ]
}

# put_back KEY FILE: the file as it was before the first run of apply.sh, or none.
put_back() {
    if [ -e "before/$1" ]; then
        cp -p "before/$1" "$2.new"
        mv "$2.new" "$2"
    elif [ -e "before/$1.absent" ]; then
        rm -f "$2"
        if [ -e "before/$1.folder" ]; then
            rmdir "$(dirname "$2")" 2> /dev/null || :
        fi
    fi
}

# put_back_value KEY FILE: the value of a kernel file as it was.
put_back_value() {
    if [ -e "before/$1" ]; then
        cat "before/$1" > "$2"
    fi
}

[ "$(id -u)" = 0 ] || fail "must be run as root"
[ -d before ] || fail "apply.sh has not been run here: there is nothing to undo"
"""


def apply_script(report: Report, steps: Sequence[Step]) -> str:
    """The script that carries out, in order, what a script can do, and names the rest."""
    lines = [
        "#!/bin/sh",
        f"# {_made(report)}",
        "# Does the steps of README.md in their order and stops at the first that fails. What was there before",
        "# the first run is kept in before/, for undo.sh.",
        APPLY_HEAD,
    ]
    for step in steps:
        if not step.artefact.by_hand:
            lines += [*_apply(step), ""]
    lines += [*_closing(steps)]
    return "\n".join(lines) + "\n"


def undo_script(report: Report, steps: Sequence[Step]) -> str:
    """The script that puts back, in reverse order, what apply.sh found."""
    lines = [
        "#!/bin/sh",
        f"# {_made(report)}",
        "# Undoes what apply.sh did, last step first, as far as it came.",
        UNDO_HEAD,
    ]
    for step in reversed(steps):
        if not step.artefact.by_hand:
            lines += [*_undo(step), ""]
    lines += ["rm -r before", "say 'Undone.'"]
    if any(step.artefact.needs_reboot for step in steps):
        lines.append("say 'What the kernel command line reserves goes with the next reboot.'")
    lines += [f"say {shlex.quote(_restart_words(service))}" for service in _services(steps)]
    return "\n".join(lines) + "\n"


def _apply(step: Step) -> Iterator[str]:
    artefact = step.artefact
    yield f"say {shlex.quote(_title(step))}"
    yield from (f"say {shlex.quote(f'   note: {visible(warning)}')}" for warning in artefact.warnings)
    if artefact.path:
        yield f"put {step.key} {step.name} {shlex.quote(artefact.path)}"
        yield from artefact.after
        return
    for number, value in enumerate(artefact.writes, 1):
        yield f"remember {step.key}.{number} {shlex.quote(value.path)}"
    if step.has_undo_file:
        yield f": > before/{step.key}"
    yield f"sh -eu ./{step.name}"
    for value in artefact.writes:
        if value.at_least is not None:
            yield f"granted {shlex.quote(value.path)} {value.at_least}"


def _undo(step: Step) -> Iterator[str]:
    artefact = step.artefact
    yield f"say {shlex.quote(f'Undo {_title(step)}')}"
    if artefact.path:
        yield f"if was_put {step.key}; then"
        yield from (f"    {command} || :" for command in artefact.undo_before)
        yield f"    put_back {step.key} {shlex.quote(artefact.path)}"
        yield from (f"    {command}" for command in artefact.undo_after)
        yield "fi"
    elif step.has_undo_file:
        yield f"if [ -e before/{step.key} ]; then"
        yield f"    sh -eu ./{step.undo_name}"
        yield "fi"
    for number, value in reversed(list(enumerate(artefact.writes, 1))):
        yield f"put_back_value {step.key}.{number} {shlex.quote(value.path)}"


def _closing(steps: Sequence[Step]) -> Iterator[str]:
    """What is left to do, said at the end."""
    yield "say 'Done.'"
    if any(step.artefact.needs_reboot for step in steps):
        yield "say 'Reboot for what the kernel command line reserves.'"
    for service in _services(steps):
        yield f"say {shlex.quote(_restart_words(service))}"
    by_hand = [step for step in steps if step.artefact.by_hand]
    if by_hand:
        yield "say 'Left to you, see README.md:'"
    for step in by_hand:
        yield f"say {shlex.quote(f'  {step.name}: {visible(step.artefact.title)}')}"


def _services(steps: Sequence[Step]) -> list[str]:
    """Services that have to be restarted, each once, in order."""
    return list(dict.fromkeys(step.artefact.restart for step in steps if step.artefact.restart))


def _restart_words(service: str) -> str:
    return f"In force for a service after its restart, when that suits: systemctl restart {shlex.quote(service)}"


def _title(step: Step) -> str:
    return f"{int(step.key)}. {visible(step.artefact.title)}"


def _made(report: Report) -> str:
    host = visible(report.host.hostname or "an unnamed host")
    return f"Written by {report.tool.name} {report.tool.version} for {host}, {report.generated_at}."
