"""The command line: exit codes, one clear line for what goes wrong, and what the help promises."""

from __future__ import annotations

import json
import os
import stat
import subprocess
import sys
from pathlib import Path

import pytest

from advisor.cli.main import cli
from tests.fake_proc import FakeProc


def run(*arguments: str, **options: object) -> subprocess.CompletedProcess[str]:
    return subprocess.run(  # type: ignore[call-overload, no-any-return]  # options pass through
        [sys.executable, "-m", "advisor", *arguments], capture_output=True, text=True, **options
    )


@pytest.fixture
def tree(tmp_path: Path) -> list[str]:
    """Options for a captured tree with two processes."""
    proc = FakeProc(tmp_path / "tree")
    proc.add(10, name="one", rss=9000)
    proc.add(11, name="two")
    return ["--procfs", str(proc.procfs), "--sysfs", str(proc.sysfs)]


def test_every_command_and_option_has_help() -> None:
    for name, command in cli.commands.items():
        assert command.help, name
        for parameter in command.params:
            assert getattr(parameter, "help", None) or parameter.name in ("profile", "output", "name", "command"), (
                name,
                parameter,
            )


def test_a_captured_tree_gives_a_report_of_one_sample(tree: list[str]) -> None:
    done = run(*tree, "report", "--json")
    assert done.returncode == 0, done.stderr
    report = json.loads(done.stdout)
    assert report["source"]["kind"] == "tree"
    assert report["source"]["samples"] == 1
    assert [process["name"] for process in report["processes"]] == ["one", "two"]
    assert report["processes"][0]["memory"]["rss_bytes"] == 9000 * 4096 + 8192


def test_the_report_of_a_recording_is_the_report_of_the_tree(tree: list[str], tmp_path: Path) -> None:
    profile = tmp_path / "p.jsonl.zst"
    assert run(*tree, "record", "-o", str(profile)).returncode == 0
    live, saved = (json.loads(run(*tree, "report", *more, "--json").stdout) for more in ([], [str(profile)]))
    for report in (live, saved):
        del report["generated_at"], report["source"]
    live_limits, saved_limits = live.pop("limitations"), saved.pop("limitations")
    assert saved == live
    assert {one["id"] for one in saved_limits} >= {one["id"] for one in live_limits}


@pytest.mark.parametrize("format_option", [[], ["--json"], ["--markdown"]])
def test_output_goes_to_a_private_file_that_is_whole(
    tree: list[str], tmp_path: Path, format_option: list[str]
) -> None:
    file = tmp_path / "report"
    done = run(*tree, "report", *format_option, "-o", str(file))
    assert (done.returncode, done.stdout) == (0, "")
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert file.read_text().endswith("\n")
    assert [path.name for path in tmp_path.iterdir() if path.name.startswith(".")] == []


def test_secrets_stay_out_unless_asked_for(tree: list[str]) -> None:
    assert "hunter2" not in run(*tree, "report", "--json").stdout
    assert "hunter2" in run(*tree, "report", "--json", "--no-redact").stdout


@pytest.mark.parametrize(
    ("arguments", "code", "says"),
    [
        (["report", "/nonexistent.jsonl.zst"], 4, "/nonexistent.jsonl.zst: No such file"),
        (["--procfs", "/nonexistent", "report"], 4, "neither a process nor meminfo can be read"),
        (["report", "--pid", "99999999"], 3, "process 99999999 is gone"),
        (["record", "-o", "/tmp/x.txt"], 2, "must end in"),
        (["record", "-o", "/nonexistent/x.jsonl"], 1, "/nonexistent/x.jsonl: No such file"),
        (["report", "--duration", "-1"], 2, "--duration"),
        (["explain", "no-such-rule"], 2, "nothing is called 'no-such-rule'"),
        (["bogus"], 2, "No such command"),
    ],
)
def test_what_goes_wrong_is_one_clear_line_and_a_code(arguments: list[str], code: int, says: str) -> None:
    done = run(*arguments)
    assert done.returncode == code, done.stderr
    assert says in done.stderr
    assert "Traceback" not in done.stderr
    assert done.stdout == ""


def test_a_reader_that_goes_away_is_met_with_silence() -> None:
    writing = subprocess.Popen([sys.executable, "-m", "advisor", "explain"], stdout=-1, stderr=-1, text=True)
    assert writing.stdout is not None
    writing.stdout.close()
    assert writing.stderr is not None
    assert writing.stderr.read() == ""
    assert writing.wait() == 1, "the output was not delivered in full"


def test_every_name_that_explain_lists_can_be_explained() -> None:
    listed = run("explain").stdout
    names = [line.split()[0] for line in listed.splitlines() if line.startswith("  ")]
    assert len(names) > 150
    program = "import sys\nfrom advisor.cli.explain import run\nfor name in sys.argv[1:]: run(name)\n"
    done = subprocess.run([sys.executable, "-c", program, *names], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr


def test_text_fits_the_width_it_is_given(tree: list[str]) -> None:
    for width in (80, 120):
        done = run(*tree, "report", env={**os.environ, "COLUMNS": str(width)})
        assert max(map(len, done.stdout.splitlines())) <= width
