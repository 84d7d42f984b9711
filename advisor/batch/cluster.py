"""Chunks over the workers of a Dask cluster, which read the files; answers come back as bytes of parquet.

Results are taken once each, so a worker that dies, or is thought dead and answers all the same, doubles nothing:
the scheduler gives its tasks to another one. As many chunks are out as the workers have threads, twice, whatever the
number of files.
"""

from __future__ import annotations

import logging
import os
import pickle
import time
import warnings
from collections.abc import Iterator, Sequence
from concurrent.futures import CancelledError
from contextlib import contextmanager, suppress
from itertools import count, islice
from typing import Any

from advisor import __version__
from advisor.batch.deadly import EngineError, file_by_file
from advisor.batch.local import AHEAD, Chunks, Take
from advisor.batch.remote import PROGRAM, UnfitWorkerError, score_remotely
from advisor.batch.worker import Answer
from advisor.lean import take_in

CONNECT_S = 10.0
"""For a scheduler to answer. Source: own choice. Reason: Dask's own 30 s are long for a mistyped address."""

WITHOUT_WORKERS_S = 60.0
"""For a cluster without a worker to get one. Source: own choice. Reason: nannies start one anew within seconds."""

LOOK_S = 2.0
"""Between looks at who is there, while nothing is finished."""

CLOSE_S = 3.0


def score_on_cluster(address: str, chunks: Chunks, take: Take, *, model: str) -> None:
    """Score the chunks; each answer is given to `take` as it comes. model: digest, "" for rules alone.

    Ends its tasks however it ends. Raises EngineError; ImportError where Dask is not installed.
    """
    if not chunks:
        return
    with _connected(address) as client:
        _Run(client, address, model).all(chunks, take)


def _dask() -> Any:
    """Dask states types for some of what is used here, for others none."""
    take_in("dask")
    import distributed

    return distributed


@contextmanager
def _connected(address: str) -> Iterator[Any]:
    distributed = _dask()
    logging.getLogger("distributed").setLevel(logging.CRITICAL)  # what it says is said here, in one line
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of other versions of Dask itself, which do not matter for bytes
            client = distributed.Client(address, timeout=CONNECT_S, name="hugepage-advisor")
    except (OSError, ValueError, TypeError) as error:  # TimeoutError is an OSError; the others are of odd addresses
        raise EngineError(f"{address}: no Dask scheduler answers ({str(error) or type(error).__name__})") from error
    try:
        yield client
    finally:
        with suppress(Exception):  # a scheduler that is gone has nothing left to be told
            client.close(timeout=CLOSE_S)


class _Errand:
    """What is asked of a worker. To unpickle it is to do it.

    Dask unpickles a function before it is a task: a worker without this package would die of it, and be missed by
    whoever else uses the cluster. As the task is `pickle.loads`, that is an error like any other.
    """

    def __init__(self, files: Sequence[str], base: str, program: str, model: str) -> None:
        self._arguments = list(files), base, program, model

    def __reduce__(self) -> tuple[Any, ...]:
        return score_remotely, self._arguments


class _Run:
    """The chunks of one command on one cluster."""

    def __init__(self, client: Any, address: str, model: str) -> None:
        self._dask = _dask()
        self._client, self._address = client, address
        self._terms = os.getcwd(), PROGRAM, model
        self._numbers = count()
        self._seen = time.monotonic()

    def all(self, chunks: Chunks, take: Take) -> None:
        waiting, out = iter(sorted(chunks)), dict[Any, int]()
        try:
            while True:
                room = max(1, self._threads() * AHEAD) - len(out)  # one waits, also while no worker is there
                for number in islice(waiting, max(0, room)):
                    out[self._submit(chunks[number])] = number
                if not out:
                    return
                for future in self._finished(list(out)):
                    answer, number = self._answer(future), out.pop(future)
                    take(number, answer or file_by_file(chunks[number], self._attempt))
        finally:
            with suppress(Exception):
                self._client.cancel(list(out), force=True)

    def _submit(self, files: Sequence[str]) -> Any:
        key = f"hugepage-advisor-{self._client.id}-{next(self._numbers)}"
        return self._client.submit(pickle.loads, pickle.dumps(_Errand(files, *self._terms)), key=key, pure=False)

    def _attempt(self, files: Sequence[str]) -> Answer | None:
        future = self._submit(files)
        while not self._finished([future]):
            pass
        return self._answer(future)

    def _finished(self, futures: Sequence[Any]) -> list[Any]:
        """Those that are, after LOOK_S at most. Raises EngineError where nobody is there to finish any."""
        try:
            return list(self._dask.wait(futures, timeout=LOOK_S, return_when="FIRST_COMPLETED").done)
        except CancelledError as error:
            raise EngineError(f"{self._address}: the Dask scheduler is gone") from error
        except TimeoutError:
            if not self._threads() and time.monotonic() - self._seen > WITHOUT_WORKERS_S:
                raise EngineError(f"{self._address}: no worker for {WITHOUT_WORKERS_S:.0f} s") from None
            return []

    def _answer(self, future: Any) -> Answer | None:
        """None where workers died of it. Raises EngineError."""
        try:
            return future.result()  # type: ignore[no-any-return]
        except self._dask.KilledWorker:
            return None
        except UnfitWorkerError as error:
            raise EngineError(str(error)) from error
        except (ImportError, AttributeError) as error:
            raise EngineError(
                f"a worker has no hugepage-advisor {__version__} ({error}); install it there"
            ) from error
        except (CancelledError, OSError) as error:
            raise EngineError(f"{self._address}: the Dask scheduler is gone ({error})") from error
        except Exception as error:  # whatever a cluster makes of an environment that is not this one
            said = (str(error).splitlines() or [""])[0]
            raise EngineError(
                f"{self._address}: cannot do it ({type(error).__name__}: {said}); its workers need "
                f"hugepage-advisor {__version__}"
            ) from error

    def _threads(self) -> int:
        """Of all workers that are there now."""
        try:
            threads = sum(map(int, self._client.nthreads().values()))
        except (OSError, CancelledError, RuntimeError) as error:
            raise EngineError(f"{self._address}: the Dask scheduler is gone ({error})") from error
        if threads:
            self._seen = time.monotonic()
        return threads
