"""What a trial changes on the host, written down before it is done and undone whatever happens.

A journal is made with the first change, or by `begin`, so a trial that changes nothing needs no rights and disturbs
nobody; if that one is killed, its command runs on to its own end, as after any other parent. Only one trial at a time
holds the lock of the folder. What a killed trial left is put back by `restore_left_over`.
"""

from __future__ import annotations

import os
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any

from advisor.trial.document import Change
from advisor.trial.errors import BusyError, ContestedError, SettingError
from advisor.trial.groups import OTHER_PIDS, boot_id, end_groups, has_ended, sees_itself, start_ticks
from advisor.trial.knob import (
    ALLOWED_ROOTS,
    check_allowed,
    check_writable,
    current_value,
    is_ours,
    write_value,
)
from advisor.trial.put_back import put_back_all
from advisor.trial.record import Owner, Record, header, line_of, parse_journal
from advisor.trial.signals import undisturbed
from advisor.trial.state import (
    STATE_DIRECTORY,
    JournalFile,
    journal_name,
    journal_names,
    open_directory,
    owner_of,
    take_lock,
)

LOCK_WAIT_S = 1.0
"""Seconds to wait for a lock that no live trial holds: another command is restoring, which is a few writes."""

LOCK_POLL_S = 0.05


@dataclass(frozen=True)
class LeftOver:
    """One thing that a killed trial left, and what became of it. message: one line for stderr that names it."""

    path: str
    message: str
    restored: bool


class Journal:
    """Changes settings so that they can be put back; leaving the `with` block restores whatever happened inside.

    `changes`: all that was put back, or not, so far. `problems`: one line for each thing that could not be, or that
    somebody else has set meanwhile.
    """

    def __init__(self, directory: Path = STATE_DIRECTORY, *, roots: Sequence[Path] = ALLOWED_ROOTS) -> None:
        """`roots`: only files below these are changed."""
        self.changes: list[Change] = []
        self.problems: list[str] = []
        self._directory = directory
        self._roots = roots
        self._record = Record()
        self._pid = os.getpid()
        self._open: OpenJournal | None = None

    def __enter__(self) -> Journal:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.restore()

    def begin(self) -> None:
        """Take the lock and make the journal now, before the first change; again does nothing.

        Raises BusyError where another trial changes settings, SettingError where no journal can be made.
        """
        try:
            self._opened()
        except OSError as error:
            raise _not_written(self._directory, error) from error

    def change(self, path: Path, value: str, also: Sequence[Path] = ()) -> None:
        """Set `path` to `value`; nothing happens where it holds that already.

        The first value found is the one that `restore` puts back. What the kernel made of `value` is for the caller
        to read. `also`: settings that the kernel may change with this one; they are put back after it.
        Raises BusyError where another trial changes settings, ContestedError where somebody else has set it since
        this one did, SettingError where the setting or the journal cannot be written; the setting is then as it was.
        """
        check_allowed(path, self._roots)
        before = current_value(path)
        if self._is_theirs(path, before):
            raise ContestedError(f"{path}: is {before!r}, which the trial did not write; it is left as it is")
        if before == value:
            return
        check_writable(path)
        watched = [other for other in also if other.exists()]
        for other in watched:
            self._watch(other, current_value(other))
        with undisturbed():  # between writing down and looking again the record is ahead of the host
            self._note_change(path, before, value)
            try:
                write_value(path, value)
            finally:
                for changed in (path, *watched):
                    self._note_found(changed)

    def started(self, pid: int) -> None:
        """A process that leads its own group or session was started: it is to end before settings are put back.

        Raises SettingError where it cannot be written down.
        """
        ticks = start_ticks(pid)
        if ticks is not None:
            entry = {"started": pid, "start_ticks": ticks}
            if self._open is None:
                self._record.apply(entry)
            else:
                self._note(entry)

    def ended(self, pid: int) -> None:
        """The process was waited for. Not to be able to write that down does no harm: its start time tells."""
        if pid in self._record.groups:
            entry = {"ended": pid}
            self._record.apply(entry)
            if self._open is not None:
                with suppress(OSError):
                    self._open.file.append(line_of(entry))

    def restore(self) -> list[Change]:
        """End the noted groups, then put the settings back, last one first; each is read back.

        One that fails does not stop the others, and the journal then stays. The journal can be used again.
        Signals wait until it is done. A forked child does nothing: the changes are its parent's.
        """
        if os.getpid() != self._pid:
            return []
        with undisturbed():
            problems = [_would_not_end(pid) for pid in end_groups(self._record.groups)]
            self._record.groups.clear()
            outcomes = put_back_all(self._record, self._open.file if self._open else None, self._roots, is_told=True)
            problems += [one.message for one in outcomes if not one.change.restored]
            self.problems += [problem for problem in problems if problem not in self.problems]
            changes = [one.change for one in outcomes]
            tried = {one.path for one in changes}
            self.changes = [one for one in self.changes if one.restored or one.path not in tried] + changes
            if self._open is not None and not self._record.changes:
                self._open.remove()
                self._open = None
        return changes

    def _opened(self) -> OpenJournal:
        if self._open is None:
            self._open = OpenJournal(self._directory, self._record.groups)
        return self._open

    def _is_theirs(self, path: Path, found: str) -> bool:
        """Whether somebody else has set it since this trial did."""
        changed = self._record.changes.get(os.fspath(path))
        return changed is not None and not is_ours(path, found, changed.steps, is_told=True)

    def _watch(self, path: Path, found: str) -> None:
        """The kernel may change it next. Where somebody else has set it meanwhile, theirs is put back at the end."""
        if self._is_theirs(path, found):
            self.problems.append(f"{path}: somebody else has set {found!r} meanwhile; that is what will stay")
            self._note({"anew": os.fspath(path), "before": found})
        else:
            self._note_change(path, found, found)

    def _note_change(self, path: Path, before: str, during: str) -> None:
        self._note({"change": os.fspath(path), "before": before, "during": during})

    def _note_found(self, path: Path) -> None:
        """What the kernel made of a write, where that is not what was announced. This trial knows it even where it
        cannot be written down; who restores after a kill allows for either."""
        steps = self._record.changes[os.fspath(path)].steps
        with suppress(SettingError, ValueError):
            if (found := current_value(path)) != steps[-1]:
                entry = {"change": os.fspath(path), "before": steps[-1], "during": found}
                self._record.apply(entry)
                with suppress(OSError):
                    self._opened().file.append(line_of(entry))

    def _note(self, entry: dict[str, Any]) -> None:
        """Write the line to disk, making the journal first where there is none. Raises SettingError, BusyError."""
        try:
            Record().apply(entry)  # what could not be read again is not begun
            self._opened().file.append(line_of(entry))
            self._record.apply(entry)
        except ValueError as error:
            raise SettingError(f"{entry!a}: {error}") from error
        except OSError as error:
            raise _not_written(self._directory, error) from error


class OpenJournal:
    """The journal of this process on disk, with the lock of its folder."""

    def __init__(self, directory: Path, groups: dict[int, int]) -> None:
        """Starts with the owner and with `groups`, which run already. Raises OSError, SettingError, BusyError."""
        _check_pids()
        self._folder = open_directory(directory, create=True)
        try:
            self._lock = _wait_for_lock(self._folder)
            try:
                self.file = self._create(directory, groups)
            except BaseException:
                os.close(self._lock)
                raise
        except BaseException:
            os.close(self._folder)
            raise

    def _create(self, directory: Path, groups: dict[int, int]) -> JournalFile:
        left = journal_names(self._folder)
        if left:
            raise BusyError(
                f"{directory / left[0]}: a trial was killed and not all that it changed is put back; "
                "run `hugepage-advisor explain` as root, which restores, says what it cannot restore, and why; "
                "restore that by hand and remove the file"
            )
        owner = Owner(os.getpid(), start_ticks(os.getpid()) or 0, boot_id())
        file = JournalFile(self._folder, journal_name(owner.pid, owner.start_ticks), new=True)
        try:
            file.append(line_of(header(owner)))
            for pid, ticks in groups.items():
                file.append(line_of({"started": pid, "start_ticks": ticks}))
        except BaseException:
            file.remove()
            raise
        return file

    def remove(self) -> None:
        """Everything is put back: take the journal away and let others change settings."""
        self.file.remove()
        os.close(self._lock)
        os.close(self._folder)


def restore_left_over(directory: Path = STATE_DIRECTORY, *, roots: Sequence[Path] = ALLOWED_ROOTS) -> list[LeftOver]:
    """Undo what trials that were killed left. A trial that lives is never touched; the answer is then empty.

    Raises SettingError where the folder cannot be trusted or opened, or pids mean nothing; an absent one is the
    normal case.
    """
    try:
        folder = open_directory(directory, create=False)
    except FileNotFoundError:
        return []
    except OSError as error:
        raise _journal_error(directory, "the journals of trials cannot be read", error) from error
    try:
        names = journal_names(folder)
        if names:
            _check_pids()
        lock = take_lock(folder) if names else None
        if lock is None:
            return []
        try:
            with undisturbed():
                return [done for name in names for done in _restore_one(folder, name, roots)]
        finally:
            os.close(lock)
    except OSError as error:
        raise _journal_error(directory, "what a killed trial left cannot be put back", error) from error
    finally:
        os.close(folder)


def killed_trials(directory: Path = STATE_DIRECTORY) -> list[int]:
    """Pids of the trials that left a journal and run no longer, by the names in the folder: needs no rights.

    Raises OSError where the folder cannot be listed.
    """
    owners = [owner for name in journal_names(directory) if (owner := owner_of(name))]
    return [pid for pid, ticks in owners if has_ended(pid, ticks)]


def _restore_one(folder: int, name: str, roots: Sequence[Path]) -> list[LeftOver]:
    """One journal, with the lock held."""
    try:
        file = JournalFile(folder, name, new=False)
    except FileNotFoundError:  # another command has restored it meanwhile
        return []
    except (OSError, SettingError) as error:
        return [LeftOver(name, f"journal {name}: not used: {error}", restored=False)]
    record = parse_journal(file.read())
    if record.other_format is not None:
        file.close()
        why = f"{record.other_format}; run the version that wrote it, or restore by hand what it names and remove it"
        return [LeftOver(name, f"journal {name}: not used, and kept: {why}", restored=False)]
    owner = record.owner
    if owner is not None and owner.boot_id == boot_id() and start_ticks(owner.pid) == owner.start_ticks:
        file.close()
        return []
    if owner is not None and owner.boot_id != boot_id():
        file.remove()  # neither the settings nor the processes are those of that boot
        return []
    file.cut(record.whole_bytes)
    done = [LeftOver(name, f"journal {name}: damaged line, not acted on: {line}", False) for line in record.damaged]
    done += _end_left_over(record.groups)
    outcomes = put_back_all(record, file, roots, is_told=False)
    done += [LeftOver(one.change.path, one.message, one.change.restored) for one in outcomes]
    if record.changes:
        file.close()
    else:
        file.remove()
    return done


def _end_left_over(groups: Mapping[int, int]) -> list[LeftOver]:
    """End what the trial had started (pid -> start_ticks); what ran by itself to its end is not worth a word."""
    alive = [pid for pid, ticks in groups.items() if start_ticks(pid) == ticks]
    stuck = end_groups(groups)
    told = {pid: f"process {pid}: started by the trial, still ran, ended" for pid in alive}
    told |= {pid: _would_not_end(pid) for pid in stuck}
    return [LeftOver(f"process {pid}", message, pid not in stuck) for pid, message in told.items()]


def _check_pids() -> None:
    """A journal names processes, which are ended by their pids. Raises SettingError."""
    if not sees_itself():
        raise SettingError(OTHER_PIDS)


def _wait_for_lock(folder: int) -> int:
    """The lock's descriptor. Raises BusyError, at once where a live trial holds it."""
    deadline = time.monotonic() + LOCK_WAIT_S
    while (lock := take_lock(folder)) is None:
        owners = [owner for name in journal_names(folder) if (owner := owner_of(name))]
        live = [pid for pid, ticks in owners if start_ticks(pid) == ticks]
        if live or time.monotonic() >= deadline:
            who = f"process {live[0]}" if live else "another process"
            raise BusyError(f"a trial that changes settings of this host is running ({who}); start this one after it")
        time.sleep(LOCK_POLL_S)
    return lock


def _not_written(directory: Path, error: OSError) -> SettingError:
    return _journal_error(directory, "the journal cannot be written, so nothing is changed", error)


def _journal_error(directory: Path, what: str, error: OSError) -> SettingError:
    """One line about the folder of journals."""
    remedy = "; run as root" if isinstance(error, PermissionError) else ""
    return SettingError(f"{directory}: {what}: {error.strerror}{remedy}")


def _would_not_end(pid: int) -> str:
    return f"process {pid}: started by the trial, would not end"
