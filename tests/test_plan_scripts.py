"""apply.sh and undo.sh of a plan's folder: run as root, on files that stand for the kernel's and the host's."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

import pytest
from msgspec.structs import replace

from advisor.advise import advise
from advisor.profile.codec import load_profile
from advisor.render.plan_files import plan_files
from advisor.report.document import Report
from advisor.report.plan import Artefact, KernelValue
from advisor.save.plan_folder import write_folder

pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="apply.sh must be run as root")

SAMPLE = Path(__file__).resolve().parents[1] / "sample_profiles/idle.jsonl.zst"


@pytest.fixture(scope="module")
def report() -> Report:
    return advise(load_profile(SAMPLE))


class Host:
    """Files below one folder that stand for a host's, and a plan's folder for it."""

    def __init__(self, root: Path, report: Report) -> None:
        self.root, self.report = root, report
        self.kernel_file = self.file("sys/nr_hugepages", "3\n")
        self.switch = self.file("sys/enabled", "always [madvise] never\n")
        self.log = root / "log"

    def file(self, name: str, text: str) -> Path:
        path = self.root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
        return path

    def pool(self, pages: int, at_least: int | None = None, name: str = "pool") -> Artefact:
        values = [KernelValue(str(self.kernel_file), at_least if at_least is not None else pages)]
        return artefact(name, text=f"echo {pages} > {self.kernel_file}\n", writes=values)

    def mode(self, value: str) -> Artefact:
        return artefact("mode", text=f"echo {value} > {self.switch}\n", writes=[KernelValue(str(self.switch), None)])

    def configuration(self, path: str, text: str = "new\n") -> Artefact:
        note = [f"echo after >> {self.log}"]
        return artefact(
            "file",
            text=text,
            path=f"{self.root}/{path}",
            after=note,
            undo_before=[f"echo before undo >> {self.log}"],
            undo_after=[f"echo after undo >> {self.log}"],
        )

    def plan(self, *artefacts: Artefact) -> None:
        changed = replace(self.report, plan=replace(self.report.plan, artefacts=list(artefacts)))
        write_folder(self.root / "plan", plan_files(changed))

    def run(self, script: str, *, ok: bool = True) -> str:
        command = [str(self.root / "plan" / script)]
        result = subprocess.run(command, capture_output=True, text=True, cwd="/")
        assert (result.returncode == 0) is ok, result.stdout + result.stderr
        return result.stdout + result.stderr

    def state(self) -> dict[str, str]:
        """Every file of the host and its text."""
        found = (path for path in self.root.rglob("*") if path.is_file())
        return {
            str(path.relative_to(self.root)): path.read_text()
            for path in found
            if "plan/" not in str(path) and path != self.log
        }


def artefact(name: str, *, text: str, path: str | None = None, **values: object) -> Artefact:
    kind = "systemd" if path else "shell"
    return Artefact(name, kind, f"Step {name}", path, text, f"# undo {name}\n", False, **values)  # type: ignore[arg-type]


@pytest.fixture
def host(tmp_path: Path, report: Report) -> Host:
    return Host(tmp_path, report)


def test_what_is_applied_is_undone(host: Host) -> None:
    host.file("etc/old.conf", "old\n")
    before = host.state()
    host.plan(host.pool(5), host.configuration("etc/old.conf"), host.configuration("etc/x.d/new.conf"))
    said = host.run("apply.sh")
    assert [line for line in said.splitlines() if line[0].isdigit()] == [
        "1. Step pool",
        "2. Step file",
        "3. Step file",
    ]
    assert host.state() == {
        "sys/nr_hugepages": "5\n",
        "sys/enabled": before["sys/enabled"],
        "etc/old.conf": "new\n",
        "etc/x.d/new.conf": "new\n",
    }
    host.run("undo.sh")
    assert host.state() == before
    assert not (host.root / "etc/x.d").exists()
    assert host.log.read_text().split("\n") == ["after", "after", *["before undo", "after undo"] * 2, ""]


def test_to_apply_twice_is_to_apply_once(host: Host) -> None:
    before = host.state()
    host.plan(host.pool(5), host.configuration("etc/new.conf"))
    host.run("apply.sh")
    once = host.state()
    host.run("apply.sh")
    assert host.state() == once
    host.run("undo.sh")
    assert host.state() == before


def test_where_the_kernel_grants_less_it_stops_with_one_line_and_can_be_undone(host: Host) -> None:
    before = host.state()
    host.plan(host.pool(4, at_least=9), host.configuration("etc/new.conf"))
    said = host.run("apply.sh", ok=False)
    assert said.splitlines()[-1].startswith(f"apply.sh: {host.kernel_file}: asked for 9 pages, the kernel granted 4;")
    assert not (host.root / "etc/new.conf").exists()
    host.run("undo.sh")
    assert host.state() == before


def test_a_pool_that_gets_smaller_is_no_failure_where_its_pages_are_in_use(host: Host) -> None:
    host.plan(host.pool(5, at_least=2))
    host.run("apply.sh")


def test_of_a_list_of_words_the_one_in_brackets_is_put_back(host: Host) -> None:
    host.plan(host.mode("always"))
    host.run("apply.sh")
    host.run("undo.sh")
    assert host.switch.read_text() == "madvise\n"


def test_a_kernel_without_the_file_stops_it_before_anything_is_written(host: Host) -> None:
    host.plan(host.mode("always"))
    host.switch.unlink()
    assert "this kernel has no such file" in host.run("apply.sh", ok=False)


def test_a_symbolic_link_in_the_place_of_a_file_is_not_followed(host: Host) -> None:
    precious = host.file("precious", "mine\n")
    (host.root / "link.conf").symlink_to(precious)
    host.plan(host.configuration("link.conf"))
    assert "symbolic link" in host.run("apply.sh", ok=False)
    assert precious.read_text() == "mine\n"


def test_commands_that_write_no_kernel_file_are_undone_by_their_own_undo(host: Host) -> None:
    flag = host.root / "flag"
    host.plan(replace(artefact("grubby", text=f"touch {flag}\n"), undo=f"rm {flag}\n"))
    host.run("apply.sh")
    assert flag.exists()
    host.run("undo.sh")
    assert not flag.exists()


def test_what_is_a_person_s_business_is_named_and_not_done(host: Host) -> None:
    by_hand = replace(
        artefact("pg", text=f"touch {host.root}/touched\n"), by_hand=True, title="PostgreSQL $(reboot) 'x'"
    )
    service = replace(host.configuration("etc/x.conf"), restart="app.service")
    host.plan(service, by_hand)
    said = host.run("apply.sh")
    assert "Left to you" in said and "02-pg.txt: PostgreSQL $(reboot) 'x'" in said
    assert "systemctl restart app.service" in said
    assert not (host.root / "touched").exists()


def test_there_is_nothing_to_undo_before_something_was_applied(host: Host) -> None:
    host.plan(host.pool(5))
    assert "nothing to undo" in host.run("undo.sh", ok=False)


def test_paths_and_titles_of_all_kinds_stay_what_they_are(host: Host) -> None:
    name = "etc/a b'c\"d$(touch pwned)`id`;e%f\\x2d.conf"
    made = replace(
        host.configuration(name), title="x\ny $(touch pwned) `id` 'q' \x1b[2J", warnings=["w $(touch pwned) '\n"]
    )
    host.plan(made)
    host.run("apply.sh")
    assert (host.root / name).read_text() == "new\n"
    host.run("undo.sh")
    assert not (host.root / name).exists() and not list(host.root.rglob("pwned"))


@pytest.mark.skipif(shutil.which("shellcheck") is None, reason="shellcheck is not installed")
def test_shellcheck_finds_nothing_in_the_scripts(host: Host) -> None:
    by_hand = replace(artefact("hand", text="x\n"), by_hand=True)
    host.plan(host.pool(5), host.configuration("etc/x.conf"), artefact("grubby", text="true\n"), by_hand)
    scripts = [str(host.root / "plan" / name) for name in ("apply.sh", "undo.sh")]
    result = subprocess.run(["shellcheck", *scripts], capture_output=True, text=True)
    assert result.returncode == 0, result.stdout
