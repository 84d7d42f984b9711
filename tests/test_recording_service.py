"""The service that records regularly: its text, what systemd says of it, and the recording under what it allows."""

from __future__ import annotations

import os
import re
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from advisor.cli import recording_service
from advisor.cli.errors import CommandError
from advisor.privilege.needs import WATCHING
from advisor.profile.codec import load_profile
from tests.in_process import advisor

ROOT = Path(__file__).resolve().parents[1]
SECURITY = ROOT / "docs" / "security.md"
PROGRAM = [sys.executable, "-P", "-m", "advisor"]
REFUSED = {"capset", "mbind"}
"""Calls that are made, that the filter answers with EPERM, and that nobody misses: giving up what the service never
had, and a hint of OpenBLAS on where its buffer lies."""

DYNAMIC_USER = 61184
"""The first uid that systemd gives to a DynamicUser."""


@pytest.fixture
def units(tmp_path: Path) -> Path:
    """The folder that the printed script installs into, moved here and run."""
    said = advisor("record", "--systemd")
    assert said.returncode == 0, said.stderr
    script = said.stdout.replace(str(recording_service.FOLDER), str(tmp_path))
    subprocess.run(["sh", "-c", "systemctl() { :; }\n" + script], check=True)
    return tmp_path


def settings(unit: Path) -> dict[str, str]:
    """Of a unit, each name once: the first value."""
    lines = [line.partition("=") for line in unit.read_text().splitlines() if "=" in line and line[0] != "#"]
    return {name: value for name, _, value in reversed(lines)}


def test_the_script_installs_both_units_and_says_how_to_undo_it(units: Path) -> None:
    assert sorted(one.name for one in units.iterdir()) == [
        "hugepage-advisor-record.service",
        "hugepage-advisor-record.timer",
    ]
    said = advisor("record", "--systemd").stdout
    assert "systemctl disable --now hugepage-advisor-record.timer" in said
    assert "systemctl enable --now hugepage-advisor-record.timer" in said


def test_it_may_do_what_watching_needs_and_hides_no_process(units: Path) -> None:
    service = settings(units / "hugepage-advisor-record.service")
    assert service["AmbientCapabilities"].split() == service["CapabilityBoundingSet"].split() == [*WATCHING]
    assert not {"ProtectProc", "ProcSubset", "PrivateUsers", "PrivateDevices", "User"} & set(service)
    assert service["DynamicUser"] == service["NoNewPrivileges"] == "yes"


@pytest.mark.parametrize(
    ("program", "home"),
    [("/usr/bin/advisor", "yes"), ("/home/ada/bin/advisor", "read-only"), ("/root/x", "read-only")],
)
def test_a_program_in_somebodys_home_stays_visible(program: str, home: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "prefix", "/opt/venv")
    monkeypatch.setattr(sys, "base_prefix", "/usr")
    assert f"\nProtectHome={home}\n" in recording_service.service([program])


def test_paths_of_the_program_are_quoted_and_impossible_ones_refused() -> None:
    text = recording_service.service(["/opt/a b%c$d/advisor"])
    assert ' record "/opt/a b%%c$$d/advisor" record --duration=600\n' in text
    with pytest.raises(CommandError):
        recording_service.service(["/opt/a\nExecStartPre=/bin/evil"])


@pytest.mark.skipif(shutil.which("systemd-analyze") is None, reason="no systemd-analyze here")
def test_systemd_takes_the_units_and_rates_them_as_documented(units: Path) -> None:
    names = [str(units / f"hugepage-advisor-record.{kind}") for kind in ("service", "timer")]
    verified = subprocess.run(["systemd-analyze", "verify", *names], capture_output=True, text=True)
    assert (verified.returncode, verified.stderr) == (0, "")
    service = recording_service.service(["/usr/bin/true"]).replace("ProtectHome=read-only", "ProtectHome=yes")
    (units / "rated.service").write_text(service)
    rate = ["systemd-analyze", "security", "--no-pager", "--offline=true", str(units / "rated.service")]
    rated = subprocess.run(rate, capture_output=True, text=True)
    if rated.returncode and "offline" in rated.stderr:
        pytest.skip("this systemd-analyze rates no files (before 250)")
    found = re.search(r"exposure level for \S+: ([\d.]+) ", rated.stdout)
    documented = re.search(r"exposure level ([\d.]+)", SECURITY.read_text())
    assert found and documented and float(found[1]) <= float(documented[1])


def allowed_calls(filters: list[str]) -> set[str]:
    """System calls that are left by the filters, one after another (systemd.exec(5), SystemCallFilter=)."""

    def calls(words: list[str]) -> set[str]:
        found = {word for word in words if not word.startswith("@")}
        for group in (word for word in words if word.startswith("@")):
            said = subprocess.run(["systemd-analyze", "syscall-filter", group], capture_output=True, text=True)
            found |= calls(
                [line.strip() for line in said.stdout.splitlines()[1:] if line.strip()[:1] not in ("", "#")]
            )
        return found

    left: set[str] = calls(["@default"])
    for line in filters:
        words = line.removeprefix("~").split()
        left = left - calls(words) if line.startswith("~") else left | calls(words)
    return left


@pytest.mark.host
@pytest.mark.beside
@pytest.mark.skipif(os.geteuid() != 0, reason="only root can be another user")
@pytest.mark.skipif(not all(map(shutil.which, ("strace", "setpriv", "systemd-analyze"))), reason="no strace, setpriv")
def test_a_recording_sees_everything_and_makes_no_call_that_the_unit_forbids(tmp_path: Path) -> None:
    """Without systemd as init: the unit's command, user and capabilities, under strace."""
    state, traces = tmp_path / "hugepage-advisor", tmp_path / "traces"
    for folder in (state, traces):
        folder.mkdir(mode=0o700)
        os.chown(folder, DYNAMIC_USER, DYNAMIC_USER)
    trace = traces / "trace"
    text = recording_service.service(PROGRAM, duration_s=0)
    line = next(line for line in text.splitlines() if line.startswith("ExecStart="))
    meanings = {"%S": str(tmp_path), "%H": "host", "%%": "%", "$$": "$"}
    line = re.sub(r"%.|\$\$", lambda sign: meanings[sign[0]], line)
    names = ",".join(f"+{name.removeprefix('CAP_').lower()}" for name in WATCHING)
    bounds = [f"--bounding-set=-all,{names}", f"--inh-caps=-all,{names}", f"--ambient-caps=-all,{names}"]
    user = [f"--reuid={DYNAMIC_USER}", f"--regid={DYNAMIC_USER}", "--clear-groups", "--no-new-privs"]
    traced = ["strace", "-f", "-qq", "-o", str(trace), "-e", f"inject={','.join(REFUSED)}:error=EPERM"]
    done = subprocess.run(
        ["setpriv", *user, *bounds, *traced, *shlex.split(line.partition("=")[2])],
        env={"PATH": os.environ["PATH"], "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    (recorded,) = state.iterdir()
    assert recorded.stat().st_uid == DYNAMIC_USER and recorded.stat().st_mode & 0o077 == 0
    profile = load_profile(recorded)
    assert profile.header.privileged
    sample = profile.samples[0]
    for one in sample.processes:
        denied = {name for name, why in (one.problems or {}).items() if why == "denied"}
        assert denied <= {"kpageflags"} or is_closed_to_root(one.pid), "page frames, on a host with mTHP"
    assert "denied" not in sample.host.problems.values()
    assert any(one.pid == os.getpid() and one.facts and one.facts.executable for one in sample.processes)
    _check_calls(trace.read_text(), text)


def is_closed_to_root(pid: int) -> bool:
    """As PID 1 of some virtual machines is."""
    try:
        Path(f"/proc/{pid}/smaps").read_bytes()
    except OSError:
        return True
    return False


def _check_calls(trace: str, unit: str) -> None:
    filters = [line.partition("=")[2] for line in unit.splitlines() if line.startswith("SystemCallFilter=")]
    called = set(re.findall(r"^\d+ +(\w+)\(", trace, re.MULTILINE))
    assert called - allowed_calls(filters) - {"execve"} <= REFUSED
    writable_code = re.findall(r"mmap\(.*PROT_WRITE\|PROT_EXEC.*|(?:pkey_)?mprotect\(.*PROT_EXEC.*", trace)
    assert writable_code == [], "MemoryDenyWriteExecute"
    assert set(re.findall(r"socket\((AF_\w+)", trace)) <= {"AF_UNIX"}
