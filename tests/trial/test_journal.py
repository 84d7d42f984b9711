"""The journal: written before the change, and undone whatever happens."""

from __future__ import annotations

import json
import os
import signal
from collections.abc import Callable
from pathlib import Path

import pytest

from advisor.trial import journal as journal_module
from advisor.trial import put_back as put_back_module
from advisor.trial.errors import BusyError, ContestedError, SettingError
from advisor.trial.groups import boot_id, start_ticks
from advisor.trial.journal import killed_trials
from advisor.trial.knob import write_value
from advisor.trial.record import Owner, line_of, parse_journal
from tests.trial.knobs import MODE, Host, in_child


@pytest.fixture
def host(tmp_path: Path) -> Host:
    return Host(tmp_path)


def test_a_change_is_on_disk_before_it_is_made(host: Host, monkeypatch: pytest.MonkeyPatch) -> None:
    seen = []

    def write(path: Path, value: str) -> None:
        last = host.left()[0].read_text().splitlines()[-1]
        seen.append((json.loads(last), path.read_text()))
        write_value(path, value)

    monkeypatch.setattr(journal_module, "write_value", write)
    with host.journal() as journal:
        journal.change(host.mode, "always")
        assert oct(host.left()[0].stat().st_mode & 0o777) == "0o600"
        assert oct(host.state.stat().st_mode & 0o777) == "0o755"
    assert seen[0] == ({"change": str(host.mode), "before": "madvise", "during": "always"}, MODE)


def test_leaving_the_block_restores_the_first_value_last_change_first(host: Host) -> None:
    journal = host.journal()
    with journal:
        journal.change(host.mode, "always")
        journal.change(host.number, "9")
        journal.change(host.mode, "never")
        assert (host.mode.read_text(), host.number.read_text()) == ("never\n", "9\n")
        changes = journal.restore()
    assert [(Path(one.path).name, one.before, one.during, one.restored) for one in changes] == [
        ("number", "7", "9", True),
        ("enabled", "madvise", "never", True),
    ]
    assert (host.mode.read_text(), host.number.read_text()) == ("madvise\n", "7\n")
    assert not host.left()
    assert not journal.problems


def test_a_journal_begins_before_the_first_change_where_that_is_asked(host: Host) -> None:
    with host.journal() as journal:
        journal.begin()
        (path,) = host.left()
        journal.begin()
        assert host.left() == [path]
        with pytest.raises(BusyError):
            host.journal().begin()
        journal.change(host.number, "9")
        assert host.left() == [path]
    assert host.number.read_text() == "7\n"
    with host.journal() as journal:
        journal.begin()
    assert not host.left(), "nothing was changed, nothing is left"


@pytest.mark.parametrize("error", [KeyboardInterrupt, RuntimeError, SystemExit])
def test_an_interrupted_trial_restores(host: Host, error: type[BaseException]) -> None:
    with pytest.raises(error), host.journal() as journal:
        journal.change(host.number, "9")
        raise error
    assert host.number.read_text() == "7\n"
    assert not host.left()


def raising(other: Path, value: str) -> Callable[[Path, str], None]:
    """A write that makes the kernel change `other` too."""

    def write(path: Path, text: str) -> None:
        write_value(path, text)
        if path != other:
            write_value(other, value)

    return write


def test_what_the_kernel_changes_along_is_put_back_last(host: Host, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(journal_module, "write_value", raising(host.number, "9"))
    with host.journal() as journal:
        journal.change(host.mode, "always", also=(host.number, host.knobs / "absent"))
        changes = journal.restore()
    assert [(Path(one.path).name, one.before, one.during) for one in changes] == [
        ("enabled", "madvise", "always"),
        ("number", "7", "9"),
    ]
    assert host.number.read_text() == "7\n"
    assert journal.changes == changes


def test_what_was_only_watched_is_not_worth_a_word(host: Host) -> None:
    with host.journal() as journal:
        journal.change(host.mode, "always", also=(host.number,))
        assert len(journal.restore()) == 1
        journal.change(host.mode, "always", also=(host.number,))
        host.number.write_text("8\n")
        assert [one.restored for one in journal.restore()] == [True, False]
    assert host.number.read_text() == "8\n"


def test_a_second_ctrl_c_waits_until_all_is_put_back(host: Host, monkeypatch: pytest.MonkeyPatch) -> None:
    def write(path: Path, value: str) -> None:
        if value in ("7", "madvise"):
            os.kill(os.getpid(), signal.SIGINT)
        write_value(path, value)

    monkeypatch.setattr(put_back_module, "write_value", write)
    with pytest.raises(KeyboardInterrupt), host.journal() as journal:
        journal.change(host.mode, "always")
        journal.change(host.number, "9")
        raise KeyboardInterrupt
    assert (host.mode.read_text(), host.number.read_text()) == ("madvise\n", "7\n")
    assert not host.left()
    assert len(journal.changes) == 2


def test_ctrl_c_waits_until_a_change_is_made_and_looked_at(host: Host, monkeypatch: pytest.MonkeyPatch) -> None:
    """Else the mode that is still there would be taken for somebody else's."""
    with pytest.raises(KeyboardInterrupt), host.journal() as journal:
        journal.change(host.mode, "always")
        note = journal._note_change

        def note_then_interrupt(path: Path, before: str, during: str) -> None:
            note(path, before, during)
            os.kill(os.getpid(), signal.SIGINT)

        monkeypatch.setattr(journal, "_note_change", note_then_interrupt)
        journal.change(host.mode, "never")
    assert host.mode.read_text() == "madvise\n"


def test_a_journal_can_be_used_again_after_restoring(host: Host) -> None:
    with host.journal() as journal:
        for value in ("8", "9"):
            journal.change(host.number, value)
            assert host.left()
            assert journal.restore()[0].during == value
            assert not host.left()


def test_nothing_is_written_where_nothing_changes(host: Host) -> None:
    with host.journal() as journal:
        journal.change(host.mode, "madvise")
        journal.started(os.getpid())
        journal.ended(os.getpid())
        assert journal.restore() == []
    assert not host.state.exists()
    assert host.mode.read_text() == MODE


def test_a_second_trial_that_changes_settings_is_refused_in_one_line(host: Host) -> None:
    with host.journal() as first, host.journal() as second:
        first.change(host.number, "9")
        second.change(host.number, "9")  # is so already: changes nothing
        with pytest.raises(BusyError, match=f"process {os.getpid()}") as caught:
            second.change(host.mode, "never")
        assert "\n" not in str(caught.value)
        assert host.restore() == []
        assert host.number.read_text() == "9\n"
        assert host.mode.read_text() == MODE
    with host.journal() as third:
        third.change(host.mode, "never")


@pytest.mark.parametrize("writes", [0, 1, 2])
@pytest.mark.parametrize("written", [False, True])
def test_a_killed_trial_is_undone(host: Host, writes: int, written: bool) -> None:
    """Killed at the write of each change, just before it and just after."""

    def write(path: Path, value: str) -> None:
        nonlocal writes
        if writes == 0 and not written:
            os.kill(os.getpid(), signal.SIGKILL)
        write_value(path, value)
        if writes == 0:
            os.kill(os.getpid(), signal.SIGKILL)
        writes -= 1

    def trial() -> None:
        journal_module.write_value = write  # type: ignore[attr-defined]  # in the child alone
        journal = host.journal()
        journal.change(host.mode, "always")
        journal.change(host.number, "9")
        journal.change(host.mode, "never")

    assert in_child(trial) == -signal.SIGKILL
    assert len(host.left()) == 1
    with host.journal() as other, pytest.raises(BusyError, match="killed"):
        other.change(host.number, "8")
    done = host.restore()
    assert done
    assert all(one.restored for one in done)
    assert host.mode.read_text() in ("madvise\n", MODE)
    assert host.number.read_text() == "7\n"
    assert not host.left()
    assert host.restore() == []


def test_a_torn_last_line_announces_a_change_that_was_not_made(host: Host) -> None:
    host.number.write_text("9\n")
    torn = line_of(host.change(host.mode, "never", "always"))[:-9]
    host.plant(host.change(host.number, "7", "9"), tail=torn)
    assert [one.restored for one in host.restore()] == [True]
    assert (host.number.read_text(), host.mode.read_text()) == ("7\n", MODE)
    assert not host.left()


def test_a_torn_first_line_is_nothing(host: Host) -> None:
    host.plant().write_bytes(b'{"journal": 1, "pi')
    assert host.restore() == []
    assert not host.left()


def test_a_trial_that_lives_is_never_touched(host: Host) -> None:
    host.number.write_text("9\n")
    me = Owner(os.getpid(), start_ticks(os.getpid()) or 0, boot_id())
    host.plant(host.change(host.number, "7", "9"), owner=me)
    assert host.restore() == []
    assert killed_trials(host.state) == []
    assert host.number.read_text() == "9\n"
    assert host.left()


def test_what_another_boot_left_is_forgotten(host: Host) -> None:
    host.number.write_text("9\n")
    host.plant(host.change(host.number, "7", "9"), owner=Owner(1, 1, "another boot"))
    assert host.restore() == []
    assert host.number.read_text() == "9\n"
    assert not host.left()


def test_what_somebody_else_set_since_is_left_and_said(host: Host) -> None:
    with host.journal() as journal:
        journal.change(host.mode, "always")
        journal.change(host.number, "9")
        host.mode.write_text("always madvise [never]\n")
        assert [one.restored for one in journal.restore()] == [True, False]
    assert host.mode.read_text() == "always madvise [never]\n"
    assert host.number.read_text() == "7\n"
    assert not host.left()


@pytest.mark.parametrize("theirs", ["never", "madvise", "always"])
@pytest.mark.parametrize("wanted", ["never", "always"])
def test_what_somebody_else_set_is_not_overwritten(host: Host, theirs: str, wanted: str) -> None:
    """Neither where it is what the setting was at first, nor what is wanted next, nor what was written before."""
    with host.journal() as journal:
        journal.change(host.mode, "always")
        journal.change(host.mode, "inherit")
        host.mode.write_text(f"{theirs}\n")
        with pytest.raises(ContestedError, match=f"is '{theirs}'"):
            journal.change(host.mode, wanted)
    assert host.mode.read_text() == f"{theirs}\n"
    assert [one.restored for one in journal.changes] == [theirs == "madvise"]
    assert not host.left()


@pytest.mark.parametrize("is_killed", [False, True])
def test_a_reserve_that_somebody_else_set_outlives_what_the_kernel_makes_of_it(
    host: Host, monkeypatch: pytest.MonkeyPatch, is_killed: bool
) -> None:
    """Putting the mode back raises it once more."""
    monkeypatch.setattr(journal_module, "write_value", raising(host.number, "60"))
    monkeypatch.setattr(put_back_module, "write_value", raising(host.number, "60"))

    def trial() -> None:
        journal = host.journal()
        journal.change(host.mode, "always", also=(host.number,))
        host.number.write_text("30\n")
        if not is_killed:
            assert [one.restored for one in journal.restore()] == [True, False]
            assert "is '30'" in journal.problems[0]

    assert in_child(trial) == 0
    assert len(host.restore()) == 2 * is_killed
    assert (host.mode.read_text(), host.number.read_text()) == ("madvise\n", "30\n")


def test_what_the_kernel_changes_after_somebody_else_is_put_back_to_theirs(
    host: Host, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(journal_module, "write_value", raising(host.number, "60"))
    monkeypatch.setattr(put_back_module, "write_value", raising(host.number, "60"))
    with host.journal() as journal:
        journal.change(host.mode, "always", also=(host.number,))
        host.number.write_text("30\n")
        journal.change(host.mode, "never", also=(host.number,))
        assert host.number.read_text() == "60\n"
        assert [(one.before, one.restored) for one in journal.restore()] == [("madvise", True), ("30", True)]
    assert host.number.read_text() == "30\n"
    assert len(journal.problems) == 1 and "'30'" in journal.problems[0]


def test_one_failure_does_not_stop_the_others_and_stays_in_the_journal(
    host: Host, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(path: Path, value: str) -> None:
        if path == host.number:
            raise SettingError(f"{path}: no")
        write_value(path, value)

    journal = host.journal()
    journal.change(host.mode, "always")
    journal.change(host.number, "9")
    with monkeypatch.context() as patched:
        patched.setattr(put_back_module, "write_value", refuse)
        assert [one.restored for one in journal.restore()] == [False, True]
    assert len(journal.problems) == 1
    assert str(host.number) in journal.problems[0]
    assert parse_journal(host.left()[0].read_bytes()).changes.keys() == {str(host.number)}
    assert host.mode.read_text() == "madvise\n"
    assert [one.restored for one in journal.restore()] == [True]
    assert not host.left()


def test_a_setting_that_is_gone_does_not_keep_the_journal(host: Host) -> None:
    host.plant(host.change(host.knobs / "gone", "7", "9"))
    assert [one.restored for one in host.restore()] == [False]
    assert not host.left()


def test_a_forked_child_does_not_restore(host: Host) -> None:
    with host.journal() as journal:
        journal.change(host.number, "9")

        def child() -> None:
            assert journal.restore() == []

        assert in_child(child) == 0
        assert host.number.read_text() == "9\n"


def test_a_pool_is_put_back_to_the_pages_that_were_asked_for(host: Host, monkeypatch: pytest.MonkeyPatch) -> None:
    """Surplus pages are printed in the total; to write them back would make them permanent."""
    pool = host.knobs / "hugepages-2048kB"
    pool.mkdir()
    (pool / "surplus_hugepages").write_text("4\n")
    (pool / "nr_hugepages").write_text("10\n")

    def grant_in_part(path: Path, _: str) -> None:
        write_value(path, "20")
        write_value(pool / "surplus_hugepages", "0")

    monkeypatch.setattr(journal_module, "write_value", grant_in_part)
    with host.journal() as journal:
        journal.change(pool / "nr_hugepages", "30")
        assert parse_journal(host.left()[0].read_bytes()).changes[str(pool / "nr_hugepages")].steps == [
            "6",
            "30",
            "20",
        ]
        assert journal.restore()[0].before == "6"
    assert (pool / "nr_hugepages").read_text() == "6\n"


def test_where_proc_has_other_pids_nothing_is_changed_and_nothing_put_back(
    host: Host, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Pid 1 of a namespace would be taken for the host's, and what the trial started for somebody else's process."""
    host.number.write_text("9\n")
    host.plant(host.change(host.number, "7", "9"))
    monkeypatch.setattr(journal_module, "sees_itself", lambda: False)
    with pytest.raises(SettingError, match="PID namespace"):
        host.restore()
    with host.journal() as journal, pytest.raises(SettingError, match="PID namespace"):
        journal.change(host.mode, "always")
    assert (host.mode.read_text(), host.number.read_text()) == (MODE, "9\n")
    monkeypatch.undo()
    assert [one.restored for one in host.restore()] == [True]
