"""A child for each piece of work, as servers do that fork: `in_child`."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable


def in_child(work: Callable[[], object]) -> None:
    """Does `work` in a forked child and waits for its end."""
    child = os.fork()
    if child == 0:
        work()
        os._exit(0)  # as multiprocessing does: nothing of the parent is torn down twice
    _, status = os.waitpid(child, 0)
    if status:
        sys.exit(f"the child ended with status {status}")
