"""Kernel files for those who read a few of them now and then: a file that does not answer costs them its deadline.

The sampler has a guard of its own (`collect/guard.py`), which reads thousands of files with one handing over.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from queue import Empty, SimpleQueue
from typing import Any, TypeVar

from advisor.procfs.errors import HungError
from advisor.procfs.fs import LIVE_PROCFS, LIVE_SYSFS, KernelFs, read_link_of_process

T = TypeVar("T")

DEADLINE_S = 1.0
"""Seconds. Source: own choice. Reason: as long as the sampler waits; none of these files takes a hundredth."""

Question = Callable[[str], Any]


class DeadlineFs(KernelFs):
    """Asks in a thread that can be left behind, and raises HungError where no answer comes in time.

    Such a path is not asked about again. Handing over costs 25 us a question. The thread holds nothing while it waits
    for the next, so that a fork is safe; `close` ends it.
    """

    def __init__(self, procfs: str = LIVE_PROCFS, sysfs: str = LIVE_SYSFS, deadline_s: float = DEADLINE_S) -> None:
        super().__init__(procfs, sysfs)
        self._deadline_s = deadline_s
        self._asked: _Asked | None = None

    def ask(self, question: Callable[[str], T], path: str) -> T:
        self.mark(path, opens=question is not read_link_of_process)
        asked = self._asked
        if asked is None or not asked.is_alive():  # the first, or in a child of fork
            asked = self._asked = _Asked()
            asked.start()
        answers: SimpleQueue[tuple[Any, Exception | None]] = SimpleQueue()
        asked.questions.put((question, path, answers))
        try:
            value, error = answers.get(timeout=self._deadline_s)
        except Empty:
            asked.questions.put(None)
            self._asked = None
            self.avoided.add(path)
            raise HungError(f"no answer within {self._deadline_s:g} s", path=path) from None
        if error is not None:
            raise error
        return value  # type: ignore[no-any-return]  # the question's own answer

    def close(self) -> None:
        """End the thread. Another question starts a new one."""
        if self._asked is not None:
            self._asked.questions.put(None)
            self._asked.join()
            self._asked = None


class _Asked(threading.Thread):
    """Answers one question after the other, until None."""

    def __init__(self) -> None:
        super().__init__(name="advisor-reader", daemon=True)
        self.questions: SimpleQueue[tuple[Question, str, SimpleQueue[Any]] | None] = SimpleQueue()

    def run(self) -> None:
        while (asked := self.questions.get()) is not None:
            question, path, answers = asked
            try:
                answers.put((question(path), None))
            except Exception as error:  # raised again where it was asked
                answers.put((None, error))
