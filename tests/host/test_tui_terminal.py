"""The interface in a real terminal, as somebody on this host would use it, and the terminal after it."""

from __future__ import annotations

import contextlib
import os
import signal
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psutil
import pytest

from tests.host.knobs import THP, setting
from tests.host.terminal import AT_REST, ROOT, Flags, Terminal, advisor, left_on, terminal
from tests.programs import planted

pytestmark = [pytest.mark.host, pytest.mark.beside]

SIZES = [(80, 24), (200, 50)]
AT_WORK = Flags(alternate_screen=True, cursor=False, mouse=True, keypad=False)
PLANTED_MIB = 1024
"""More than any other program on base pages has while tests run."""
RECORDING = ROOT / "sample_profiles" / "redis-madvise.jsonl.zst"


@pytest.fixture(scope="module")
def planted_pid() -> Iterator[int]:
    """A program that reads at random in memory on base pages, which THP would help."""
    with setting(THP / "enabled", "madvise"), planted("random-access", PLANTED_MIB) as process:
        yield process.pid


@contextmanager
def restored(size: tuple[int, int], log: Path) -> Iterator[Terminal]:
    """A terminal that has to be at the end what it was at the beginning, and nothing that was started is left."""
    with terminal(size) as one:
        settings, flags = one.settings(), one.flags()
        assert flags == AT_REST
        one.log(log)
        yield one
        one.until(lambda: one.flags() == flags, "a terminal at rest")
        assert one.settings() == settings
        one.until(lambda: not left_on(log.read_bytes()), f"off again: {left_on(log.read_bytes())}")
        one.run(["true"])
        assert one.until_over() == 0, "the shell is usable"


@contextmanager
def watched(one: Terminal, *arguments: str) -> Iterator[tuple[psutil.Process, psutil.Process]]:
    """The interface at work: it and the child that watches; both have ended behind the block."""
    one.run(advisor("tui", *arguments))
    one.until_shown("PID", "ADVICE", "q Quit")
    assert one.flags() == AT_WORK
    shown = one.program()
    (watcher,) = shown.children()
    yield shown, watcher
    for process in (shown, watcher):
        with contextlib.suppress(psutil.NoSuchProcess):
            process.wait(10)
        assert not process.is_running()


def first_row(screen: str) -> str:
    """The process at the top of the table."""
    _, _, below = screen.partition("ADVICE")
    return below.splitlines()[1] if below.count("\n") else ""


@pytest.mark.parametrize("size", SIZES)
def test_who_matters_is_at_the_top_with_its_advice_and_opens(
    size: tuple[int, int], planted_pid: int, tmp_path: Path
) -> None:
    with restored(size, tmp_path / "log") as one, watched(one):
        one.until(
            lambda: (row := first_row(one.text())).split()[:1] == [str(planted_pid)] and "-> THP" in row,
            f"pid {planted_pid} at the top with its advice",
        )
        one.press("Enter")
        one.until_shown(f"pid {planted_pid}", "-> THP", "Decision", "less time")
        one.press("2")
        one.until_shown("not advised, and the host gives THP only where asked")
        one.press("3")
        one.until_shown("base pages", "THP, anonymous")
        one.press("Escape")
        one.until_shown("PID", "ADVICE")
        what_if(one, planted_pid)
        export(one, tmp_path / "plan")
        one.press("q")
        assert one.until_over() == 0


def what_if(one: Terminal, pid: int) -> None:
    """A pool for the process under the cursor, instead of what is advised."""
    one.press("p")
    one.until_shown(f"({pid})", "hugetlb 2 MiB", "enter chooses")
    one.press("Down", "Down", "Down", "Down", "Enter")
    one.until(
        lambda: any(line.split()[:1] == [str(pid)] and "> hugetlb" in line for line in one.screen()),
        "the plan with what was chosen",
    )
    one.until_shown("WHAT IF")


def export(one: Terminal, folder: Path) -> None:
    """The plan on the screen, with what was chosen, as a folder."""
    one.press("e")
    one.until_shown("Export what is on the screen, the what-if included", "Enter writes it")
    one.press("C-u")
    one.until_gone("-plan ")
    one.type(str(folder))
    one.until_shown(f"{folder.parent.name}/{folder.name}"[-20:])
    one.press("Enter")
    one.until_shown("Written")
    assert (folder / "apply.sh").exists() and (folder / "undo.sh").exists()
    assert list(folder.glob("*pool-*kB*")), "what was chosen is in it"


@pytest.mark.parametrize("size", SIZES)
def test_a_recording_is_stepped_through_and_played_to_its_end(size: tuple[int, int], tmp_path: Path) -> None:
    with restored(size, tmp_path / "log") as one, watched(one, str(RECORDING)):
        length = one.until_shown(", end").partition(", end")[0].split()[-1]
        one.press("[")
        one.until_shown(f" 1 of {length}", "sample 1 of")
        one.press("Right")
        one.until_shown(f" 2 of {length}")
        one.press("]", "Left", "Left")
        one.until_shown(f" {int(length) - 2} of {length}")
        one.press("Space")
        one.until_shown(f" {length} of {length}, end", "‖")
        one.press("q")
        assert one.until_over() == 0


@pytest.mark.parametrize("ending", ["C-c", "SIGTERM", "SIGHUP"])
def test_interrupted_it_ends_as_every_command_does(ending: str, tmp_path: Path) -> None:
    with restored((80, 24), tmp_path / "log") as one, watched(one) as (shown, _):
        if ending == "C-c":
            one.press(ending)
        else:
            shown.send_signal(signal.Signals[ending])
        assert one.until_over() == 130


def test_a_bug_is_one_line_with_the_traceback_in_a_file(tmp_path: Path) -> None:
    with restored((80, 24), tmp_path / "log") as one:
        one.run(["env", f"TMPDIR={tmp_path}", sys.executable, "-m", "tests.host.crashing"])
        assert one.until_over() == 1
        said = one.text().replace("\n", "")
        assert r"a bug ended the interface: ValueError: planted \x1b[31mbug. Please report it with" in said
        assert "Traceback" not in said
    (report,) = tmp_path.glob("hugepage-advisor-*.txt")
    assert "planted \x1b[31mbug" in report.read_text()
    assert "Traceback" in report.read_text()
    assert report.stat().st_mode & 0o777 == 0o600


def test_when_the_child_that_watches_dies_the_screen_stays_and_starts_it_again(tmp_path: Path) -> None:
    with restored((80, 24), tmp_path / "log") as one, watched(one) as (shown, watcher):
        watcher.kill()
        one.until_shown("was killed by signal 9", "R starts it again", "PID")
        one.press("R")
        one.until_gone("was killed by signal 9")
        assert [child.pid for child in shown.children()] != [watcher.pid]
        one.press("q")
        assert one.until_over() == 0


def test_it_is_stopped_and_goes_on_where_it_was(tmp_path: Path) -> None:
    """As by `kill -STOP` and -CONT, or job control: the terminal is another's meanwhile."""
    with restored((80, 24), tmp_path / "log") as one, watched(one) as (shown, _):
        os.kill(shown.pid, signal.SIGTSTP)
        one.until(lambda: shown.status() == psutil.STATUS_STOPPED, "a stopped interface")
        one.until(lambda: one.flags() == AT_REST, "a terminal at rest")
        one.type("fg\n")
        one.until(lambda: one.flags() == AT_WORK, "the interface again")
        one.until_shown("PID", "q Quit")
        one.press("q")
        one.until(lambda: not shown.is_running(), "its end")
