"""Captures that people have become profiles of one sample: what is in them is read, what is not is unknown."""

from __future__ import annotations

import bz2
import gzip
import lzma
import stat
from collections.abc import Callable
from pathlib import Path

import pytest
import zstandard

from advisor.advise import advise
from advisor.collect.captured.importing import CaptureError, is_capture, profile_of_capture
from advisor.profile.codec import ProfileWriter, load_profile
from advisor.profile.model import ProcessRecord, Profile
from tests.captured.makers import WHEN, files_of, link, smem_files, sos_tree, tar_of, write, zip_of
from tests.fake_proc import PAGE, FakeProc

COMPRESSORS: dict[str, Callable[[bytes], bytes]] = {
    "tar": lambda data: data,
    "tar.gz": gzip.compress,
    "tar.bz2": bz2.compress,
    "tar.xz": lzma.compress,
    "tar.zst": zstandard.ZstdCompressor().compress,
}


def records(profile: Profile) -> dict[int, ProcessRecord]:
    return {record.pid: record for record in profile.samples[0].processes}


def saved(path: Path, data: bytes) -> Path:
    path.write_bytes(data)
    return path


def limitations(profile: Profile) -> dict[str, str]:
    return {one.id: one.message for one in advise(profile).limitations}


def test_an_extracted_sosreport_gives_what_is_in_it(tmp_path: Path) -> None:
    root = sos_tree(tmp_path)
    profile = profile_of_capture(root)
    header, found = profile.header, records(profile)
    assert (header.source, header.origin) == ("tree", root.name)
    assert header.capture is not None and (header.capture.form, header.capture.cut) == ("sosreport", False)
    assert (header.host.hostname, header.host.kernel, header.host.arch) == ("db7", "5.14.0-427.el9.x86_64", "x86_64")
    assert header.host.configuration is not None
    assert [value.value for value in header.host.configuration.values] == ["64"]
    assert sorted(found) == [10, 11], "kernel threads are none of them"
    assert found[10].stat is None and found[10].status is not None and found[10].maps


def test_what_ps_printed_stands_in_for_command_lines_and_users(tmp_path: Path) -> None:
    found = records(profile_of_capture(sos_tree(tmp_path)))
    facts, cut = found[10].facts, found[11].facts
    assert facts is not None and cut is not None
    assert (facts.user, facts.command_line) == (
        "postgres",
        ["/usr/lib/postgresql/bin/postgres", "-D", "/data", "--password=***"],
    )
    assert (cut.name, cut.user) == ("name11", None), "a name that ps cut is not the user's"
    unredacted = records(profile_of_capture(sos_tree(tmp_path / "b"), redact=False))[10].facts
    assert unredacted is not None and unredacted.command_line is not None
    assert unredacted.command_line[-1] == "--password=hunter2"


def test_a_sosreport_without_smaps_says_so_and_how_to_get_them(tmp_path: Path) -> None:
    root = sos_tree(tmp_path)
    for path in root.glob("proc/*/smaps"):
        path.unlink()
    profile = profile_of_capture(root)
    assert sorted(records(profile)) == [10, 11]
    report = advise(profile)
    lacks = next(one for one in report.limitations if one.id == "capture-lacks")
    assert "smaps of all 2 processes" in lacks.message
    assert lacks.remedy is not None and "process.smaps=on" in lacks.remedy
    process = next(process for process in report.processes if process.pid == 10)
    assert process.memory.rss_bytes == 9000 * PAGE
    assert process.memory.anon_huge_bytes is None, "unknown is not 0"


@pytest.mark.parametrize("ending", COMPRESSORS)
@pytest.mark.parametrize("prefix", ["", "./", "/", "some/host/prefix/"])
def test_every_archive_gives_what_the_folder_gives(tmp_path: Path, ending: str, prefix: str) -> None:
    root = sos_tree(tmp_path)
    data = COMPRESSORS[ending](tar_of(files_of(root, prefix)))
    path = saved(tmp_path / f"case.{ending}", data)
    assert is_capture(path)
    archived, folder = profile_of_capture(path), profile_of_capture(root)
    assert records(archived) == records(folder)
    assert archived.header.host == folder.header.host
    assert archived.samples[0].wall_time == WHEN


def test_a_zip_archive_gives_what_the_folder_gives(tmp_path: Path) -> None:
    root = sos_tree(tmp_path)
    path = saved(tmp_path / "case.zip", zip_of(files_of(root, "x/")))
    assert is_capture(path)
    assert records(profile_of_capture(path)) == records(profile_of_capture(root))


def test_a_smem_capture_is_the_content_of_proc(tmp_path: Path) -> None:
    path = saved(tmp_path / "smem.tar", tar_of(smem_files(tmp_path)))
    profile = profile_of_capture(path)
    capture = profile.header.capture
    assert capture is not None and capture.form == "smem"
    assert profile.header.host.kernel == "5.4.0-99-generic"
    found = records(profile)[10]
    assert found.stat is not None and found.maps and found.status is None
    told = limitations(profile)
    assert "status of all 2 processes" in told["capture-lacks"] and "/proc/vmstat" in told["capture-lacks"]
    assert profile.samples[0].host.thp is None


def test_smaps_alone_are_enough(tmp_path: Path) -> None:
    files = {name: data for name, data in smem_files(tmp_path).items() if name.endswith("10/smaps")}
    profile = profile_of_capture(saved(tmp_path / "x.tar", tar_of(files)))
    assert list(records(profile)) == [10]
    assert profile.header.host.base_page_bytes == PAGE
    assert advise(profile).processes[0].memory.rss_bytes == 5000 * PAGE + 8192


def test_a_tree_nearer_to_the_top_is_the_host_and_two_side_by_side_are_refused(tmp_path: Path) -> None:
    files = files_of(sos_tree(tmp_path))
    nested = files | {f"var/lib/machines/guest/{name}": data for name, data in files.items()}
    assert len(records(profile_of_capture(saved(tmp_path / "nested.tar", tar_of(nested))))) == 2
    two = {f"{host}/{name}": data for host in ("a", "b") for name, data in files.items()}
    with pytest.raises(CaptureError, match=r"2 hosts in one capture \(a, b\); import each by itself"):
        profile_of_capture(saved(tmp_path / "two.tar", tar_of(two)))


def test_an_archive_of_archives_says_what_to_import(tmp_path: Path) -> None:
    inner = tar_of(files_of(sos_tree(tmp_path)))
    with pytest.raises(CaptureError, match=r"it holds archives \(host/sosreport-x\.tar\): import each"):
        profile_of_capture(saved(tmp_path / "outer.tar", tar_of({"host/sosreport-x.tar": inner})))


def test_an_archive_that_tar_made_of_proc_itself_says_why_it_is_empty(tmp_path: Path) -> None:
    files = dict.fromkeys(smem_files(tmp_path), b"")
    with pytest.raises(CaptureError, match="all its files are empty, as tar makes them of /proc itself"):
        profile_of_capture(saved(tmp_path / "x.tar", tar_of(files)))


def test_the_exe_of_a_process_is_kept_as_text_alone(tmp_path: Path) -> None:
    files = {f"proc/{name}": data for name, data in smem_files(tmp_path).items()}
    entries = (link("proc/10/exe", "/usr/bin/worker"), link("proc/meminfo", "/etc/passwd"))
    profile = profile_of_capture(saved(tmp_path / "x.tar", tar_of(files, special=entries)))
    facts = records(profile)[10].facts
    assert facts is not None and (facts.executable, facts.program and facts.program.problem) == (
        "/usr/bin/worker",
        "missing",
    )


def test_an_imported_profile_is_saved_and_loaded_like_any(tmp_path: Path) -> None:
    profile = profile_of_capture(sos_tree(tmp_path))
    path = tmp_path / "x.jsonl.zst"
    with ProfileWriter(path) as writer:
        writer.write_header(profile.header)
        writer.write_sample(profile.samples[0], redact=True)
    assert load_profile(path).header == profile.header
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert not is_capture(path), "a profile is none, though it is compressed"
    assert advise(profile).source.origin == f"sosreport {profile.header.origin}"


def test_folders_are_captures_by_what_lies_in_them(tmp_path: Path) -> None:
    assert is_capture(sos_tree(tmp_path / "case"))
    proc = FakeProc(tmp_path / "flat")
    proc.add(10)
    assert is_capture(proc.procfs)
    assert records(profile_of_capture(proc.procfs)).keys() == {10}
    write(tmp_path / "profiles/one.jsonl", "{}\n")
    assert not is_capture(tmp_path / "profiles")
    assert not is_capture(tmp_path / "absent")


def test_real_sos_layouts_and_dumps_of_the_corpus_are_read(tmp_path: Path, corpus: Path) -> None:
    root = sos_tree(tmp_path)
    for name in ("meminfo", "vmstat", "zoneinfo", "buddyinfo", "pagetypeinfo"):
        dumps = {path.stem: path for path in (corpus / name).iterdir()}
        dump = dumps.get("coreos-sosreport-1") or dumps["hotsos-1"]
        (root / "proc" / name).write_bytes(dump.read_bytes())
    largest = max((corpus / "smaps").iterdir(), key=lambda path: path.stat().st_size)
    (root / "proc/10/smaps").write_bytes(largest.read_bytes())
    profile = profile_of_capture(root)
    host = profile.samples[0].host
    assert None not in (host.meminfo, host.vmstat, host.zoneinfo, host.buddyinfo, host.pagetypeinfo)
    assert advise(profile).host.memory_total_bytes == (host.meminfo or {})["MemTotal"]
