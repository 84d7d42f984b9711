"""Two tenants with opposite needs on this kernel: advised, the texts applied as written, restarted, each has its own.

One must not have huge pages (Redis, by its makers' word, or memory so thinly used that they would multiply it), the
other gains from them. What smaps says after the restart is the proof; then the undo text restores the host.
"""

from __future__ import annotations

import json
import os
import re
import shlex
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from advisor.advise import advise as advisor_report
from advisor.profile.codec import load_profile
from advisor.render.plan_files import plan_files
from advisor.report.document import encode_report
from advisor.save.plan_folder import write_folder
from advisor.units import MIB
from tests.host.knobs import THP, current, setting
from tests.programs import PLANTED, program

pytestmark = pytest.mark.host

GAINS_MIB = 512
"""MiB of the program that gains: enough that rules and model see a gain in random reads."""

THIN_MIB = 4096
"""MiB of thinly used memory: a page in every 2 MiB, so that huge pages would take all of it."""

BEFORE_CONFIGURED = 16 * MIB
"""Bytes. What Redis may have on huge pages from before it read its configuration (6 MiB were seen with 7.0): what is
huge stays so."""

SOURCE = Path(__file__).with_name("own_malloc.c")
PLACES = ("/etc/tmpfiles.d", "/run/tmpfiles.d", "/etc/sysctl.d", "/etc/systemd/system", "/etc/tuned")


class Pages(NamedTuple):
    """Anonymous memory of a process, bytes: all of it, and what huge pages map."""

    anon: int
    huge: int


def pages(pid: int) -> Pages:
    text = Path(f"/proc/{pid}/smaps").read_text()
    sums = [sum(map(int, re.findall(rf"(?m)^{name}: +(\d+) kB$", text))) for name in ("Anonymous", "AnonHugePages")]
    return Pages(*(1024 * size for size in sums))


def advisor(*arguments: str) -> str:
    done = subprocess.run([sys.executable, "-m", "advisor", *arguments], capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr
    return done.stdout


class Advised(NamedTuple):
    """What was advised to two processes: the plan, its folder, and the tenant of each."""

    plan: dict[str, Any]
    folder: Path
    tenants: dict[int, dict[str, Any]]

    def text(self, pid: int, kind: str) -> list[str]:
        """Lines of the text for a process, without comments."""
        wanted = self.tenants[pid]["artefacts"]
        found = [one["text"] for one in self.plan["artefacts"] if one["id"] in wanted and one["kind"] == kind]
        (text,) = found
        return [line for line in text.splitlines() if line and not line.startswith("#")]


def advise(folder: Path, *pids: int) -> Advised:
    """The plan for these processes alone, from one recording, as a document and as a folder with its scripts.

    By rules alone: the model's word on a gain of a few percent is not what is tested here.
    """
    profile = folder / "host.jsonl.zst"
    advisor("record", "-o", str(profile), "--duration=1.5", "--interval=0.7", *(f"--pid={pid}" for pid in pids))
    report = advisor_report(load_profile(profile))
    write_folder(folder / "plan", plan_files(report))
    plan = json.loads(encode_report(report))["plan"]
    return Advised(plan, folder / "plan", {pid: one for one in plan["tenants"] for pid in one["pids"]})


@contextmanager
def applied(advised: Advised) -> Iterator[None]:
    """apply.sh, and at the end undo.sh, whatever happens; the host is then as it was."""
    before = state()
    subprocess.run(["sh", str(advised.folder / "apply.sh")], check=True, timeout=60, capture_output=True)
    try:
        yield
    finally:
        subprocess.run(["sh", str(advised.folder / "undo.sh")], check=True, timeout=60, capture_output=True)
    assert state() == before, "the undo text leaves something behind"


def state() -> dict[str, str]:
    """The THP settings by file, and every file that a plan may have written."""
    files = [file for file in (THP, THP / "khugepaged") for file in file.iterdir() if file.is_file()]
    values = {str(f): current(f) for f in files if f.name not in ("pages_collapsed", "full_scans")}
    written = [path for place in PLACES for path in Path(place).rglob("*hugepage-advisor*")]
    return values | {str(path): "written" for path in written}


@contextmanager
def redis(folder: Path, *lines: str) -> Iterator[int]:
    """pid of a redis-server with these lines of configuration and about 200 MiB of data."""
    if not (shutil.which("redis-server") and shutil.which("redis-cli")):
        pytest.skip("redis is not on this host")
    folder.mkdir(exist_ok=True)
    socket = folder / "redis.sock"
    configuration = folder / "redis.conf"
    own = ["port 0", f"unixsocket {socket}", 'save ""', "appendonly no", f"dir {folder}"]
    configuration.write_text("\n".join([*own, *lines]) + "\n")
    server = subprocess.Popen(["redis-server", str(configuration)], stdout=subprocess.DEVNULL)
    try:
        fill = "for i = 1, 180000 do redis.call('SET', i, string.rep('x', 1000)) end return redis.call('DBSIZE')"
        for _ in range(100):
            done = subprocess.run(["redis-cli", "-s", str(socket), "EVAL", fill, "0"], capture_output=True, text=True)
            if done.stdout.strip() == "180000":
                break
            time.sleep(0.1)
        else:
            pytest.fail(f"redis does not answer: {done.stdout} {done.stderr}")
        yield server.pid
    finally:
        server.kill()
        server.wait()


@contextmanager
def planted(kind: str, mib: int, lead: Sequence[str] = ()) -> Iterator[int]:
    with program([*lead, sys.executable, str(PLANTED), kind, str(mib)]) as process:
        yield process.pid


@contextmanager
def as_written(line: str) -> Iterator[int]:
    """A program started by a text of the plan, word by word."""
    with program(shlex.split(line)) as process:
        yield process.pid


@contextmanager
def host(mode: str) -> Iterator[None]:
    """This host in a mode, with the default way to find huge pages, and nothing else changed."""
    if os.geteuid() != 0:
        pytest.skip("modes are root's to set")
    size = THP / f"hugepages-{int((THP / 'hpage_pmd_size').read_text()) // 1024}kB" / "enabled"
    if size.exists() and current(size) != "inherit":
        pytest.skip("the huge page size has a mode of its own")
    with setting(THP / "enabled", mode), setting(THP / "defrag", "madvise"):
        yield


def assert_each_has_its_own(spared: int, gains: int, left: int = 0) -> None:
    """Nothing huge for the one but `left` bytes, nearly all for the other."""
    assert pages(spared).huge <= left
    got = pages(gains)
    assert got.anon >= GAINS_MIB * MIB
    assert got.huge >= 0.9 * GAINS_MIB * MIB


@pytest.mark.parametrize("mode", ["always", "madvise", "never"])
def test_redis_without_and_a_glibc_program_with_huge_pages(mode: str, tmp_path: Path) -> None:
    with host(mode):
        with redis(tmp_path / "a", "disable-thp no") as spared, planted("heap", GAINS_MIB) as gains:
            assert (pages(spared).huge > 0, pages(gains).huge > 0) == (mode == "always",) * 2
            advised = advise(tmp_path, spared, gains)
            one, other = advised.tenants[spared], advised.tenants[gains]
            texts = advised.text(spared, "redis") if mode == "always" else []
            line = None if mode == "always" else advised.text(gains, "environment")[0]
        assert (one["needs"], one["met"], one["loses"]) == ("base-pages", True, None)
        assert (other["needs"], other["met"], other["loses"]) == ("thp", True, None)
        assert (one["gets_by"], other["gets_by"]) == (
            ("application", "already") if mode == "always" else ("already", "allocator")
        )
        kept = texts or ["disable-thp no"]
        with applied(advised), redis(tmp_path / "b", *kept) as spared:
            start = planted("heap", GAINS_MIB) if line is None else as_written(line)
            with start as gains:
                assert_each_has_its_own(spared, gains, BEFORE_CONFIGURED if mode == "always" else 0)
                if mode == "always":
                    assert "THP_enabled:\t0\n" in Path(f"/proc/{spared}/status").read_text()


def test_a_program_that_cannot_ask_gets_always_and_thin_memory_a_switch_of_its_own(tmp_path: Path) -> None:
    compiler = shutil.which("gcc")
    if compiler is None:
        pytest.skip("no compiler on this host")
    binary = str(tmp_path / "own_malloc")
    subprocess.run([compiler, "-O2", "-o", binary, str(SOURCE)], check=True)
    gain = [binary, str(GAINS_MIB)]
    with host("madvise"):
        with planted("sparse", THIN_MIB) as spared, program(gain) as gains:
            advised = advise(tmp_path, spared, gains.pid)
            one, other = advised.tenants[spared], advised.tenants[gains.pid]
            line = advised.text(spared, "shell")[0]
        assert (one["gets_by"], other["gets_by"]) == ("prctl", "host-mode")
        assert advised.plan["thp"]["enabled"] == "always"
        with applied(advised):
            assert current(THP / "enabled") == "always"
            with as_written(line) as spared, program(gain) as gains:
                assert_each_has_its_own(spared, gains.pid)
                assert pages(spared).anon < 100 * MIB, "switched off, its thin memory stays thin"
