"""Why the host was left as it is. Each message is one line that names the file or the number, and the remedy."""

from __future__ import annotations


class SettingError(Exception):
    """A setting of the host could not be read, changed or journalled."""


class BusyError(SettingError):
    """Another trial that changes settings is running on this host, or one that was killed is not yet cleared up."""


class ContestedError(BusyError):
    """Somebody else has set what this trial had set: the host is theirs, the trial ends."""


class TightMemoryError(SettingError):
    """A pool would leave the host with too little memory; the message holds the arithmetic in MiB."""
