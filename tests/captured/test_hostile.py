"""Archives made to harm: nothing is written outside, nothing is followed, and each refusal is one clear line."""

from __future__ import annotations

import gzip
import io
import os
import stat
import tarfile
import tempfile
import zipfile
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from advisor.collect.captured import streams
from advisor.collect.captured.importing import CaptureError, Limits, profile_of_capture
from advisor.collect.captured.layout import place_of
from tests.captured.makers import files_of, link, smem_files, sos_tree, tar_of, zip_of


@pytest.fixture(autouse=True)
def own_temporary_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where imports copy to: a test sees what is left over."""
    folder = tmp_path / "tmp"
    folder.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(folder))
    return folder


def refusal(path: Path, data: bytes, limits: Limits | None = None) -> str:
    path.write_bytes(data)
    with pytest.raises(CaptureError) as caught:
        profile_of_capture(path, limits=limits)
    message = str(caught.value)
    assert str(path) in message and "\n" not in message
    return message


@given(
    st.text() | st.lists(st.sampled_from(["..", ".", "", "proc", "sys", "10", "smaps", "etc", "\0"])).map("/".join)
)
def test_no_name_leads_out_of_the_copy(name: str) -> None:
    place = place_of(name)
    if place is not None:
        assert ".." not in place.path.split("/") and not place.path.startswith("/") and "\0" not in place.path
        assert ".." not in name.split("/")


def test_names_that_lead_upwards_are_nothing(tmp_path: Path) -> None:
    files = smem_files(tmp_path)
    hostile = {"../../meminfo": b"MemTotal: 1 kB\n", "a/../../10/smaps": b"", "../proc/11/status": b"x"}
    path = tmp_path / "x.tar"
    path.write_bytes(tar_of(files | hostile))
    profile = profile_of_capture(path)
    assert (profile.samples[0].host.meminfo or {})["MemTotal"] == 16384000 * 1024
    assert not (tmp_path / "meminfo").exists()


def test_links_and_devices_are_not_followed(tmp_path: Path) -> None:
    files = {f"proc/{name}": data for name, data in smem_files(tmp_path).items() if name != "meminfo"}
    device, pipe = tarfile.TarInfo("proc/10/status"), tarfile.TarInfo("proc/11/status")
    device.type, pipe.type = tarfile.CHRTYPE, tarfile.FIFOTYPE
    entries = (
        link("proc/meminfo", "/etc/passwd"),
        link("proc/vmstat", "proc/10/smaps", tarfile.LNKTYPE),
        link("proc", "/proc"),
        link("sys", "/sys"),
        device,
        pipe,
    )
    path = tmp_path / "x.tar"
    path.write_bytes(tar_of(files, special=entries))
    profile = profile_of_capture(path)
    capture = profile.header.capture
    assert capture is not None and capture.links == 4
    assert profile.samples[0].host.meminfo is None and profile.samples[0].host.thp is None


def test_a_folder_with_links_out_of_it_gives_nothing_from_outside(tmp_path: Path) -> None:
    root = sos_tree(tmp_path / "case")
    (root / "proc/meminfo").unlink()
    (root / "proc/meminfo").symlink_to("/proc/meminfo")
    (root / "proc/12").symlink_to("/proc/self")
    os.mkfifo(root / "proc/zoneinfo")
    (root / "loop").symlink_to(root)
    profile = profile_of_capture(root)
    assert profile.samples[0].host.meminfo is None
    assert sorted(record.pid for record in profile.samples[0].processes) == [10, 11]


@pytest.mark.parametrize("path", ["/", "/proc"])
def test_a_running_host_is_no_capture(path: str) -> None:
    with pytest.raises(CaptureError, match="a running host"):
        profile_of_capture(Path(path))


def test_a_link_in_a_zip_is_a_link(tmp_path: Path) -> None:
    buffer = io.BytesIO(zip_of({"proc/10/smaps": smem_files(tmp_path)["10/smaps"]}))
    with zipfile.ZipFile(buffer, "a") as archive:
        entry = zipfile.ZipInfo("proc/meminfo")
        entry.external_attr = (stat.S_IFLNK | 0o777) << 16
        archive.writestr(entry, "/etc/passwd")
    path = tmp_path / "x.zip"
    path.write_bytes(buffer.getvalue())
    capture = profile_of_capture(path).header.capture
    assert capture is not None and capture.links == 1


def test_a_bomb_is_refused_before_it_is_unpacked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(streams, "FREE_BYTES", 1 << 20)
    monkeypatch.setattr(streams, "MOST_TIMES", 10)
    zeros = {"var/log/big": bytes(32 << 20)} | smem_files(tmp_path)
    assert "expands to more than" in refusal(tmp_path / "x.tar.gz", gzip.compress(tar_of(zeros)))
    bomb = {"proc/10/smaps": bytes(32 << 20)}
    assert "expands to more than" in refusal(tmp_path / "x.zip", zip_of(bomb))


def test_absurd_counts_and_sizes_are_refused(tmp_path: Path, own_temporary_folder: Path) -> None:
    files = files_of(sos_tree(tmp_path / "case"))
    data, path = tar_of(files), tmp_path / "x.tar"
    assert "more than 5 entries" in refusal(path, data, Limits(entries=5))
    assert "more than 3 files" in refusal(path, data, Limits(files=3))
    assert "more than 100 bytes in proc/10/" in refusal(path, data, Limits(file_bytes=100))
    assert "more than 2000 bytes of wanted files" in refusal(path, data, Limits(bytes=2000))
    assert list(own_temporary_folder.iterdir()) == [], "nothing is left over"


def test_a_huge_extended_header_is_not_read(tmp_path: Path) -> None:
    entry = tarfile.TarInfo("././@PaxHeader")
    entry.type, entry.size = tarfile.XHDTYPE, 8 << 30
    data = entry.tobuf(tarfile.GNU_FORMAT) + bytes(4096)
    assert "extended header" in refusal(tmp_path / "x.tar", data)


@pytest.mark.parametrize("name", ["junk", "proc/meminfo"])
def test_an_entry_that_is_larger_than_its_archive_is_not_looked_for(tmp_path: Path, name: str) -> None:
    entry = tarfile.TarInfo(name)
    entry.size = 1 << 60
    assert "no files of /proc" in refusal(tmp_path / "x.tar", entry.tobuf(tarfile.GNU_FORMAT) + bytes(10240))


@pytest.mark.parametrize("when", ["nan", "1e300", "-1e18"])
def test_a_time_that_no_date_has_is_none(tmp_path: Path, when: str) -> None:
    data = io.BytesIO()
    with tarfile.open(fileobj=data, mode="w", format=tarfile.PAX_FORMAT) as archive:
        for name, content in smem_files(tmp_path).items():
            entry = tarfile.TarInfo(name)
            entry.size, entry.pax_headers = len(content), {"mtime": when}
            archive.addfile(entry, io.BytesIO(content))
    (tmp_path / "x.tar").write_bytes(data.getvalue())
    assert profile_of_capture(tmp_path / "x.tar").samples[0].wall_time > 0


def test_a_zip_directory_that_fits_no_memory_is_not_read(tmp_path: Path) -> None:
    data = bytearray(zip_of({"proc/meminfo": b""}))
    end = data.rfind(b"PK\x05\x06")
    data[end + 12 : end + 16] = (0xFFFFFFF0).to_bytes(4, "little")
    assert "a zip directory of 4294967280 bytes" in refusal(tmp_path / "x.zip", bytes(data))


def test_one_name_that_is_a_file_and_a_folder_is_refused(tmp_path: Path) -> None:
    files = {"sys/fs/cgroup/memory.max": b"max\n", "sys/fs/cgroup/memory.max/memory.max": b"max\n"}
    assert "cannot be copied" in refusal(tmp_path / "x.tar", tar_of(files | {"proc/meminfo": b""}))


def test_a_cut_archive_gives_what_came_before(tmp_path: Path) -> None:
    whole = tar_of(smem_files(tmp_path))
    place = whole.index(b"11/smaps") + 512 + 300
    path = tmp_path / "x.tar"
    for data in (whole[:place], gzip.compress(whole)[:-20]):
        path.write_bytes(data)
        profile = profile_of_capture(path)
        capture = profile.header.capture
        assert capture is not None and capture.cut
        assert 10 in {record.pid for record in profile.samples[0].processes}
        assert all(record.maps for record in profile.samples[0].processes), "half a file is no file"


@pytest.mark.parametrize("place", [0.2, 0.5, 0.8])
def test_a_damaged_archive_is_refused_or_told_from_a_whole_one(tmp_path: Path, place: float) -> None:
    data = bytearray(gzip.compress(tar_of(smem_files(tmp_path))))
    at = int(len(data) * place)
    data[at : at + 8] = bytes(byte ^ 0x5A for byte in data[at : at + 8])
    assert "use an undamaged copy" in refusal(tmp_path / "x.tar.gz", bytes(data))


def test_an_encrypted_zip_is_refused(tmp_path: Path) -> None:
    data = bytearray(zip_of({"proc/meminfo": b"MemTotal: 1 kB\n"}))
    for magic, offset in ((b"PK\x03\x04", 6), (b"PK\x01\x02", 8)):
        data[data.index(magic) + offset] |= 1
    assert "password" in refusal(tmp_path / "x.zip", bytes(data))


@pytest.mark.parametrize(
    "data", [b"", b"\0" * 10, b"hello\n", b"\x1f\x8b", b"PK\x03\x04", b"BZh9", b"\xfd7zXZ\0", b"(\xb5/\xfd"]
)
def test_what_is_no_archive_is_refused(tmp_path: Path, data: bytes) -> None:
    refusal(tmp_path / "x", data)


@given(st.binary(max_size=2000), st.integers(0, 1 << 16))
def test_no_bytes_do_more_than_a_refusal(data: bytes, at: int) -> None:
    with tempfile.TemporaryDirectory() as folder:
        files = {"proc/meminfo": b"MemTotal: 4 kB\n", "proc/10/smaps": b"x"}
        for whole in (tar_of(files), zip_of(files)):
            place = at % len(whole)
            path = Path(folder) / "x"
            path.write_bytes(whole[:place] + data + whole[place + len(data) :])
            try:
                profile_of_capture(path)
            except CaptureError as error:
                assert str(path) in str(error)
