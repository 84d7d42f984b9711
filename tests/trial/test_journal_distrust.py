"""A journal is input: damaged, hostile or half written, it never makes root write elsewhere."""

from __future__ import annotations

import json
import os
import resource
import signal
import tempfile
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from advisor.trial.errors import BusyError, SettingError
from advisor.trial.knob import is_ours
from advisor.trial.record import MOST_DAMAGED, line_of, parse_journal
from tests.trial.knobs import Host, in_child


@pytest.fixture
def host(tmp_path: Path) -> Host:
    return Host(tmp_path)


@pytest.mark.parametrize("name", ["../outside", "link", "x/../number", "a\0b", "\ud800", "new\nline"])
def test_a_journal_cannot_name_files_elsewhere(host: Host, name: str) -> None:
    outside = host.knobs.parent / "outside"
    outside.write_text("9\n")
    (host.knobs / "link").symlink_to(outside)
    host.plant({"change": f"{host.knobs}/{name}", "before": "7", "during": "9"})
    done = host.restore()
    assert [one.restored for one in done] == [False]
    assert done[0].message.isprintable()
    assert outside.read_text() == "9\n"
    assert (host.knobs / "link").is_symlink()
    with host.journal() as journal, pytest.raises(SettingError, match="may write"):
        journal.change(outside, "8")


def test_a_damaged_line_is_said_once_and_the_rest_is_done(host: Host) -> None:
    host.number.write_text("9\n")
    journal = host.plant()
    journal.write_bytes(journal.read_bytes() + b'\x1b[2Jnonsense\n{"change": 1}\n[]\n')
    journal.write_bytes(journal.read_bytes() + line_of(host.change(host.number, "7", "9")))
    done = host.restore()
    assert [one.restored for one in done] == [False, False, False, True]
    assert all(one.message.isprintable() for one in done)
    assert host.number.read_text() == "7\n"
    assert host.restore() == []


def test_a_journal_of_another_version_is_kept_and_said(host: Host) -> None:
    host.number.write_text("9\n")
    journal = host.plant(host.change(host.number, "7", "9"))
    text = journal.read_text().replace('"journal": 1', '"journal": 2')
    journal.write_text(text)
    for _ in range(2):
        (said,) = host.restore()
        assert "format 2 is not known" in said.message and not said.restored
    assert (journal.read_text(), host.number.read_text()) == (text, "9\n")
    with host.journal() as other, pytest.raises(BusyError):
        other.change(host.mode, "always")


@given(st.data())
@settings(max_examples=150, deadline=None)
def test_a_journal_cut_anywhere_keeps_its_whole_lines(data: st.DataObject) -> None:
    words = st.text(st.characters(codec="ascii", categories=["L", "N", "P"]), min_size=1, max_size=9)
    changes = data.draw(st.lists(st.tuples(st.sampled_from("abc"), words, words), min_size=1, max_size=6))
    lines = [line_of({"change": path, "before": before, "during": during}) for path, before, during in changes]
    text = b"".join(lines)
    cut = data.draw(st.integers(0, len(text)))
    record = parse_journal(text[:cut])
    whole = text[:cut].count(b"\n")
    assert not record.damaged
    assert record.whole_bytes == sum(map(len, lines[:whole]))
    expected: dict[str, str] = {}
    for path, before, _ in changes[:whole]:
        expected.setdefault(path, before)
    assert {path: changed.before for path, changed in record.changes.items()} == expected


def test_a_file_of_damaged_lines_is_not_read_to_its_end() -> None:
    record = parse_journal(b"\n" * 100_000)
    assert len(record.damaged) == MOST_DAMAGED + 1
    assert "not read" in record.damaged[-1]


@given(
    st.binary(max_size=300) | st.text(max_size=100).map(lambda text: json.dumps({"change": text}).encode() + b"\n")
)
def test_no_text_makes_the_parser_fail(data: bytes) -> None:
    record = parse_journal(data)
    assert not record.changes
    assert record.whole_bytes <= len(data)


@given(st.lists(st.integers(0, 999), min_size=2, max_size=5), st.integers(0, 999))
def test_any_part_of_a_pool_that_was_asked_for_last_is_ours(reached: list[int], current: int) -> None:
    steps = [str(number) for number in reached]
    is_between = min(reached[-2:]) <= current <= max(reached[-2:])
    assert is_ours(Path("hugepages-2048kB/nr_hugepages"), str(current), steps, is_told=True) == is_between


@given(st.lists(st.integers(0, 9), min_size=2, max_size=5), st.integers(0, 9), st.booleans())
def test_of_any_other_number_only_what_was_left_is_ours(reached: list[int], current: int, is_told: bool) -> None:
    ours = reached[-1:] if is_told else reached[-2:]
    steps = [str(number) for number in reached]
    assert is_ours(Path("vm/min_free_kbytes"), str(current), steps, is_told=is_told) == (current in ours)


def test_a_full_disk_changes_nothing_and_leaves_no_half_line(host: Host) -> None:
    def trial() -> None:
        journal = host.journal()
        journal.change(host.mode, "always")
        size = host.left()[0].stat().st_size
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        resource.setrlimit(resource.RLIMIT_FSIZE, (size + 10, size + 10))
        with pytest.raises(SettingError, match="nothing is changed"):
            journal.change(host.number, "9")
        assert host.left()[0].stat().st_size == size
        assert host.number.read_text() == "7\n"
        assert [one.restored for one in journal.restore()] == [True]
        assert not host.left()

    assert in_child(trial) == 0


@pytest.mark.parametrize("unsafe", ["link", "others write", "file"])
def test_a_folder_that_others_could_have_prepared_is_refused(host: Host, tmp_path: Path, unsafe: str) -> None:
    if unsafe == "link":
        (tmp_path / "elsewhere").mkdir()
        host.state.symlink_to(tmp_path / "elsewhere")
    elif unsafe == "file":
        host.state.write_text("")
    else:
        host.state.mkdir()
        host.state.chmod(0o777)
    with host.journal() as journal, pytest.raises(SettingError):
        journal.change(host.number, "9")
    assert host.number.read_text() == "7\n"
    with pytest.raises(SettingError):
        host.restore()


@pytest.mark.parametrize("unsafe", ["link", "second name", "others write", "pipe"])
def test_a_journal_that_is_not_plainly_ours_is_not_used(host: Host, tmp_path: Path, unsafe: str) -> None:
    host.number.write_text("9\n")
    path = host.plant(host.change(host.number, "7", "9"))
    if unsafe == "link":
        path.symlink_to(path.rename(tmp_path / "moved"))
    elif unsafe == "second name":
        os.link(path, tmp_path / "second")
    elif unsafe == "pipe":
        path.unlink()
        os.mkfifo(path)
    else:
        path.chmod(0o666)
    done = host.restore()
    assert [one.restored for one in done] == [False]
    assert path.name in done[0].message
    assert host.number.read_text() == "9\n"


def test_without_rights_the_message_names_file_and_remedy() -> None:
    if os.geteuid() != 0:
        pytest.skip("needs root to become nobody")
    with tempfile.TemporaryDirectory() as name:  # pytest's own folders are closed to others
        Path(name).chmod(0o755)
        host = Host(Path(name))

        def trial() -> None:
            os.setgroups([])
            os.setgid(65534)
            os.setuid(65534)
            with pytest.raises(SettingError, match=r"number: cannot be changed: Permission denied; run as root"):
                host.journal().change(host.number, "9")

        assert in_child(trial) == 0
        assert not host.state.exists()
