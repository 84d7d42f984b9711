"""One application on this host: observed on base pages, advised, given what was advised, and looked at again.

Its settings are applied exactly as the plan writes them: apply.sh of `plan -o`, and by hand what only a person can
place. Whatever happens, the host has its own settings back at the end.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from tests.host.knobs import POOLS, THP, current
from tests.in_process import advisor
from tests.samples.bench import Bench, bench

CLOSE = 0.02
"""Share by which a forecast may be off, and that may be left over in a pool."""

VMA = re.compile(r"(?m)^(?=[0-9a-f]+-[0-9a-f]+ )")
"""Where a mapping begins in smaps."""

PLACES = ("/etc/tmpfiles.d", "/etc/sysctl.d", "/etc/systemd/system", "/etc/default/grub.d", "/run/tmpfiles.d")
"""Where the plan may put files."""


class InPool(NamedTuple):
    """Hugetlb memory of a process, bytes. mapped: and with that reserved; resident: what of it was touched."""

    mapped: int
    resident: int


@dataclass(frozen=True)
class Advice:
    """What was advised to one process. folder: the plan's files."""

    folder: Path
    plan: dict[str, Any]
    recommendation: dict[str, Any]

    @property
    def forecast_bytes(self) -> int:
        """What it will have in the pool."""
        pages, page_bytes = self.recommendation["pages"], self.recommendation["page_bytes"]
        return int(pages * page_bytes)

    def text(self, kind: str) -> str:
        """The text for this process that is read by one kind of program."""
        (found,) = (
            artefact["text"]
            for artefact in self.plan["artefacts"]
            if artefact["kind"] == kind and artefact["id"] in self.recommendation["artefacts"]
        )
        return str(found)

    def lines(self, kind: str) -> list[str]:
        """The same without comments."""
        return [line for line in self.text(kind).splitlines() if line and not line.startswith("#")]


def needs(*programs: str) -> list[str]:
    """Their paths; skips where one is missing."""
    found = [shutil.which(program, path=os.environ["PATH"] + ":/usr/sbin:/sbin") for program in programs]
    if None in found:
        pytest.skip(f"not all of {', '.join(programs)} are on this host")
    return [str(path) for path in found]


@contextmanager
def host_on_base_pages() -> Iterator[Bench]:
    """A bench on a host in mode madvise with empty pools. Checks at the end that all is as it was."""
    if os.geteuid() != 0:
        pytest.skip("pools and modes are root's to set")
    if any(int(file.read_text()) for file in POOLS.glob("*/nr_hugepages")):
        pytest.skip("somebody uses a pool of this host")
    before = state()
    with bench("madvise") as made:
        inside = state()
        try:
            yield made
            assert state() == inside, "the undo text leaves something behind"
        finally:
            made.end_all()
            for file in POOLS.glob("*/nr_hugepages"):
                file.write_text("0")
            for path in written_files():
                Path(path).unlink()
    assert state() == before


def state() -> dict[str, str]:
    """All settings of huge pages by file, and the files that a plan has written."""
    files = [THP / "enabled", THP / "defrag", THP / "shmem_enabled", *(THP / "khugepaged").iterdir()]
    files += [*POOLS.glob("*/nr_hugepages"), *POOLS.glob("*/nr_overcommit_hugepages")]
    skipped = ("pages_collapsed", "full_scans")
    values = {str(file): current(file) for file in files if file.name not in skipped}
    return values | dict.fromkeys(written_files(), "written")


def written_files() -> list[str]:
    return sorted(str(path) for place in PLACES for path in Path(place).rglob("*hugepage-advisor*"))


def advise(bench: Bench, pids: Sequence[int], pid: int, want: str | None = None) -> Advice:
    """What report and plan say of these processes, as a user would ask. want: a policy for `pid`, as in --want."""
    folder = bench.folder / "plan"
    asked = [f"--pid={one}" for one in pids] + ([f"--want={pid}={want}"] if want else [])
    done = advisor("report", "--json", "--duration=0.5", *asked)
    assert done.returncode == 0, done.stderr
    document = json.loads(done.stdout)
    (entry,) = (one for one in document["processes"] if one["pid"] == pid)
    done = advisor("plan", "-o", str(folder), "--duration=0.5", *asked)
    assert done.returncode == 0, done.stderr
    return Advice(folder, document["plan"], entry["recommendation"])


@contextmanager
def applied(advice: Advice) -> Iterator[None]:
    """What the plan can do without a person is done inside, and undone."""
    script("apply.sh", advice)
    try:
        yield
    finally:
        script("undo.sh", advice)


def script(name: str, advice: Advice) -> None:
    done = subprocess.run([advice.folder / name], capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stdout + done.stderr


def in_pool(pid: int) -> InPool:
    """From smaps, whatever the access: mapping it reserves the pages."""
    mapped = resident = 0
    for vma in VMA.split(Path(f"/proc/{pid}/smaps").read_text())[1:]:
        kib = {name: int(value) for name, value in re.findall(r"(?m)^(\w+): +(\d+) kB$", vma)}
        if " ht" in vma.rpartition("VmFlags:")[2]:
            mapped += kib["Size"] * 1024
            resident += (kib["Private_Hugetlb"] + kib["Shared_Hugetlb"]) * 1024
    return InPool(mapped, resident)


def left_over(page_bytes: int) -> tuple[int, int]:
    """(pages of the pool, of these neither in use nor reserved)."""
    folder = POOLS / f"hugepages-{page_bytes // 1024}kB"
    total, free, reserved = (int((folder / f"{name}_hugepages").read_text()) for name in ("nr", "free", "resv"))
    return total, free - reserved


def assert_as_forecast(advice: Advice, bytes_in_pool: int) -> None:
    """smaps shows the forecast, and the pool holds hardly more."""
    assert advice.recommendation["policy"] == "hugetlb"
    assert bytes_in_pool == pytest.approx(advice.forecast_bytes, rel=CLOSE)
    total, unused = left_over(advice.recommendation["page_bytes"])
    assert total >= advice.recommendation["pages"]
    assert unused <= CLOSE * total, f"{unused} of {total} pages are left over"


def pmd_label() -> str:
    """This host's PMD size as --want takes it."""
    return f"{int((THP / 'hpage_pmd_size').read_text()) >> 10}K"
