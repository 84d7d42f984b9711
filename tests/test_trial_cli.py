"""The command `trial`: what it asks, refuses, hides and prints; measured on short commands of its own."""

from __future__ import annotations

import dataclasses
import json
import signal
import subprocess
import sys
import time
from pathlib import Path

import click
import jsonschema
import msgspec
import pytest
from msgspec.structs import replace

from advisor.cli import trial as command
from advisor.cli.main import cli
from advisor.cli.size import size_bytes
from advisor.cli.trial_changes import effects_on_others, settings_needed
from advisor.cli.trial_redact import redact_trial
from advisor.procfs.fs import KernelFs
from advisor.render.trial_json import render_trial_json
from advisor.trial.document import Policy, Trial, Way
from advisor.trial.schema import trial_schema
from advisor.trial.summary import compare
from advisor.trial.trial import Progress
from advisor.units import MIB
from tests.render import trial_samples as samples

WORK = "import time; data = bytearray(16 << 20); time.sleep(0.5); print('rate = 5'); print('rate = 42.5')"
"""Touches 16 MiB and stays long enough to be looked at."""

FOR_EVER = "import sys, time; open(sys.argv[1], 'w').close(); time.sleep(60)"
"""Says by a file that it runs."""


def run(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "advisor", "trial", *arguments], capture_output=True, text=True, timeout=60
    )


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ([], "say what to run"),
        (["--pid", "5", "--", "true"], "either --pid or a command"),
        (["--pid", "5", "--rounds", "3"], "--rounds goes with a command"),
        (["--steps", "50", "--", "true"], "--steps goes with --pid"),
        (["--windows", "9", "--", "true"], "--windows goes with --pid"),
        (["--pid", "5", "--windows", "3"], "not in the range"),
        (["--metric", "x", "--", "true"], "needs --higher-is-better or --lower-is-better"),
        (["--metric", "(", "--lower-is-better", "--", "true"], "no regular expression"),
        (["--metric", "x", "--cpu", "--higher-is-better", "--", "true"], "exclude each other"),
        (["--higher-is-better", "--", "true"], "go with --metric"),
        (["--ready", "(", "--", "true"], "--ready: '\\(' is no regular"),
        (["--policies", "base,nonsense", "--", "true"], "no policy 'nonsense'"),
        (["--way", "nonsense", "--", "true"], "not of the form"),
        (["--policies", "base", "--way", "thp: -x", "--", "true"], "no policy 'thp' in this trial"),
        (["--pool-bytes", "lots", "--", "true"], "no size"),
        (["--rounds", "0", "--", "true"], "not in the range"),
    ],
)
def test_what_does_not_go_together_is_a_usage_error(arguments: list[str], words: str) -> None:
    with pytest.raises(click.UsageError, match=words):
        cli.main(["trial", *arguments], standalone_mode=False)


def test_a_captured_tree_cannot_be_tried(tmp_path: Path) -> None:
    with pytest.raises(click.UsageError, match="captured tree"):
        cli.main(["--procfs", str(tmp_path), "trial", "--", "true"], standalone_mode=False)


def test_a_command_that_is_not_there_is_one_line_and_3() -> None:
    done = run("--", "no-such-program", "x")
    assert (done.returncode, done.stdout) == (3, "")
    assert done.stderr == "hugepage-advisor: no-such-program: no such program, or it may not be executed\n"


@pytest.mark.parametrize(
    ("text", "size"), [("4096", 4096), ("2G", 2 << 30), ("512MiB", 512 * MIB), ("3kb", 3072), (None, None)]
)
def test_sizes_are_binary(text: str | None, size: int | None) -> None:
    parameter = click.Option(["--x"])
    assert size_bytes(click.Context(cli), parameter, text) == size


def test_needed_settings_are_named_with_their_values(tmp_path: Path) -> None:
    thp = tmp_path / "kernel/mm/transparent_hugepage"
    pool = tmp_path / "kernel/mm/hugepages/hugepages-2048kB"
    for folder in (thp, pool):
        folder.mkdir(parents=True)
    (thp / "enabled").write_text("always [madvise] never\n")
    for name, value in (("nr_hugepages", 10), ("free_hugepages", 6), ("resv_hugepages", 2)):
        (pool / name).write_text(f"{value}\n")
    fs = KernelFs("/proc", str(tmp_path))
    small = Policy("pool-2M", "hugetlb", 2 * MIB)
    ways = [
        Way(samples.BASE, "prctl", "", thp_disable=True),
        Way(samples.THP, "system-mode", "", thp_enabled="always"),
        Way(samples.THP, "system-mode", "", thp_enabled="madvise"),
        Way(small, "glibc-tunables", "", pool_page_bytes=2 * MIB),
        Way(samples.POOL_1G, "none", "", pool_page_bytes=1 << 30, why_unusable="no"),
    ]
    mode, grown = settings_needed(ways, fs, 20 * MIB)
    assert mode == "/sys/kernel/mm/transparent_hugepage/enabled: madvise -> always (for thp)"
    assert grown == "/sys/kernel/mm/hugepages/hugepages-2048kB/nr_hugepages: 10 -> 16 (for pool-2M)"
    assert settings_needed(ways[3:], fs, 8 * MIB) == []
    assert [line.split()[0] for line in effects_on_others(ways)] == ["While", "Memory"]
    assert list(effects_on_others([ways[0], ways[2], ways[4]])) == []
    assert "until as much is free" in settings_needed(ways[3:], fs, None)[0]


@pytest.fixture
def never_host(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> KernelFs:
    """A host whose THP is off, seen by root without a terminal."""
    thp = tmp_path / "kernel/mm/transparent_hugepage"
    thp.mkdir(parents=True)
    (thp / "enabled").write_text("always madvise [never]\n")
    (thp / "hpage_pmd_size").write_text("2097152\n")
    monkeypatch.setattr("os.geteuid", lambda: 0)
    monkeypatch.setattr("sys.stdin.isatty", lambda: False)
    return KernelFs("/proc", str(tmp_path))


def asking(policies: str) -> command.CommandRequest:
    return command.CommandRequest(("/proc", "/sys"), ["cat"], policies=policies)


def test_without_yes_the_settings_are_named_and_left_alone(
    never_host: KernelFs, capsys: pytest.CaptureFixture[str]
) -> None:
    assert not command.ask(asking("base,thp"), never_host)
    shown = capsys.readouterr().err
    assert "transparent_hugepage/enabled: never -> always (for thp)" in shown
    assert "put back at the end" in shown and "Not changed without --yes" in shown
    assert not command.ask(asking("base"), never_host)
    assert capsys.readouterr().err == ""


def test_on_a_terminal_it_is_asked(never_host: KernelFs, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.stdin.isatty", lambda: True)
    monkeypatch.setattr(sys.stderr, "isatty", lambda: True)
    for answer in (True, False):
        monkeypatch.setattr(click, "confirm", lambda *_, answer=answer, **__: answer)
        assert command.ask(asking("base,thp"), never_host) is answer


def test_with_yes_it_is_said_and_not_asked(never_host: KernelFs, capsys: pytest.CaptureFixture[str]) -> None:
    assert command.ask(dataclasses.replace(asking("base,thp"), assume_yes=True), never_host)
    shown = capsys.readouterr().err
    assert "are changed, and put back" in shown and "never -> always (for thp)" in shown
    assert "every process gets huge pages" in shown and "--yes" not in shown
    assert command.ask(dataclasses.replace(asking("base"), assume_yes=True), never_host)
    assert capsys.readouterr().err == ""


def test_a_container_with_fixed_settings_is_told_so(
    never_host: KernelFs, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("advisor.trial.ways._is_read_only", lambda _: True)
    assert not command.ask(dataclasses.replace(asking("base,thp"), assume_yes=True), never_host)
    assert "/sys is read-only here" in capsys.readouterr().err


def test_an_output_that_cannot_be_written_is_told_of_before_anything_runs(tmp_path: Path) -> None:
    done = run("-o", str(tmp_path / "none/trial.json"), "--", "touch", str(tmp_path / "ran"))
    assert done.returncode == 1 and "cannot be written" in done.stderr
    assert not (tmp_path / "ran").exists()


def test_who_is_not_root_is_told_so(
    never_host: KernelFs, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("os.geteuid", lambda: 1000)
    assert not command.ask(asking("base,thp"), never_host)
    assert "only root can" in capsys.readouterr().err


def test_the_command_to_repeat_holds_the_answer_that_was_given() -> None:
    request = dataclasses.replace(asking("base"), repeat=["hugepage-advisor", "trial", "--", "cat"])
    assert command.repeat_words(request, may_change=False) == ["hugepage-advisor", "trial", "--", "cat"]
    assert command.repeat_words(request, may_change=True) == ["hugepage-advisor", "trial", "--yes", "--", "cat"]


def test_secrets_are_hidden_wherever_they_can_stand() -> None:
    trial = samples.make_trial({samples.BASE: 1, samples.THP: 0.8})
    way = replace(
        trial.ways[1],
        command=["./x", "--password=hunter2"],
        environment={"DB_PASSWORD": "hunter2", "GLIBC_TUNABLES": "glibc.malloc.hugetlb=1"},
        description="as the user says: DB_PASSWORD=hunter2",
    )
    runs = [
        replace(run, not_counted="exit code 1: token=hunter2 refused", exit_code=1) if run.policy == "thp" else run
        for run in trial.runs
    ]
    told = samples.conclude(
        replace(trial, command=["./x", "--password=hunter2"], ways=[trial.ways[0], way], runs=runs)
    )
    hidden = redact_trial(told)
    assert "hunter2" in render_trial_json(told)
    assert "hunter2" not in render_trial_json(hidden)
    assert hidden.ways[1].environment == {"DB_PASSWORD": "***", "GLIBC_TUNABLES": "glibc.malloc.hugetlb=1"}
    assert hidden.comparisons == compare(hidden.runs, hidden.ways, hidden.metric.better)
    assert redact_trial(hidden) == hidden


def test_the_line_on_stderr_is_for_terminals_only(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    line = command.ProgressLine()
    line.show(Progress("thp", 1, 0, 8))
    line.clear()
    assert capsys.readouterr().err == ""
    monkeypatch.setattr(sys.stderr, "isatty", lambda: True)
    monkeypatch.setattr("advisor.cli.talk._takes_text", lambda _: True)
    line = command.ProgressLine()
    line.show(Progress("pool-2M", 0, 3, 8))
    line.show(Progress("thp", 1, 4, 8, samples.make_run(samples.THP, 1, 3, 1.25)))
    line.clear()
    shown = capsys.readouterr().err.split("\r")
    assert shown[1] == "3 of 8 runs; pool-2M, warm-up"
    assert shown[2].rstrip() == "4 of 8 runs; thp, round 1, 1.25 s"
    assert shown[3].strip() == "" and shown[-1] == ""
    monkeypatch.setattr("advisor.cli.talk._takes_text", lambda _: False)
    line.show(Progress("thp", 1, 0, 8))
    assert capsys.readouterr().err == "", "a terminal that is stopped is not waited for"


def test_exit_codes_are_seen_where_the_parent_ignores_them() -> None:
    """SIGCHLD ignored is inherited, and the kernel then keeps neither exit codes nor CPU times."""
    command = ["trial", "--policies", "base", "--rounds", "1", "--", "sh", "-c", "exit 3"]
    done = subprocess.run(
        ["env", "--ignore-signal=CHLD", sys.executable, "-m", "advisor", *command], capture_output=True, text=True
    )
    assert "exit code 3" in done.stdout


@pytest.mark.host
def test_a_trial_without_changes_prints_a_document_that_can_be_checked() -> None:
    done = run("--policies", "base,default", "--rounds", "3", "--metric", r"rate = (\S+)", "--higher-is-better",
               "--json", "--", sys.executable, "-c", WORK, "--token=hunter2")  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert "hunter2" not in done.stdout
    document = json.loads(done.stdout)
    jsonschema.validate(document, trial_schema())
    trial = msgspec.json.decode(done.stdout, type=Trial)
    assert [way.policy.name for way in trial.ways] == ["base", "default"]
    assert len(trial.runs) == 8 and {run.value for run in trial.runs} == {42.5}
    assert compare(trial.runs, trial.ways, trial.metric.better) == trial.comparisons
    assert [one.verdict for one in trial.comparisons] == ["no-difference"]
    assert not trial.changes and not trial.interrupted


@pytest.mark.host
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_ends_the_trial_and_prints_what_there_is(number: signal.Signals, tmp_path: Path) -> None:
    output, running = tmp_path / "trial.txt", tmp_path / "running"
    arguments = ["--policies", "base,default", "-o", str(output), "--", sys.executable, "-c", FOR_EVER, str(running)]
    process = subprocess.Popen(
        [sys.executable, "-m", "advisor", "trial", *arguments], stderr=subprocess.PIPE, text=True
    )
    try:
        deadline = time.monotonic() + 20
        while not running.exists() and time.monotonic() < deadline:
            time.sleep(0.02)
        process.send_signal(number)
        _, errors = process.communicate(timeout=20)
    finally:
        process.kill()
    assert (process.returncode, errors) == (130, "")
    assert output.read_text().startswith("Interrupted; so far: ")
