"""Files that are read: a pipe, a device or a socket under the name of one is refused, not waited for."""

from __future__ import annotations

import errno
import io
import os
import stat

NO_FILE = "not a regular file"


def open_regular(path: str | os.PathLike[str]) -> io.BufferedReader:
    """The file, to be read in bytes. Raises OSError, also where it is none."""
    descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    if not stat.S_ISREG(os.fstat(descriptor).st_mode):
        os.close(descriptor)
        raise OSError(errno.EINVAL, NO_FILE, os.fspath(path))
    return open(descriptor, "rb")
