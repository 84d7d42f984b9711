"""Commands import only what they need: checked at run time, in a fresh interpreter."""

from __future__ import annotations

import subprocess
import sys

import pytest

HEAVY = ("textual", "sklearn", "polars", "numpy", "psutil", "rich", "elftools", "zstandard", "msgspec")


def imported_by(arguments: list[str]) -> set[str]:
    """Top-level modules that the command has imported when it ends."""
    program = (
        "import sys, contextlib, io\n"
        "from advisor.cli.main import cli\n"
        "with contextlib.redirect_stdout(io.StringIO()), contextlib.suppress(SystemExit):\n"
        f"    cli.main({arguments!r})\n"
        "print(*sorted({name.partition('.')[0] for name in sys.modules}))\n"
    )
    run = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    return set(run.stdout.split())


@pytest.mark.parametrize(
    "arguments",
    [
        ["--help"],
        ["report", "--help"],
        ["record", "--help"],
        ["trial", "--help"],
        ["model", "--help"],
        ["tui", "--help"],
        ["score", "--help"],
        ["--version"],
    ],
)
def test_help_imports_no_heavy_package(arguments: list[str]) -> None:
    assert imported_by(arguments).isdisjoint(HEAVY)


def test_recording_needs_no_frames_and_no_rendering(tmp_path: object) -> None:
    imported = imported_by(["record", "-o", f"{tmp_path}/p.jsonl.zst", "--duration", "0"])
    assert imported.isdisjoint({"textual", "sklearn", "polars", "rich"})


def test_reporting_needs_no_terminal_interface() -> None:
    assert "textual" not in imported_by(["report", "--duration", "0"])


def test_scoring_needs_no_terminal_interface() -> None:
    assert "textual" not in imported_by(["score", "sample_profiles/idle.jsonl.zst", "--jobs", "1"])


@pytest.mark.host  # a host has one trial at a time
def test_measuring_needs_neither_frames_nor_a_model() -> None:
    imported = imported_by(["trial", "--policies", "base", "--rounds", "1", "--json", "--", "true"])
    assert imported.isdisjoint({"textual", "sklearn", "skops", "polars"})


def test_the_interface_itself_needs_neither_frames_nor_a_model_nor_processes() -> None:
    program = "import sys, advisor.cli.tui\nprint(*sorted({name.partition('.')[0] for name in sys.modules}))"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert set(done.stdout.split()).isdisjoint({"sklearn", "polars", "numpy", "psutil", "elftools", "zstandard"})
