"""`plan`: the texts in order, and the folder that applies them."""

from __future__ import annotations

import functools
import json
import stat
import subprocess
from pathlib import Path

import pytest
from click.testing import CliRunner, Result
from msgspec.structs import replace

from advisor.advise import advise
from advisor.cli.errors import CommandError, ExitCode
from advisor.cli.main import cli
from advisor.procfs.configuration import ConfiguredValue, HostConfiguration, HugetlbfsMount
from advisor.profile.codec import ProfileWriter, load_profile
from advisor.render.plan_files import plan_files
from advisor.render.plan_text import render_plan
from advisor.report.document import Report
from advisor.save.plan_folder import FolderRefused, write_folder

SAMPLES = Path(__file__).resolve().parents[1] / "sample_profiles"
POSTGRES = str(SAMPLES / "postgres-huge-pages-off.jsonl.zst")
IDLE = str(SAMPLES / "idle.jsonl.zst")


def run(*arguments: str) -> Result:
    return CliRunner().invoke(cli, ["plan", *arguments])


@functools.cache
def report_of(profile: str) -> Report:
    return advise(load_profile(Path(profile)))


def written(tmp_path: Path, profile: str = POSTGRES) -> Path:
    folder = tmp_path / "plan"
    write_folder(folder, plan_files(report_of(profile)))
    return folder


def refused(folder: Path) -> None:
    with pytest.raises(FolderRefused):
        write_folder(folder, plan_files(report_of(POSTGRES)))


def test_without_a_folder_the_texts_are_printed_in_order_with_their_undo() -> None:
    output = render_plan(report_of(POSTGRES))
    order = [output.index(text) for text in ("nr_hugepages", "/etc/", "huge_pages = ")]
    assert order == sorted(order)
    assert output.count("to undo:") == output.count("\nas root:") + output.count("content of") + output.count(
        "by hand:"
    )


def test_a_host_that_is_as_it_should_be_has_nothing_to_apply(tmp_path: Path) -> None:
    assert "There is nothing to apply." in run(IDLE).output
    folder = tmp_path / "plan"
    assert run(IDLE, "-o", str(folder)).exit_code == 0
    assert "nothing to apply" in (folder / "README.md").read_text()


def test_what_was_asked_for_is_planned_and_who_loses_is_on_the_page(tmp_path: Path) -> None:
    folder = tmp_path / "plan"
    assert run(POSTGRES, "--want-pool", "2M=300", "--want-thp", "never", "-o", str(folder)).exit_code == 0
    page = (folder / "README.md").read_text()
    assert "As asked for, not as advised" in page
    assert "## Who loses" in page and "the pool that was asked for has no pages left" in page.lower()
    apply = (folder / "apply.sh").read_text()
    assert "nr_hugepages 300" in apply and "transparent_hugepage/enabled" in apply


def test_only_the_owner_can_read_the_files_and_only_scripts_can_be_run(tmp_path: Path) -> None:
    folder = written(tmp_path)
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700
    modes = {file.name: stat.S_IMODE(file.stat().st_mode) for file in folder.iterdir()}
    assert {name for name, mode in modes.items() if mode == 0o700} == {"apply.sh", "undo.sh"}
    assert set(modes.values()) == {0o600, 0o700}


def test_the_index_lists_every_file(tmp_path: Path) -> None:
    folder = written(tmp_path)
    index = json.loads((folder / "plan.json").read_text())
    assert set(index["files"]) == {file.name for file in folder.iterdir()}


def test_every_script_is_a_shell_s(tmp_path: Path) -> None:
    for script in written(tmp_path).glob("*.sh"):
        subprocess.run(["sh", "-n", str(script)], check=True)


def test_the_files_hold_the_texts_of_the_report(tmp_path: Path) -> None:
    folder = written(tmp_path)
    texts = [artefact.text for artefact in report_of(POSTGRES).plan.artefacts]
    assert [file.read_text() for file in sorted(folder.glob("[0-9]*")) if "undo" not in file.name] == texts


def test_an_earlier_plan_is_replaced_and_other_files_stay(tmp_path: Path) -> None:
    folder = written(tmp_path)
    (folder / "notes").write_text("mine")
    written(tmp_path, IDLE)
    assert sorted(file.name for file in folder.iterdir()) == [
        "README.md",
        "apply.sh",
        "notes",
        "plan.json",
        "undo.sh",
    ]


@pytest.mark.parametrize("name", ["file", "plan.json"])
def test_a_folder_of_somebody_else_is_refused(tmp_path: Path, name: str) -> None:
    (tmp_path / name).write_text("{}")
    refused(tmp_path)
    assert [file.name for file in tmp_path.iterdir()] == [name]


def test_an_index_cannot_name_a_file_elsewhere(tmp_path: Path) -> None:
    folder = written(tmp_path)
    outside = tmp_path / "precious"
    outside.write_text("mine")
    index = json.loads((folder / "plan.json").read_text())
    index["files"].append("../precious")
    (folder / "plan.json").write_text(json.dumps(index))
    refused(folder)
    assert outside.read_text() == "mine"


def test_a_plan_that_is_in_force_is_not_overwritten(tmp_path: Path) -> None:
    folder = written(tmp_path)
    (folder / "before").mkdir()
    refused(folder)
    assert (folder / "apply.sh").exists()


def test_a_link_to_a_folder_is_refused(tmp_path: Path) -> None:
    (tmp_path / "target").mkdir()
    (tmp_path / "link").symlink_to("target")
    refused(tmp_path / "link")
    assert not list((tmp_path / "target").iterdir())


def test_a_folder_in_which_others_can_write_is_refused(tmp_path: Path) -> None:
    folder = tmp_path / "open"
    folder.mkdir()
    folder.chmod(0o777)
    refused(folder)
    assert not list(folder.iterdir())


def test_a_profile_that_is_none_is_unusable(tmp_path: Path) -> None:
    broken = tmp_path / "broken.jsonl"
    broken.write_text("no profile")
    result = CliRunner().invoke(cli, ["plan", str(broken)], standalone_mode=False)
    assert isinstance(result.exception, CommandError) and result.exception.code == ExitCode.UNUSABLE


def test_a_saved_profile_gives_the_texts_that_the_live_host_gave(tmp_path: Path) -> None:
    profile = load_profile(Path(POSTGRES))
    configuration = HostConfiguration(
        boot_parameters=["transparent_hugepage=madvise"],
        values=[ConfiguredValue("sysctl", "/etc/sysctl.conf", 3, "vm.nr_hugepages", "8")],
        mounts=[HugetlbfsMount("/dev/hugepages", 2 << 20)],
        boot_tools=["grubby"],
    )
    facts = replace(profile.header.host, configuration=configuration)
    observed = replace(profile, header=replace(profile.header, host=facts))
    with ProfileWriter(tmp_path / "p.jsonl") as writer:
        writer.write_header(observed.header)
        for sample in observed.samples:
            writer.write_sample(sample, redact=True)
    saved = load_profile(tmp_path / "p.jsonl")
    assert saved.header.host.configuration == configuration
    texts = [artefact.text for artefact in advise(observed).plan.artefacts]
    assert [artefact.text for artefact in advise(saved).plan.artefacts] == texts
    assert any("/etc/sysctl.conf line 3" in text for text in texts)
