"""Chunks over processes of this machine."""

from __future__ import annotations

import multiprocessing
import os
import signal
import threading
from collections import Counter
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager
from itertools import chain, islice
from multiprocessing import forkserver
from tempfile import TemporaryDirectory
from typing import Any, NamedTuple

from advisor.batch import worker
from advisor.batch.deadly import file_by_file
from advisor.batch.rights import environment_for
from advisor.batch.worker import Answer, score_chunk
from advisor.interrupts import heeded, stop_when_interrupted

AHEAD = 2
"""Chunks that are handed out for each worker: one to do, one to go on with. The answers that wait are in memory."""

ONE_THREAD = {"POLARS_MAX_THREADS": "1", "OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"}
"""Environment of a worker: as many workers as CPUs, one thread each."""

NO_CODE_FROM_HERE = {"PYTHONSAFEPATH": "1"}
"""multiprocessing starts its processes with `python -c`, which looks for modules in the current folder first: a
multiprocessing.py that a stranger put there would be run by whoever scores there. As -P, since 3.11."""

WARM = "advisor.batch.warm"

ENDING_S = 5.0
"""Seconds that a worker has to end once it is told to. Source: own choice. Reason: it ends at once, if at all."""

HEEDED_EVERY_S = 0.2
"""Seconds after which an interruption is heeded where no answer comes. Source: own choice. Reason: at once, to a
person; five looks a second cost nothing."""

Chunks = Mapping[int, Sequence[str]]
Environment = Mapping[str, str]
Take = Callable[[int, Answer], None]


def score_locally(chunks: Chunks, jobs: int, take: Take, *, with_model: bool) -> None:
    """Score the chunks with so many processes; each answer is given to `take`, in the order in which they come.

    A chunk during which a worker is killed (out of memory, say) is done once more; the second time, file by file, and
    the file that is the death of it is an error. Raises KeyboardInterrupt between two answers, where no lock of the
    pool is held: one that is raised in the middle of concurrent.futures can leave a lock to itself, for which the
    pool's own thread waits when this process ends.
    """
    environment = ONE_THREAD | NO_CODE_FROM_HERE | environment_for(chain.from_iterable(chunks.values()))
    with stop_when_interrupted(heeded()) as stop:
        _Scoring(environment, stop, with_model).all_of(chunks, jobs, take)
        if stop.is_set():
            raise KeyboardInterrupt


class _Scoring(NamedTuple):
    """One call of `score_locally`."""

    environment: Environment
    stop: threading.Event
    with_model: bool

    def all_of(self, chunks: Chunks, jobs: int, take: Take) -> None:
        left, deaths = dict(chunks), Counter[int]()
        while left:
            lost = self._together(left, jobs, take)
            deaths.update(lost)
            for number in lost:
                if deaths[number] > 1:
                    take(number, file_by_file(left.pop(number), self._alone))

    def _together(self, left: dict[int, Sequence[str]], jobs: int, take: Take) -> list[int]:
        """Takes chunks out of `left` as they are done; the numbers of those handed out when a worker died."""
        waiting = iter(sorted(left))
        handed_out: dict[Future[Answer], int] = {}
        with _pool(jobs, self.environment) as pool:
            try:
                while True:
                    for number in islice(waiting, jobs * AHEAD - len(handed_out)):
                        handed_out[self._submit(pool, left[number])] = number
                    if not handed_out:
                        return []
                    for future in self._done(handed_out):
                        take(handed_out[future], future.result())
                        del left[handed_out.pop(future)]
            except BrokenProcessPool:
                return sorted(handed_out.values())

    def _alone(self, files: Sequence[str]) -> Answer | None:
        """The answer of a process that does nothing else; None where that is the death of it."""
        try:
            with _pool(1, self.environment) as pool:
                (future,) = self._done([self._submit(pool, files)])
                return future.result()
        except BrokenProcessPool:
            return None

    def _submit(self, pool: ProcessPoolExecutor, files: Sequence[str]) -> Future[Answer]:
        return pool.submit(score_chunk, files, with_model=self.with_model)

    def _done(self, futures: Collection[Future[Answer]]) -> Collection[Future[Answer]]:
        """Those that are done, one at least. Raises KeyboardInterrupt where it shall stop."""
        done: Collection[Future[Answer]] = ()
        while not done:
            done, _ = wait(futures, timeout=HEEDED_EVERY_S, return_when=FIRST_COMPLETED)
            if self.stop.is_set():
                raise KeyboardInterrupt
        return done


@contextmanager
def _pool(jobs: int, environment: Environment) -> Iterator[ProcessPoolExecutor]:
    """Processes that are forked from one without threads, where only `warm` is imported, not from this one: polars
    has threads. At its end they end, whatever they do, and what they had in temporary files goes."""
    with TemporaryDirectory(prefix="hugepage-advisor-score-", ignore_cleanup_errors=True) as folder:
        yield from _pool_of(jobs, {**environment, "TMPDIR": folder})


def _pool_of(jobs: int, environment: Environment) -> Iterator[ProcessPoolExecutor]:
    before = {name: os.environ.get(name) for name in environment}
    os.environ.update(environment)
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload([WARM])
    pool = ProcessPoolExecutor(jobs, context, worker.begin)
    try:
        yield pool
    finally:
        processes = list((pool._processes or {}).values())
        pool.shutdown(wait=False, cancel_futures=True)
        for process in processes:
            process.terminate()
        for process in processes:
            process.join(ENDING_S)
        _end_forkserver()
        for name, value in before.items():
            os.environ.pop(name) if value is None else os.environ.update({name: value})


def _end_forkserver() -> None:
    """It would stay until this process ends.

    It ends by itself once nobody holds its pipe. A process that was asked for just when this one was interrupted
    does, and nobody knows of that one: it ends with the pipes of its queue.
    """
    server: Any = forkserver._forkserver  # there is no public way
    if server._forkserver_pid is not None:
        os.kill(server._forkserver_pid, signal.SIGTERM)
        server._stop()
