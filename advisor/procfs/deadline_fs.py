"""Kernel files for those who read a few of them now and then: a file that does not answer costs them its deadline.

The sampler has a guard of its own (`collect/guard.py`), which reads thousands of files with one thread.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import TypeVar

from advisor.procfs.errors import HungError
from advisor.procfs.fs import LIVE_PROCFS, LIVE_SYSFS, KernelFs

T = TypeVar("T")

DEADLINE_S = 1.0
"""Seconds. Source: own choice. Reason: as long as the sampler waits; none of these files takes a hundredth."""


class DeadlineFs(KernelFs):
    """Asks in a thread that can be left behind, and raises HungError where no answer comes in time.

    Such a path is not asked about again. There is no thread between two questions, so that a fork has none to lose.
    """

    def __init__(self, procfs: str = LIVE_PROCFS, sysfs: str = LIVE_SYSFS, deadline_s: float = DEADLINE_S) -> None:
        super().__init__(procfs, sysfs)
        self._deadline_s = deadline_s

    def _ask(self, question: Callable[[str], T], path: str) -> T:
        self.mark(path)
        answers: list[T] = []
        errors: list[Exception] = []

        def answer() -> None:
            try:
                answers.append(question(path))
            except Exception as error:  # raised again where it was asked
                errors.append(error)

        thread = threading.Thread(target=answer, name="advisor-reader", daemon=True)
        thread.start()
        thread.join(self._deadline_s)
        if answers:
            return answers[0]
        if errors:
            raise errors[0]
        self.avoided.add(path)
        raise HungError(f"no answer within {self._deadline_s:g} s", path=path)
