"""The same work on a Dask cluster: a scheduler and two workers, ended in the middle of it."""

from __future__ import annotations

import os
import shutil
import time
from collections import Counter
from pathlib import Path

import pytest

from advisor import __version__
from advisor.batch import cluster as engine
from advisor.batch.cluster import score_on_cluster
from advisor.batch.deadly import EngineError
from advisor.batch.inputs import find_inputs
from advisor.batch.parts import CHUNK_FILES, PARTS_SUFFIX, Parts
from advisor.batch.remote import PROGRAM, UnfitWorkerError, score_remotely
from advisor.batch.worker import Answer, score_chunk
from advisor.predictor import model_digest
from tests.batch.clusters import cluster, kill
from tests.in_process import advisor

distributed = pytest.importorskip("distributed")

SAMPLES = Path(__file__).resolve().parents[2] / "sample_profiles"
SMALL = [SAMPLES / f"{name}.jsonl.zst" for name in ("idle", "redis-always", "qemu-thp", "memcached")]


def test_a_cluster_writes_the_same_bytes_and_goes_on_with_what_others_began(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    for number in range(CHUNK_FILES + 4):
        Path("in").mkdir(exist_ok=True)
        shutil.copy(SMALL[number % 2], f"in/{number:02}.jsonl.zst")
    Path("in/damaged.jsonl").write_text("nothing")
    jobs = advisor("score", "in", "--jobs", "1", "-o", "jobs.parquet")
    with cluster(tmp_path / "cluster") as dask:
        done = advisor("score", "in", "--dask", dask.address, "-o", "dask.parquet")
        assert (done.returncode, jobs.returncode) == (5, 5), done.stderr + jobs.stderr
        assert Path("dask.parquet").read_bytes() == Path("jobs.parquet").read_bytes(), "relative names, as given"
        assert Path("dask.parquet.errors.jsonl").read_bytes() == Path("jobs.parquet.errors.jsonl").read_bytes()
        begun = Parts(Path(f"resumed.parquet{PARTS_SUFFIX}"), find_inputs(["in"]).files, model_digest())
        begun.begin(resume=False)
        here = score_chunk(begun.chunks[0], with_model=True)
        there: list[Answer] = []
        score_on_cluster(
            dask.address, {0: begun.chunks[0]}, lambda _, answer: there.append(answer), model=model_digest()
        )
        assert there == [here], "so that either goes on with what the other began"
        begun.add(0, here.rows, here.errors)
        done = advisor("score", "in", "--dask", dask.address, "--resume", "-o", "resumed.parquet")
        assert done.returncode == 5 and "scored before" in done.stderr, done.stderr
        assert Path("resumed.parquet").read_bytes() == Path("jobs.parquet").read_bytes()

        with pytest.raises(KeyboardInterrupt):
            score_on_cluster(dask.address, dict(enumerate([[str(SMALL[0])]] * 12)), interrupted, model="")
        assert tasks_left(dask.address) == 0, "Ctrl-C takes back what was asked"

        told, here = (advisor("score", "in", "--summary", *by) for by in (("--dask", dask.address), ("--jobs", "1")))
        assert told.stdout == here.stdout != ""

        monkeypatch.setattr(engine, "PROGRAM", f"hugepage-advisor {__version__} with polars 0.0.0")
        other = advisor("score", "in", "--dask", dask.address, "-o", "c.parquet")
        assert other.returncode == 1 and "install the same on both" in other.stderr
        assert "here is" in other.stderr and "polars 0.0.0" in other.stderr
        assert len(other.stderr.splitlines()) == 1 and not Path(f"c.parquet{PARTS_SUFFIX}").exists()


def interrupted(number: int, answer: Answer) -> None:
    raise KeyboardInterrupt


def tasks_left(address: str) -> int:
    """Tasks that the scheduler knows, once it had time to forget."""
    with distributed.Client(address, set_as_default=False) as client:
        for _ in range(50):
            if not (left := client.run_on_scheduler(lambda dask_scheduler: len(dask_scheduler.tasks))):
                break
            time.sleep(0.1)
    return int(left)


def test_a_killed_worker_loses_nothing_and_doubles_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    chunks = {number: [str(SMALL[number % 4])] for number in range(12)}
    expected = {str(path): score_chunk([str(path)], with_model=False) for path in SMALL}
    taken: list[tuple[int, Answer]] = []

    with cluster(tmp_path / "cluster") as dask:

        def take(number: int, answer: Answer) -> None:
            taken.append((number, answer))
            if len(taken) == 3:
                kill(dask.workers[0])

        score_on_cluster(dask.address, chunks, take, model="")
        assert Counter(number for number, _ in taken) == Counter(range(12))
        assert all(answer == expected[chunks[number][0]] for number, answer in taken)

        monkeypatch.setattr(engine, "WITHOUT_WORKERS_S", 1.0)
        with pytest.raises(EngineError, match="no worker for"):
            score_on_cluster(dask.address, chunks, lambda *_: kill(dask.workers[1]), model="")
        kill(dask.scheduler)
        monkeypatch.setattr(engine, "CONNECT_S", 1.0)
        with pytest.raises(EngineError, match="no Dask scheduler answers"):
            score_on_cluster(dask.address, chunks, take, model="")


def test_a_scheduler_that_dies_is_one_line_and_what_is_done_is_kept(tmp_path: Path) -> None:
    chunks = {number: [str(SMALL[0])] for number in range(16)}
    with (
        cluster(tmp_path / "cluster", workers=1) as dask,
        pytest.raises(EngineError, match="the Dask scheduler is gone"),
    ):
        score_on_cluster(dask.address, chunks, lambda *_: kill(dask.scheduler), model="")


def test_a_cluster_without_this_package_says_so_and_lives_on(tmp_path: Path) -> None:
    with cluster(tmp_path / "cluster", workers=1, has_package=False) as dask:
        with pytest.raises(EngineError, match="a worker has no hugepage-advisor"):
            score_on_cluster(dask.address, {0: [str(SMALL[0])]}, lambda *_: None, model="")
        assert dask.workers[0].poll() is None and tasks_left(dask.address) == 0


@pytest.mark.parametrize(
    "address", ["127.0.0.1:1", "nonsense://x", "", "nowhere.invalid:8786", "tcp://127.0.0.1:http"]
)
def test_an_address_of_nothing_is_one_line(address: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(engine, "CONNECT_S", 0.5)
    done = advisor("score", str(SMALL[0]), "--dask", address, "-o", str(tmp_path / "out.csv"))
    assert done.returncode == 1 and len(done.stderr.splitlines()) == 1, done.stderr
    assert "no Dask scheduler answers" in done.stderr
    assert not list(tmp_path.iterdir())


def test_what_only_the_worker_cannot_read_is_said_to_be_there(tmp_path: Path) -> None:
    shutil.copy(SMALL[0], tmp_path / "here.jsonl.zst")
    Path(tmp_path, "bad.jsonl").write_text("nothing\n")
    files = ["here.jsonl.zst", "elsewhere.jsonl", "bad.jsonl"]
    answer = score_remotely(files, str(tmp_path), PROGRAM, "")
    assert [error.file for error in answer.errors] == files[1:]
    assert "on the Dask worker" in answer.errors[0].reason and "on the Dask worker" not in answer.errors[1].reason
    assert answer.row_count and os.path.basename(tmp_path) not in answer.errors[1].reason
    with pytest.raises(UnfitWorkerError, match="another model"):
        score_remotely(files, str(tmp_path), PROGRAM, "of another package")
