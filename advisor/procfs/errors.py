"""What can go wrong while reading the kernel's text, as types that a caller can tell apart.

Gone, denied, incomplete, malformed and hung are different facts about a host: the first is normal life,
the second is a missing capability, the last three are worth a line in the report.
"""

from __future__ import annotations


class KernelTextError(Exception):
    """A kernel file could not be turned into facts. Carries path, line and a short reason."""

    reason = "unreadable"

    def __init__(self, message: str, *, path: str | None = None, line: int | None = None) -> None:
        super().__init__(message)
        self.message = message
        self.path = path
        self.line = line

    def __str__(self) -> str:
        place = self.path or "<bytes>"
        if self.line is not None:
            place = f"{place}:{self.line}"
        return f"{place}: {self.message}"


class GoneError(KernelTextError):
    """The process ended before or during the read (ENOENT or ESRCH below /proc/PID)."""

    reason = "gone"


class MissingError(KernelTextError):
    """The file does not exist on this kernel or in this captured tree."""

    reason = "missing"


class DeniedError(KernelTextError):
    """The kernel refused access (EACCES, EPERM)."""

    reason = "denied"


class IncompleteError(KernelTextError):
    """The text ends in the middle of an item; what came before it is whole."""

    reason = "incomplete"


class MalformedError(KernelTextError):
    """The text does not have the shape that any known kernel prints."""

    reason = "malformed"


class HungError(KernelTextError):
    """The read did not return within its deadline (for example the target's mmap_lock is held)."""

    reason = "hung"
