"""One command as a process group of ours: started under a policy, waited for, ended with everything it left.

Whatever happens, no process of it outlives the `with` block: not on an error here, not on a signal.
"""

from __future__ import annotations

import ctypes
import fcntl
import os
import re
import resource
import select
import signal
import subprocess
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from typing import Protocol

from advisor.privilege.huge_pages import PR_SET_THP_DISABLE
from advisor.procfs.fs import KernelFs
from advisor.trial.end_run import end_all
from advisor.trial.groups import look_at
from advisor.trial.output import Output
from advisor.trial.pidfd import open_pidfd
from advisor.trial.tree import ProcessTree

PR_SET_CHILD_SUBREAPER, PR_GET_CHILD_SUBREAPER = 36, 37
PR_GET_THP_DISABLE = 42
"""include/uapi/linux/prctl.h."""

THP_DISABLED = 1
"""What PR_GET_THP_DISABLE answers for no THP at all; 3 is 6.18's "except where advised", 0 the host's rule."""

PIPE_BYTES = 1 << 20
"""Room for output that comes while this process is busy; the usual 64 KiB would stop a chatty command sooner."""


class StartError(Exception):
    """The command could not be started, or not be timed: not found, not executable, no memory, an old kernel."""


class StoppedError(Exception):
    """A signal or the caller asked to stop while a command was running; the command has been ended."""


class ProcessJournal(Protocol):
    """Where a started process group is noted, so that the next command can end it if this one is killed."""

    def started(self, pid: int) -> None: ...

    def ended(self, pid: int) -> None: ...


class StopSignal:
    """Set by a signal handler, seen by poll(2) through `fileno`."""

    def __init__(self) -> None:
        self._read, self._write = os.pipe2(os.O_CLOEXEC | os.O_NONBLOCK)
        self.is_set = False

    def set(self) -> None:
        self.is_set = True
        with suppress(BlockingIOError):
            os.write(self._write, b"!")

    def fileno(self) -> int:
        return self._read

    def close(self) -> None:
        os.close(self._read)
        os.close(self._write)


class Command:
    """A running command. Times are seconds since it was started."""

    def __init__(
        self,
        arguments: Sequence[str],
        environment: Mapping[str, str],
        *,
        thp_flag: int,
        ready: re.Pattern[str] | None,
        working_folder: str | None,
        journal: ProcessJournal,
        fs: KernelFs,
    ) -> None:
        """Starts it. thp_flag: PR_SET_THP_DISABLE that it starts with. Raises StartError."""
        self.tree = ProcessTree(fs, ignored=ProcessTree(fs).roots())
        self._journal = journal
        self._noted: set[int] = set()
        self._usage_before = resource.getrusage(resource.RUSAGE_CHILDREN)
        self.ended_s: float | None = None
        self.left: list[int] = []
        read_end, write_end = os.pipe2(os.O_CLOEXEC)
        try:
            os.set_blocking(read_end, False)
            with suppress(OSError):  # above the user's limit for pipes
                fcntl.fcntl(write_end, fcntl.F_SETPIPE_SZ, PIPE_BYTES)
            with thp_disable(thp_flag):
                self._began_s = time.monotonic()
                self._process = _start(arguments, environment, write_end, working_folder)
        except BaseException:
            os.close(read_end)
            raise
        finally:
            os.close(write_end)
        self._pipe = read_end
        self.output = Output(read_end, ready, self.elapsed_s)

    @property
    def pid(self) -> int:
        return self._process.pid

    def elapsed_s(self) -> float:
        return time.monotonic() - self._began_s

    def __enter__(self) -> Command:
        try:
            self._noted.add(self.pid)
            self._journal.started(self.pid)
        except BaseException:
            self.end()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        self.end()

    def wait(self, timeout_s: float | None, stop: StopSignal | None) -> bool:
        """Until the command itself ends: True; False where `timeout_s` passed first.

        Raises StoppedError; StartError where the kernel cannot tell the moment.
        """
        try:
            pidfd = open_pidfd(self.pid)
        except OSError as error:
            raise StartError(f"no command can be timed here: pidfd_open (Linux 5.3): {error.strerror}") from error
        try:
            return self._poll(pidfd, timeout_s, stop)
        finally:
            os.close(pidfd)

    def _poll(self, pidfd: int, timeout_s: float | None, stop: StopSignal | None) -> bool:
        poller = select.poll()
        for descriptor in (pidfd, self._pipe, *((stop.fileno(),) if stop else ())):
            poller.register(descriptor, select.POLLIN)
        while True:
            remaining_s = None if timeout_s is None else max(timeout_s - self.elapsed_s(), 0)
            ready = {descriptor for descriptor, _ in poller.poll(None if remaining_s is None else remaining_s * 1000)}
            now_s = self.elapsed_s()
            if pidfd in ready:
                self.ended_s = now_s
                return True
            if stop is not None and stop.is_set:
                raise StoppedError
            if timeout_s is not None and now_s >= timeout_s:
                self.ended_s = now_s
                return False
            if self._pipe in ready and not self.output.read():
                poller.unregister(self._pipe)

    def note_daemons(self) -> None:
        """Writes down what came to us as its parent ended, in a session of its own: after a kill of this process
        nothing else would tell that it belongs to the run. Raises SettingError where that cannot be written."""
        for pid in self.tree.roots():
            if pid not in self._noted and (found := look_at(pid)) is not None and found.session != self.pid:
                self._noted.add(pid)
                self._journal.started(pid)

    def end(self) -> int:
        """Ends and collects every process of the run, reads the rest of the output; answers the exit code.

        Negative is the signal that ended the command. `left` then has what would not end. Again does nothing.
        """
        if self._pipe >= 0:
            # A process that writes as it ends must not wait for us.
            self.left = end_all(self._process, self.tree, self.output.read)
            self.output.read_rest()
            os.close(self._pipe)
            self._pipe = -1
            if not self.left:
                for pid in self._noted:
                    self._journal.ended(pid)
        return self._process.returncode if self._process.returncode is not None else -signal.SIGKILL

    def usage(self) -> resource.struct_rusage:
        """CPU time and faults of all its processes, after `end`: the difference of RUSAGE_CHILDREN."""
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
        return resource.struct_rusage(tuple(b - a for a, b in zip(self._usage_before, after, strict=True)))


def _start(
    arguments: Sequence[str], environment: Mapping[str, str], output: int, working_folder: str | None
) -> subprocess.Popen[bytes]:
    try:
        return subprocess.Popen(  # noqa: S603 - the user's own command, without a shell
            list(arguments),
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
            cwd=working_folder,
            env=dict(environment),
            start_new_session=True,
        )
    except (OSError, ValueError) as error:
        raise StartError(f"{arguments[0] if arguments else 'nothing'} cannot be started: {error}") from error


def _prctl(option: int, *arguments: int) -> int:
    """prctl(2) with its unused arguments 0, as the kernel demands. Raises OSError."""
    values = [ctypes.c_ulong(value) for value in (*arguments, 0, 0, 0, 0)[:4]]
    answer: int = ctypes.CDLL(None, use_errno=True).prctl(option, *values)
    if answer < 0:
        raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))
    return answer


def thp_disabled() -> int:
    """This process's own PR_SET_THP_DISABLE, which everything that it starts inherits; 0 is not disabled.

    0 as well where a sandbox answers no prctl: then nothing can have been set either.
    """
    try:
        return _prctl(PR_GET_THP_DISABLE)
    except OSError:
        return 0


@contextmanager
def thp_disable(flag: int) -> Iterator[None]:
    """What is started inside begins with this value of the flag: a child takes it over at fork and at exec.

    It is this process's own meanwhile, which needs no code between fork and exec. Memory that is there already stays.
    Raises StartError where the kernel refuses.
    """
    before = thp_disabled()
    if flag == before:
        yield
        return
    _set_thp_disable(flag)
    try:
        yield
    finally:
        _set_thp_disable(before)


def _set_thp_disable(flag: int) -> None:
    """A value as PR_GET_THP_DISABLE answers it; its upper bits are the flags of 6.18, the second argument."""
    try:
        _prctl(PR_SET_THP_DISABLE, flag & THP_DISABLED, flag & ~THP_DISABLED)
    except OSError as error:
        raise StartError(f"THP cannot be switched for a new process (PR_SET_THP_DISABLE): {error}") from error


@contextmanager
def subreaper() -> Iterator[None]:
    """Inside, descendants whose parent has ended become children of this process."""
    before = ctypes.c_int()
    _prctl(PR_GET_CHILD_SUBREAPER, ctypes.addressof(before))
    _prctl(PR_SET_CHILD_SUBREAPER, 1)
    try:
        yield
    finally:
        _prctl(PR_SET_CHILD_SUBREAPER, before.value)
