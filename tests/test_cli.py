"""The command line: exit codes, one clear line for what goes wrong, and what the help promises."""

from __future__ import annotations

import json
import os
import stat
import subprocess
import sys
from pathlib import Path

import click
import pytest

from advisor.advise import NO_MODEL
from advisor.cli import report as report_command
from advisor.cli.main import cli
from advisor.collect.probes import PROBES
from advisor.predictor import ModelError
from tests.fake_proc import FakeProc
from tests.in_process import advisor
from tests.programs import planted

IDLE = str(Path(__file__).resolve().parents[1] / "sample_profiles" / "idle.jsonl.zst")


def started(*arguments: str) -> subprocess.CompletedProcess[str]:
    """As a user starts it; `advisor` does the same inside this process."""
    return subprocess.run([sys.executable, "-m", "advisor", *arguments], capture_output=True, text=True)


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
            plain = parameter.name in ("profile", "output", "name", "command", "path", "before", "after", "inputs")
            assert getattr(parameter, "help", None) or plain, (name, parameter)


def test_without_a_command_and_without_a_terminal_there_is_help() -> None:
    done = started()
    assert done.returncode == 0, done.stderr
    assert "Commands:" in done.stdout and "tui" in done.stdout


def test_a_captured_tree_gives_a_report_of_one_sample(tree: list[str]) -> None:
    done = started(*tree, "report", "--json")
    assert done.returncode == 0, done.stderr
    report = json.loads(done.stdout)
    assert report["source"]["kind"] == "tree"
    assert report["source"]["samples"] == 1
    assert [process["name"] for process in report["processes"]] == ["one", "two"]
    assert report["processes"][0]["memory"]["rss_bytes"] == 9000 * 4096 + 8192


def test_the_report_of_a_recording_is_the_report_of_the_tree(tree: list[str], tmp_path: Path) -> None:
    profile = tmp_path / "p.jsonl.zst"
    assert started(*tree, "record", "-o", str(profile)).returncode == 0
    live, saved = (json.loads(advisor(*tree, "report", *more, "--json").stdout) for more in ([], [str(profile)]))
    for report in (live, saved):
        del report["generated_at"], report["source"]
    live_limits, saved_limits = live.pop("limitations"), saved.pop("limitations")
    assert saved == live
    assert {one["id"] for one in saved_limits} >= {one["id"] for one in live_limits}


@pytest.mark.parametrize("format_option", [[], ["--json"], ["--markdown"], ["--html"]])
def test_output_goes_to_a_private_file_that_is_whole(
    tree: list[str], tmp_path: Path, format_option: list[str]
) -> None:
    file = tmp_path / "report"
    done = advisor(*tree, "report", *format_option, "-o", str(file))
    assert (done.returncode, done.stdout) == (0, "")
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert file.read_text().endswith("\n")
    assert [path.name for path in tmp_path.iterdir() if path.name.startswith(".")] == []


@pytest.mark.parametrize(("name", "code"), [("redis-madvise", 0), ("jvm", 10), ("malloc-churn-always", 11)])
def test_the_exit_code_says_what_the_report_does(name: str, code: int) -> None:
    profile = str(Path(IDLE).with_name(f"{name}.jsonl.zst"))
    assert advisor("report", "--check", profile).returncode == code
    assert advisor("report", profile).returncode == 0


def test_secrets_stay_out_unless_asked_for(tree: list[str]) -> None:
    assert "hunter2" not in advisor(*tree, "report", "--json").stdout
    assert "hunter2" in advisor(*tree, "report", "--json", "--no-redact").stdout


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
        (["report", "--want", "99999999=2M"], 3, "process 99999999 is gone"),
        (["report", "--want", "1=huge"], 2, "'huge' is no policy: leave, thp, thp-off, pool, or"),
        (["report", "--want", "2M"], 2, "'2M' is not PID=POLICY"),
        (["report", "--want", "1=0M"], 2, "'0M' is no policy"),
        (["report", "--want-thp", "sometimes"], 2, "'sometimes' is not one of"),
        (["plan", "--want-pool", "2M"], 2, "'2M' is not SIZE=PAGES"),
        (["plan", "--want-pool", "2M=many"], 2, "'2M=many' is not SIZE=PAGES"),
        (["plan", IDLE, "--want-pool", "64K=5"], 2, "no pool of pages of 64 KiB: it has 2 MiB and 1 GiB"),
        (["report", IDLE, "--want-pool", "1G=500"], 2, "500 GiB is more than its memory of"),
        (["tui"], 2, "needs a terminal"),
        (["bogus"], 2, "No such command"),
    ],
)
def test_what_goes_wrong_is_one_clear_line_and_a_code(arguments: list[str], code: int, says: str) -> None:
    run = started if arguments[0] in ("record", "tui") else advisor
    done = run(*arguments)
    assert done.returncode == code, done.stderr
    assert says in done.stderr
    assert "Traceback" not in done.stderr
    assert done.stdout == ""


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--probe", "density"], "name it with --pid"),
        (["--pid", "1", "--probe", "heat"], "no probe is called 'heat'; there are referenced, density, soft-dirty"),
        (["--pid", "1", "--probe", ""], "no probe is called ''"),
        (["--pid", "1", "--probe", "density,"], "no probe is called ''"),
        (["saved.jsonl", "--pid", "1", "--probe", "density"], "disturbs a running process"),
    ],
)
def test_a_probe_is_of_a_running_process_that_is_named(arguments: list[str], words: str) -> None:
    with pytest.raises(click.UsageError, match=words):
        cli.main(["report", *arguments], standalone_mode=False)


def test_a_live_process_is_probed_and_the_cost_is_said_before() -> None:
    with planted("tiny", 8) as process:
        done = advisor(
            "report", "--pid", str(process.pid), "--duration", "0.1", "--probe", "density, referenced", "--json"
        )
    assert done.returncode == 0, done.stderr
    assert done.stderr.splitlines()[:2] == [f"probe {name}: {PROBES[name]}" for name in ("referenced", "density")]
    report = json.loads(done.stdout)
    assert report["source"]["samples"] == 2, "a probe is no further sample, whose rates would be of a moment"
    (entry,) = report["processes"]
    probes = entry["probes"]
    assert {*probes["costs"], *probes["problems"]} == {"referenced", "density"}
    if "referenced" in probes["costs"]:
        assert probes["costs"]["referenced"]["lock_s"] > 0
        assert 0 <= probes["features"]["probe_touched_share_256ms"] <= 1


def test_a_captured_tree_cannot_be_probed_and_says_so(tree: list[str]) -> None:
    done = advisor(*tree, "report", "--pid", "10", "--probe", "density")
    assert done.returncode == 0, done.stderr
    assert "probe density: could not run, captured-tree" in done.stdout


def test_without_a_usable_model_the_report_goes_on(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def broken() -> None:
        raise ModelError("gain.skops: other features")

    monkeypatch.setattr(report_command, "load_predictor", broken)
    assert report_command.model_for_advice() == (None, "the model cannot be used")
    assert "gain.skops: other features; going on with rules alone" in capsys.readouterr().err
    monkeypatch.setattr(report_command, "load_predictor", lambda: None)
    assert report_command.model_for_advice() == (None, NO_MODEL)
    assert capsys.readouterr().err == ""


def test_a_reader_that_goes_away_is_met_with_silence() -> None:
    writing = subprocess.Popen([sys.executable, "-m", "advisor", "explain"], stdout=-1, stderr=-1, text=True)
    assert writing.stdout is not None
    writing.stdout.close()
    assert writing.stderr is not None
    assert writing.stderr.read() == ""
    assert writing.wait() == 1, "the output was not delivered in full"


def test_every_name_that_explain_lists_can_be_explained() -> None:
    listed = advisor("explain").stdout
    names = [line.split()[0] for line in listed.splitlines() if line.startswith("  ")]
    assert len(names) > 150
    for name in names:
        done = advisor("explain", name)
        assert done.returncode == 0, done.stderr


def test_text_fits_the_width_it_is_given(tree: list[str]) -> None:
    for width in (80, 120):
        done = advisor(*tree, "report", env={**os.environ, "COLUMNS": str(width)})
        assert max(map(len, done.stdout.splitlines())) <= width


def test_a_capture_is_imported_and_its_report_is_the_report_of_the_profile(tree: list[str], tmp_path: Path) -> None:
    capture, profile = tmp_path / "case.tar.gz", tmp_path / "case.jsonl.zst"
    subprocess.run(["tar", "czf", capture, "-C", tmp_path / "tree", "proc", "sys"], check=True)
    done = advisor("import", str(capture), "-o", str(profile))
    assert (done.returncode, done.stdout) == (0, ""), done.stderr
    assert done.stderr == f"{profile}: tree, 2 processes, smaps of 2\n"
    imported, direct = (json.loads(advisor("report", str(path), "--json").stdout) for path in (profile, capture))
    assert imported["source"]["origin"] == direct["source"]["origin"] == "tree case.tar.gz"
    assert imported["processes"] == direct["processes"]
    assert "hunter2" not in advisor("report", str(capture), "--markdown").stdout


def test_what_cannot_be_imported_is_one_line_and_code_4(tmp_path: Path) -> None:
    for arguments in (
        ["import", str(tmp_path), "-o", str(tmp_path / "x.jsonl")],
        ["report", str(tmp_path / "x.tar")],
    ):
        done = advisor(*arguments)
        assert (done.returncode, done.stderr.count("\n")) == (4, 1), done.stderr
    assert advisor("import", str(tmp_path), "-o", str(tmp_path / "x.txt")).returncode == 2


def test_profiles_captures_and_reports_are_compared(tree: list[str], tmp_path: Path) -> None:
    capture, report = tmp_path / "case.tar", tmp_path / "report.json"
    subprocess.run(["tar", "cf", capture, "-C", tmp_path / "tree", "proc", "sys"], check=True)
    assert advisor(*tree, "report", "--json", "-o", str(report)).returncode == 0
    done = advisor("compare", str(report), str(capture), "--json")
    assert done.returncode == 0, done.stderr
    comparison = json.loads(done.stdout)
    assert (comparison["before"]["name"], comparison["after"]["name"]) == ("report.json", "case.tar")
    assert [pair["matched_by"] for pair in comparison["processes"]] == ["pid-start", "pid-start"]
    assert comparison["summary"] == "Nothing changed."


def test_what_cannot_be_compared_is_one_line_and_code_4(tmp_path: Path) -> None:
    (tmp_path / "x.json").write_text('{"schema": "hugepage-advisor/report/9"}')
    done = advisor("compare", str(tmp_path / "x.json"), str(tmp_path / "absent"))
    assert (done.returncode, done.stderr.count("\n")) == (4, 1), done.stderr
