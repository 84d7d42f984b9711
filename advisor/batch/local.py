"""Chunks over processes of this machine."""

from __future__ import annotations

import multiprocessing
import os
import signal
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager
from functools import partial
from itertools import chain, islice
from multiprocessing import forkserver
from typing import Any

from advisor.batch import worker
from advisor.batch.deadly import file_by_file
from advisor.batch.rights import environment_for
from advisor.batch.worker import Answer, score_chunk

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

Chunks = Mapping[int, Sequence[str]]
Environment = Mapping[str, str]
Take = Callable[[int, Answer], None]


def score_locally(chunks: Chunks, jobs: int, take: Take, *, with_model: bool) -> None:
    """Score the chunks with so many processes; each answer is given to `take`, in the order in which they come.

    A chunk during which a worker is killed (out of memory, say) is done once more; the second time, file by file, and
    the file that is the death of it is an error.
    """
    left, deaths = dict(chunks), Counter[int]()
    environment = ONE_THREAD | NO_CODE_FROM_HERE | environment_for(chain.from_iterable(chunks.values()))
    while left:
        lost = _run(left, jobs, take, environment, with_model=with_model)
        deaths.update(lost)
        for number in lost:
            if deaths[number] > 1:
                take(number, file_by_file(left.pop(number), partial(_attempt, environment, with_model=with_model)))


def _run(
    left: dict[int, Sequence[str]], jobs: int, take: Take, environment: Environment, *, with_model: bool
) -> list[int]:
    """Takes chunks out of `left` as they are done; the numbers of those that were handed out when a worker died."""
    waiting = iter(sorted(left))
    handed_out: dict[Future[Answer], int] = {}
    with _pool(jobs, environment) as pool:
        try:
            while True:
                for number in islice(waiting, jobs * AHEAD - len(handed_out)):
                    handed_out[pool.submit(score_chunk, left[number], with_model=with_model)] = number
                if not handed_out:
                    return []
                done, _ = wait(handed_out, return_when=FIRST_COMPLETED)
                for future in done:
                    take(handed_out[future], future.result())
                    del left[handed_out.pop(future)]
        except BrokenProcessPool:
            return sorted(handed_out.values())


def _attempt(environment: Environment, files: Sequence[str], *, with_model: bool) -> Answer | None:
    """The answer of a process that does nothing else; None where that is the death of it."""
    try:
        with _pool(1, environment) as pool:
            return pool.submit(score_chunk, files, with_model=with_model).result()
    except BrokenProcessPool:
        return None


@contextmanager
def _pool(jobs: int, environment: Environment) -> Iterator[ProcessPoolExecutor]:
    """Processes that are forked from one without threads, where only `warm` is imported, not from this one: polars
    has threads. At its end they end, whatever they do."""
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
