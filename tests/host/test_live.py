"""The whole tool on this machine's kernel: totals, schema, privileges, churn, kill -9."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
import time
from contextlib import ExitStack
from pathlib import Path

import jsonschema
import pytest

from advisor.collect.options import SamplerOptions
from advisor.collect.sampler import Sampler
from advisor.procfs.fs import KernelFs
from advisor.profile.codec import ProfileError, load_profile
from advisor.report.schema import report_schema
from tests.programs import planted

pytestmark = pytest.mark.host

ADVISOR = [sys.executable, "-m", "advisor"]
NOBODY = 65534


def smaps_pids() -> dict[int, int]:
    """pid -> Rss by an independent sum, of every process whose smaps is readable and not empty."""
    found = {}
    for folder in Path("/proc").iterdir():
        if not folder.name.isdigit():
            continue
        try:
            text = (folder / "smaps").read_text()
        except OSError:
            continue
        if text:
            found[int(folder.name)] = sum(int(kib) for kib in re.findall(r"(?m)^Rss: +(\d+) kB$", text)) * 1024
    return found


def test_a_report_is_valid_lists_every_process_and_adds_up() -> None:
    with ExitStack() as stack:
        standing = [stack.enter_context(planted("tiny", mib)).pid for mib in (4, 9, 17)]
        before = smaps_pids()
        done = subprocess.run([*ADVISOR, "report", "--json", "--duration", "2"], capture_output=True, text=True)
        after = smaps_pids()
    report = json.loads(done.stdout)
    jsonschema.validate(report, report_schema())
    listed = {entry["pid"]: entry["memory"]["rss_bytes"] for entry in report["processes"]}
    steady = {pid: rss for pid, rss in before.items() if after.get(pid) == rss}
    assert set(standing) <= set(steady)
    assert steady.items() <= listed.items()
    assert report["totals"]["rss_bytes"] == sum(rss for rss in listed.values() if rss is not None)
    assert report["source"]["samples"] == 2
    assert report["host"]["base_page_bytes"] == os.sysconf("SC_PAGE_SIZE")


AS_NOBODY = f"""
import contextlib, io, os, unittest.mock
from advisor.cli.main import cli
arguments = ["report", "--json", "--duration", "0.5"]
may_become_nobody = unittest.mock.patch("advisor.cli.left_over.keep_what_is_needed")
with may_become_nobody, contextlib.redirect_stdout(io.StringIO()):
    cli.main(arguments, standalone_mode=False)  # everything is imported before the files may be out of reach
os.setgroups([]); os.setgid({NOBODY}); os.setuid({NOBODY})
cli.main(arguments)
"""


@pytest.mark.beside
def test_without_privileges_it_works_and_says_what_is_missing() -> None:
    if os.geteuid() != 0:
        pytest.skip("needs root to become nobody")
    with planted("tiny", 64) as other:
        done = subprocess.run([sys.executable, "-c", AS_NOBODY], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    report = json.loads(done.stdout)
    jsonschema.validate(report, report_schema())
    assert report["source"]["privileged"] is False
    said = " ".join(f"{one['message']} {one['remedy']}" for one in report["limitations"])
    assert "CAP_SYS_PTRACE" in said
    entry = next(entry for entry in report["processes"] if entry["pid"] == other.pid)
    assert entry["memory"]["anon_huge_bytes"] is None, "unknown is null, never 0"
    assert entry["memory"]["rss_bytes"] >= 64 << 20
    assert entry["recommendation"]["policy"] == "leave"


UNSHARE = ["unshare", "--mount", "--propagation", "private"]
PROC_WITH_HIDEPID = 'mount -t proc -o hidepid=invisible proc /proc && exec "$@"'
"""A mount of its own: where /proc is mounted anew, options of the host's are left alone (since 5.8)."""


def limitations_of(command: list[str]) -> dict[str, str]:
    """id -> message of a report made by this command."""
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return {one["id"]: one["message"] for one in json.loads(done.stdout)["limitations"]}


@pytest.mark.beside
@pytest.mark.skipif(os.geteuid() != 0, reason="only root can mount")
def test_where_proc_hides_others_the_report_says_so() -> None:
    before = Path("/proc/mounts").read_text()
    hidden = [*UNSHARE, "sh", "-c", PROC_WITH_HIDEPID, "sh", sys.executable]
    assert "processes-hidden" in limitations_of([*hidden, "-c", AS_NOBODY])
    assert "processes-hidden" not in limitations_of([*hidden, *ADVISOR[1:], "report", "--json", "--duration", "0"])
    assert Path("/proc/mounts").read_text() == before


@pytest.mark.beside
@pytest.mark.skipif(os.geteuid() != 0, reason="only root can make a PID namespace")
def test_in_a_container_the_report_says_whom_it_sees() -> None:
    inside = ["unshare", "--fork", "--pid", "--mount-proc", *ADVISOR, "report", "--json", "--duration", "0"]
    assert "one-container-only" in limitations_of(inside)
    assert "one-container-only" not in limitations_of([*ADVISOR, "report", "--json", "--duration", "0"])


def test_the_sampler_leaves_itself_out_unless_it_is_named() -> None:
    own = os.getpid()
    everybody = Sampler(KernelFs()).tick()
    assert everybody.processes and own not in {record.pid for record in everybody.processes}
    named = Sampler(KernelFs(), SamplerOptions(pids=frozenset({own}))).tick()
    assert [record.pid for record in named.processes] == [own]


def test_processes_born_and_dying_during_a_sample_harm_nobody() -> None:
    storm = "for i in $(seq 500); do sleep 0.$((i % 5)) & done; wait"
    with ExitStack() as stack:
        survivors = {stack.enter_context(planted("tiny", 4)).pid for _ in range(8)}
        sampler = Sampler(KernelFs(), SamplerOptions(budget_share=1.0))
        storming = subprocess.Popen(["bash", "-c", storm])
        try:
            samples = [sampler.tick()]
            while storming.poll() is None:
                samples.append(sampler.tick())
        finally:
            storming.kill()
            storming.wait()
        samples.append(sampler.tick())
    seen = {record.pid for sample in samples for record in sample.processes if record.maps is not None}
    assert survivors <= seen
    assert len(seen) > len(survivors) + 20, "the storm itself was seen"
    assert {one.reason for sample in samples for one in sample.skipped} <= {"gone"}
    assert not survivors & {pid for sample in samples for pid, _ in sample.gone}


@pytest.mark.beside
def test_a_killed_recording_reads_to_its_last_whole_sample(tmp_path: Path) -> None:
    path = tmp_path / "p.jsonl.zst"
    recording = subprocess.Popen(
        [*ADVISOR, "record", "-o", str(path), "--interval", "0.1"], stderr=subprocess.DEVNULL
    )
    try:
        deadline = time.monotonic() + 30
        while time.monotonic() < deadline and samples_in(path) < 3:
            time.sleep(0.2)
    finally:
        recording.send_signal(signal.SIGKILL)
        recording.wait()
    profile = load_profile(path)
    assert len(profile.samples) >= 3
    assert profile.samples[0].processes
    done = subprocess.run([*ADVISOR, "report", str(path), "--json"], capture_output=True, text=True)
    assert json.loads(done.stdout)["source"]["samples"] == len(profile.samples)


def samples_in(path: Path) -> int:
    """Whole samples of a recording that is still being written; the budget decides how often there is one."""
    try:
        return len(load_profile(path).samples)
    except ProfileError:
        return 0


@pytest.mark.beside
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_ends_a_recording_with_all_samples_kept(tmp_path: Path, number: signal.Signals) -> None:
    path = tmp_path / "p.jsonl.zst"
    command = [*ADVISOR, "record", "-o", str(path), "--interval", "0.2"]
    recording = subprocess.Popen(command, stderr=subprocess.PIPE, text=True)
    deadline = time.monotonic() + 20
    while time.monotonic() < deadline and not (path.exists() and path.stat().st_size):
        time.sleep(0.05)
    time.sleep(0.5)
    recording.send_signal(number)
    _, said = recording.communicate(timeout=10)
    assert recording.returncode == 0, said
    samples = load_profile(path).samples
    assert f"{len(samples)} samples" in said
    assert "Traceback" not in said
