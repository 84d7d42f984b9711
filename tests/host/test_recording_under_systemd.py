"""The service of `record --systemd` under a systemd that runs: in a container whose root is this host's, below an
overlay that takes what is written."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import psutil
import pytest

from advisor.cli import recording_service
from advisor.cli.recording_service import NAME, STATE
from advisor.profile.codec import load_profile

pytestmark = [pytest.mark.host, pytest.mark.beside]

NSPAWN = ("systemd-nspawn", "--register=no", "--keep-unit", "--boot", "--console=pipe", "--quiet")
BOOTS_S = 60.0
RECORDED_S = 6
CGROUPS = ("cgroup", "cgroup2")
PROGRAM = [sys.executable, "-P", "-m", "advisor"]


@contextmanager
def overlay(folder: Path) -> Iterator[Path]:
    """The root of this host, where everything can be written and is gone afterwards."""
    with ExitStack() as stack:
        mounted(stack, folder, "-t", "tmpfs", "none")
        upper, work, root = (folder / name for name in ("upper", "work", "root"))
        for one in (upper, work, root):
            one.mkdir()
        mounted(stack, root, "-t", "overlay", "none", "-o", f"lowerdir=/,upperdir={upper},workdir={work}")
        yield root


def mounted(stack: ExitStack, at: Path, *how: str) -> None:
    done = subprocess.run(["mount", *how, at], capture_output=True, text=True, check=False)
    if done.returncode:
        pytest.skip(f"cannot be mounted here: {done.stderr.strip()}")
    stack.callback(subprocess.run, ["umount", at], check=True)


class Container:
    """A systemd that runs as the first process of its own namespaces."""

    def __init__(self, first: int) -> None:
        self._inside = ("nsenter", "--target", str(first), "--all")

    def run(self, script: str) -> str:
        done = subprocess.run([*self._inside, "sh", "-c", script], capture_output=True, text=True, check=False)
        return done.stdout + done.stderr

    def state(self) -> str:
        return self.run("systemctl is-system-running").strip()

    def of_unit(self, unit: str, name: str) -> str:
        return self.run(f"systemctl show --value --property {name} {unit}").strip()


@contextmanager
def without_groups_of_nspawn() -> Iterator[None]:
    """It leaves behind the control groups that it makes beside this process."""
    before = set(groups_of_nspawn())
    try:
        yield
    finally:
        for group in sorted(set(groups_of_nspawn()) - before, reverse=True):
            group.rmdir()


def groups_of_nspawn() -> list[Path]:
    tops = [line.split()[1] for line in Path("/proc/mounts").read_text().splitlines() if line.split()[2] in CGROUPS]
    made = [one for top in tops for name in ("payload", "supervisor") for one in Path(top).rglob(name)]
    return [*made, *(below for one in made for below in one.rglob("*/"))]


@pytest.fixture
def container(tmp_path: Path) -> Iterator[tuple[Container, Path]]:
    """It, and its root."""
    if os.geteuid() != 0 or shutil.which("systemd-nspawn") is None:
        pytest.skip("needs root and systemd-nspawn")
    with without_groups_of_nspawn(), overlay(tmp_path) as root:
        (root / "etc/machine-id").unlink(missing_ok=True)  # that of this host: nspawn takes it for the same machine
        command = [*NSPAWN, f"--directory={root}", f"--machine=advisor-{os.getpid()}", "systemd.unit=basic.target"]
        with subprocess.Popen(
            command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT
        ) as one:
            try:
                yield booted(psutil.Process(one.pid)), root
            finally:
                one.terminate()
                one.communicate(timeout=BOOTS_S)


def booted(nspawn: psutil.Process) -> Container:
    ends = time.monotonic() + BOOTS_S
    while time.monotonic() < ends:
        for child in nspawn.children():
            if Container(child.pid).state() in ("running", "degraded"):
                return Container(child.pid)
        if not nspawn.is_running() or nspawn.status() == psutil.STATUS_ZOMBIE:
            break
        time.sleep(0.5)
    pytest.skip("systemd does not start in a container here")


def test_it_is_installed_records_and_can_be_undone(container: tuple[Container, Path]) -> None:
    systemd, root = container
    script = recording_service.script(PROGRAM)
    short = script.replace(f"--duration={recording_service.DURATION_S}", f"--duration={RECORDED_S}")
    (root / "root/install.sh").write_text(short)
    said = systemd.run("sh /root/install.sh")
    assert systemd.of_unit(f"{NAME}.timer", "ActiveState") == "active", said

    said = systemd.run(f"systemctl start --wait {NAME}")
    assert systemd.of_unit(NAME, "Result") == "success", said + systemd.run(f"journalctl -u {NAME} --no-pager")
    folder = root / "var/lib/private" / STATE
    (recorded,) = folder.glob("*.jsonl.zst")
    assert recorded.stat().st_mode & 0o777 == 0o600
    assert recorded.stat().st_uid not in (0, os.getuid()), "a dynamic user's"
    profile = load_profile(recorded)
    first = {record.pid: record for record in profile.samples[0].processes}
    assert not profile.truncated
    assert len(profile.samples) >= 2
    assert first[1].maps, "the mappings of root's processes are seen"
    assert first[1].facts is not None
    assert first[1].facts.executable == "/usr/lib/systemd/systemd"
    assert set(first) >= {int(name) for name in systemd.run("cat /run/systemd/journal/pid").split() if name.isdigit()}

    for line in undoing(script):
        systemd.run(line)
    assert systemd.of_unit(NAME, "LoadState") == systemd.of_unit(f"{NAME}.timer", "LoadState") == "not-found"
    assert not folder.exists()
    assert not [*(root / "etc/systemd/system").rglob(f"{NAME}*")]


def undoing(script: str) -> list[str]:
    """The commands that the script's own comment says undo it."""
    found = re.search(r"^# Undo:(.*?)^# Then:", script, re.MULTILINE | re.DOTALL)
    assert found is not None
    return [line.strip("# ").replace("(the recordings)", "") for line in found[1].splitlines()]
