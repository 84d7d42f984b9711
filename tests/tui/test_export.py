"""Exports and recordings from the interface: what is asked, what is refused, what is written and ordered."""

from __future__ import annotations

import stat
from pathlib import Path

import pytest
from click.testing import CliRunner
from msgspec.structs import replace
from textual.pilot import Pilot
from textual.widgets import Input

from advisor.cli.main import cli
from advisor.profile.codec import SUFFIXES as PROFILE_SUFFIXES
from advisor.render.html import render_html
from advisor.render.json import render_json
from advisor.render.markdown import render_markdown
from advisor.render.plan_files import plan_files
from advisor.render.text import render_text
from advisor.report.document import Report, decode_report
from advisor.save.plan_folder import write_folder
from advisor.tui import record
from advisor.tui.app import AdvisorApp
from advisor.tui.ask_path import AskPath, Refused
from advisor.tui.export import FORMATS, TEXT_COLUMNS, ExportScreen, file_name
from advisor.watch.frames import Record, Recording, Tick
from tests.render.conftest import make_report
from tests.tui.fake import PULSES, FakeSource, names, play, said, screen_text, settled, until

POSTGRES = Path(__file__).resolve().parents[2] / "sample_profiles" / "postgres-huge-pages-off.jsonl.zst"


@pytest.fixture
def report() -> Report:
    return make_report()


@pytest.fixture
def notes(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """What the application notifies of; on the screen it stays for a few seconds only."""
    told: list[str] = []
    monkeypatch.setattr(AdvisorApp, "notify", lambda self, message, **options: told.append(message))
    return told


def files_in(folder: Path) -> dict[str, tuple[bytes, int]]:
    return {file.name: (file.read_bytes(), stat.S_IMODE(file.stat().st_mode)) for file in folder.iterdir()}


async def answer(app: AdvisorApp, pilot: Pilot[None], path: str) -> None:
    app.screen.query_one(Input).value = path
    await pilot.press("enter")
    await until(pilot, lambda: len(app.screen_stack) == 1 or "Not written" in screen_text(app))


def test_the_plan_is_exported_byte_for_byte_as_plan_writes_it(tmp_path: Path) -> None:
    """From the report that `plan -o` made, as JSON would carry it."""
    done = CliRunner().invoke(cli, ["report", "--json", str(POSTGRES), "-o", str(tmp_path / "r.json")])
    assert done.exit_code == 0, done.output
    report = decode_report((tmp_path / "r.json").read_bytes())
    write_folder(tmp_path / "cli", plan_files(report))

    async def scenario(app: AdvisorApp, pilot: Pilot[None]) -> None:
        await pilot.press("e")
        assert isinstance(app.screen, ExportScreen)
        assert app.screen.query_one(Input).value == "sample-host-plan"
        await answer(app, pilot, str(tmp_path / "tui"))
        assert len(app.screen_stack) == 1

    play(FakeSource(report), scenario)
    assert files_in(tmp_path / "tui") == files_in(tmp_path / "cli")
    assert "apply.sh" in files_in(tmp_path / "tui")


@pytest.mark.parametrize("number", [1, 2, 3, 4])
def test_a_report_is_exported_as_report_writes_it(report: Report, tmp_path: Path, number: int) -> None:
    async def scenario(app: AdvisorApp, pilot: Pilot[None]) -> None:
        await pilot.press("e", *["down"] * number)
        await until(pilot, lambda: app.screen.query_one(Input).value == file_name(report, FORMATS[number]))
        assert app.screen.query_one(Input).value.startswith("db01-report.")
        await answer(app, pilot, str(tmp_path / "out"))

    play(FakeSource(report), scenario)
    text = render_text(report, width=TEXT_COLUMNS, color=False, unicode=True, details=False)
    expected = (render_json(report), render_markdown(report), render_html(report), text)[number - 1]
    assert (tmp_path / "out").read_text() == expected
    assert stat.S_IMODE((tmp_path / "out").stat().st_mode) == 0o600


def test_a_refusal_is_shown_in_place_and_can_be_mended(report: Report, tmp_path: Path) -> None:
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "mine").write_text("mine")

    async def scenario(app: AdvisorApp, pilot: Pilot[None]) -> None:
        await pilot.press("e")
        await answer(app, pilot, str(tmp_path / "full"))
        assert "holds no earlier" in screen_text(app)
        await answer(app, pilot, str(tmp_path / "no" / "plan"))
        assert "No such file" in screen_text(app)
        await answer(app, pilot, str(tmp_path / "plan"))
        assert len(app.screen_stack) == 1
        await pilot.press("e", "escape")
        assert len(app.screen_stack) == 1

    play(FakeSource(report), scenario)
    assert (tmp_path / "plan" / "apply.sh").exists()


def test_a_name_that_was_typed_stays_when_something_else_is_chosen(report: Report) -> None:
    async def scenario(app: AdvisorApp, pilot: Pilot[None]) -> None:
        await pilot.press("e", "x", "up")
        await pilot.pause()
        assert app.screen.query_one(Input).value == "db01-planx"
        assert "> The report as text" in screen_text(app) and "  The plan" in screen_text(app)

    play(FakeSource(report), scenario)


def going(path: str, samples: int = 3, **fields: object) -> Recording:
    return replace(Recording(path, samples, 2048, is_over=False, problem=None), **fields)


def test_s_asks_for_a_new_file_starts_shows_and_ends_the_recording(
    report: Report, tmp_path: Path, notes: list[str]
) -> None:
    source = FakeSource(report)
    taken, path = tmp_path / "taken.jsonl", tmp_path / "a.jsonl.zst"
    taken.write_text("mine")

    async def scenario(app: AdvisorApp, pilot: Pilot[None]) -> None:
        await pilot.press("s")
        assert isinstance(app.screen, AskPath)
        assert app.screen.query_one(Input).value.startswith("db01-2")
        await answer(app, pilot, str(taken))
        assert "something of that name" in screen_text(app)
        await answer(app, pilot, str(path))
        assert source.orders == [Record(str(path))]
        source.put(Tick(report, 2, None, PULSES, 0.1, True, recording=going(str(path))))
        await settled(source, pilot)
        assert "3 samples, 2 KiB" in said(app, "top")
        await pilot.press("s")
        assert source.orders[1:] == [Record(None)]
        source.put(Tick(report, 3, None, PULSES, 0.1, True, recording=going(str(path), is_over=True)))
        await settled(source, pilot)
        assert "recording" not in said(app, "top")
        assert names(app) == [process.name for process in report.processes], "a path is no filter"
        assert notes == [record.news(None, going(str(path), is_over=True))[0]]  # type: ignore[index]

    play(source, scenario, (100, 30))


def test_a_recording_that_ends_by_itself_says_why(report: Report) -> None:
    source = FakeSource(report)

    async def scenario(app: AdvisorApp, pilot: Pilot[None]) -> None:
        source.put(Tick(report, 2, None, PULSES, 0.1, True, recording=going("/x/a.jsonl")))
        await settled(source, pilot)
        await pilot.press("space")
        ended = going("/x/a.jsonl", is_over=True, problem="No space left on device")
        source.put(Tick(report, 3, None, PULSES, 0.1, True, recording=ended))
        await settled(source, pilot)
        assert "ended: No space left on device" in said(app, "top"), "also while the screen is held"
        source.put(Tick(report, 4, None, PULSES, 0.1, True, recording=going("/x/b.jsonl")))
        source.fail("killed by signal 9")
        await settled(source, pilot)
        assert "ended: the process that watches" in said(app, "top")

    play(source, scenario, (120, 30))


def test_of_a_recording_or_a_captured_tree_there_is_nothing_to_record(report: Report, notes: list[str]) -> None:
    for kind, length in (("profile", 3), ("tree", None)):
        source = FakeSource(replace(report, source=replace(report.source, kind=kind)), length)

        async def scenario(app: AdvisorApp, pilot: Pilot[None], kind: str = kind) -> None:
            await pilot.press("s")
            assert len(app.screen_stack) == 1
            assert notes.pop() == record.ALREADY[kind]

        play(source, scenario)
        assert source.orders == []


def test_where_a_recording_can_begin(tmp_path: Path) -> None:
    assert set(record.SUFFIXES) == set(PROFILE_SUFFIXES)
    record.check(tmp_path / "a.jsonl.gz")
    for bad in (tmp_path / "a.json", tmp_path / "no" / "a.jsonl"):
        with pytest.raises(Refused):
            record.check(bad)
    (tmp_path / "link.jsonl").symlink_to("nowhere")
    with pytest.raises(FileExistsError):
        record.check(tmp_path / "link.jsonl")


def test_names_proposed_for_files_are_plain(report: Report) -> None:
    evil = replace(report, host=replace(report.host, hostname="../e\x1b[1m vil/\udcff"))
    assert file_name(evil, FORMATS[0]) == "e-1m-vil-plan"
    tick = Tick(evil, 1, None, [], 0.1, True)
    assert record.file_name(tick).startswith("e-1m-vil-2")
    nameless = replace(report, host=replace(report.host, hostname=None))
    assert file_name(nameless, FORMATS[1]) == "host-report.json"


def test_news_of_a_recording_come_once() -> None:
    over = going("/a.jsonl", is_over=True)
    assert record.news(None, None) is record.news(None, going("/a")) is record.news(over, over) is None
    assert record.news(going("/a.jsonl"), over) == (
        "Recorded /a.jsonl: 3 samples, 2 KiB. Open it with hugepage-advisor tui, or report.",
        False,
    )
    failed = going("/a.jsonl", is_over=True, problem="File exists", samples=0)
    assert record.news(None, failed) == ("The recording ended: File exists.", True)
