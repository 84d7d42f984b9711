"""A host whose every process was started with a secret: none of them is in anything that any command writes.

One tree of kernel files with a process for each shape of `tests.secrets`; every command runs over it once. Asserted
is each way out: bytes of files, stdout, stderr, frames to the interface, its screens and its clipboard.
"""

from __future__ import annotations

import signal
import tarfile
from collections.abc import Iterator
from pathlib import Path
from unittest import mock

import msgspec
import pytest
import zstandard
from msgspec.structs import replace
from textual.pilot import Pilot

from advisor.advise import advise
from advisor.batch.output import write_parts
from advisor.cli import compare, record, report
from advisor.cli.output import look_of
from advisor.cli.trial_redact import redact_trial
from advisor.profile.codec import load_profile
from advisor.render.html import render_html
from advisor.render.json import render_json
from advisor.render.markdown import render_markdown
from advisor.render.plan_files import plan_files
from advisor.render.plan_text import render_plan
from advisor.render.text import render_text
from advisor.report.document import Report
from advisor.trial.document import Caveat, Policy, Way
from advisor.trial.live_document import LiveMetric
from advisor.trial.live_redact import without_secrets
from advisor.tui.app import AdvisorApp
from advisor.watch import worker
from advisor.watch.asked import Asked
from advisor.watch.frames import Job, LookAt, Record, Tick
from tests.fake_proc import FakeProc, mapping
from tests.in_process import advisor, shipped_model
from tests.procfs.test_smaps import entry
from tests.render.trial_samples import troubled
from tests.secrets import HIDDEN, NAMES, SHAPES, TOKENS
from tests.trial.test_live_text import trial as live_trial
from tests.tui.fake import FakeSource, play, screen_text, until

FIRST_PID = 1000
NAMED_PID = 100
"""The first process whose names hold the secrets."""

SECRETS = (HIDDEN, *TOKENS, "ghp_abcdefghij")
"""What must be nowhere; the tokens of the list are also arguments of the first processes."""


@pytest.fixture(scope="module")
def host(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with proc, sys and etc."""
    root = tmp_path_factory.mktemp("host")
    fake = FakeProc(root)
    commands = [*SHAPES, ["app", *(word for token in TOKENS for word in ("--opaque", token))]]
    for pid, command in enumerate(commands, FIRST_PID):
        plant(fake, pid, command)
    for pid, name in enumerate(NAMES, NAMED_PID):
        plant(fake, pid, ["app"])
        folder = fake.folder(pid)
        (folder / "exe").symlink_to(name)
        (folder / "cgroup").write_text(f"0::{name}\n")
        text = mapping(0x7F0000000000, 1 << 20, Rss=1 << 20, Anonymous=1 << 20)
        text += entry(0x7F1000000000, 4096, f"r-xp 00000000 08:01 77                         {name}", Rss=4096)
        (folder / "smaps").write_text(text)
    plant(fake, NAMED_PID - 1, ["app"], name=f"pw={HIDDEN}"[:15])
    configure(root)
    return root


def plant(fake: FakeProc, pid: int, command: list[str], *, name: str | None = None) -> None:
    fake.add(pid, name=name or command[0].rsplit("/", 1)[-1][:15], rss=1 << 18)
    (fake.folder(pid) / "cmdline").write_bytes(b"".join(argument.encode() + b"\0" for argument in command))


def configure(root: Path) -> None:
    """Files of a host that are read for huge pages, with other people's secrets beside what is read."""
    (root / "proc/cmdline").write_text(
        f"root=/dev/sda hugepages=4 thp_anon=64K:{HIDDEN} rd.password={HIDDEN} quiet\n"
    )
    (root / "proc/mounts").write_text(f"hugetlbfs /srv/token={HIDDEN} hugetlbfs rw,pagesize=2M 0 0\n")
    files = {
        "etc/sysctl.d/10-a.conf": f"vm.nr_hugepages = {HIDDEN}\nkernel.password = {HIDDEN}\n",
        "etc/default/grub": f'GRUB_CMDLINE_LINUX="hugepages=4 password={HIDDEN} hugepagesz={HIDDEN}"\n',
        "etc/systemd/system/shop.service": f"[Service]\nEnvironment=DB_PASSWORD={HIDDEN}\n"
        f"ExecStartPre=/bin/sh -c 'echo never > /sys/kernel/mm/transparent_hugepage/enabled; login {HIDDEN}'\n"
        f"ExecStart=/usr/bin/shop --password={HIDDEN} /sys/kernel/mm/transparent_hugepage/{HIDDEN}\n",
        "etc/rc.local": f"echo {HIDDEN} > /sys/kernel/mm/transparent_hugepage/defrag\n",
        "etc/tmpfiles.d/a.conf": f"w /sys/kernel/mm/transparent_hugepage/enabled - - - - {HIDDEN}\n",
    }
    for name, text in files.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(text)


def clean(data: bytes | str, what: str) -> None:
    """Nothing secret in it, also not in what it holds compressed."""
    raw = data.encode() if isinstance(data, str) else data
    assert raw, f"{what}: nothing was written"
    for secret in SECRETS:
        spelt = {secret, secret.replace("\n", "\\n")}
        found = next((one for one in spelt if one.encode() in raw), None)
        place = raw.find(found.encode()) if found else 0
        assert found is None, f"{what}: {raw[max(place - 200, 0) : place + 60]!r}"


@pytest.fixture(scope="module")
def saved(host: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """What was recorded and reported of the host: as everybody does it, and with nothing hidden."""
    folder = tmp_path_factory.mktemp("saved")
    handlers = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)}
    try:
        for name, redact in (("recorded", True), ("plain", False)):
            roots = (str(host / "proc"), str(host / "sys"))
            with mock.patch.object(record, "keep_only"):  # of this very process
                record.run(roots, folder / f"{name}.jsonl.zst", 0.0, None, (), redact=redact)
    finally:
        for number, handler in handlers.items():
            signal.signal(number, handler)
    plain = advise(load_profile(folder / "plain.jsonl.zst"), redact=False)
    (folder / "plain.json").write_text(render_json(plain))
    return {path.name: path for path in folder.iterdir()}


@pytest.fixture(scope="module")
def reports(host: Path, saved: dict[str, Path]) -> dict[str, Report]:
    """As `report` makes them, of the host and of the recording in which nothing is hidden."""
    request = report.Request((str(host / "proc"), str(host / "sys")), (), 0.0, None, "text", redact=True)
    with mock.patch.object(report, "load_predictor", shipped_model):
        return {"host": report.make(request, None), "profile": report.make(request, saved["plain.jsonl.zst"])}


def test_the_secrets_are_there(saved: dict[str, Path]) -> None:
    """Else all that follows would prove nothing."""
    plain = unpacked(saved["plain.jsonl.zst"])
    assert all(secret.encode() in plain or secret.replace("\n", "\\n").encode() in plain for secret in SECRETS)
    assert HIDDEN.encode() in saved["plain.json"].read_bytes()
    profile = load_profile(saved["recorded.jsonl.zst"])
    assert len(profile.samples[0].processes) == len(SHAPES) + 1 + len(NAMES) + 1


def unpacked(path: Path) -> bytes:
    with path.open("rb") as file:
        return zstandard.ZstdDecompressor().stream_reader(file).read()


def test_a_recording_holds_none(saved: dict[str, Path]) -> None:
    clean(unpacked(saved["recorded.jsonl.zst"]), "record")


@pytest.mark.parametrize("of", ["host", "profile"])
def test_a_report_holds_none(reports: dict[str, Report], of: str) -> None:
    made = reports[of]
    for text in (
        render_json(made),
        render_markdown(made),
        render_html(made),
        render_text(made, width=80, color=False, unicode=True, details=True),
    ):
        clean(text, f"report of the {of}")
        assert "***" in text


def test_an_import_holds_none(host: Path, tmp_path: Path) -> None:
    with tarfile.open(tmp_path / f"password={HIDDEN}.tar", "w") as archive:
        archive.add(host, arcname="sosreport")
    told = advisor("import", str(tmp_path / f"password={HIDDEN}.tar"), "-o", str(tmp_path / "p.jsonl.zst"))
    assert told.returncode == 0, told.stderr
    clean(unpacked(tmp_path / "p.jsonl.zst"), "import")


def test_a_table_and_its_summary_hold_none(saved: dict[str, Path], tmp_path: Path) -> None:
    """Of profiles and reports; the forms of the table and of the summary are made from it, as `score` makes them."""
    table = tmp_path / "rows.parquet"
    told = advisor("score", "--jobs", "1", str(saved["plain.jsonl.zst"]), str(saved["plain.json"]), "-o", str(table))
    assert told.returncode == 0, told.stderr
    for name in ("rows.jsonl", "rows.csv"):
        write_parts([table], tmp_path / name)
        clean((tmp_path / name).read_bytes(), name)
    for name in ("s.html", "s.md", "s.txt", "s.json"):
        told = advisor("score", str(table), "-o", str(tmp_path / name))
        assert told.returncode == 0, told.stderr
        clean((tmp_path / name).read_bytes(), name)


def test_a_comparison_holds_none(saved: dict[str, Path]) -> None:
    """Of a report and a profile in which nothing is hidden."""
    with mock.patch.object(report, "load_predictor", shipped_model):
        made = compare.compare((saved["plain.json"], saved["plain.jsonl.zst"]))
    for form in ("text", "json", "markdown"):
        clean(compare.render(made, form, 80, look_of(None)), f"comparison, {form}")


def test_a_plan_holds_none(reports: dict[str, Report]) -> None:
    for made in reports.values():
        clean(render_plan(made), "plan")
        for file in plan_files(made):
            clean(file.text, file.name)


def ticks(job: Job, orders: list[LookAt | Record]) -> Iterator[Tick]:
    """What the interface is sent, also of every process that it looks at: all that its screens can show."""
    asked = Asked()
    for order in orders:
        asked._take(order)
    frames = worker.watch(job, asked)
    for frame in frames:
        assert isinstance(frame, Tick)
        yield frame
        if frame.model:
            break
    frames.close()


@pytest.mark.parametrize("of", ["host", "plain.jsonl.zst"])
def test_the_interface_is_sent_none(host: Path, saved: dict[str, Path], tmp_path: Path, of: str) -> None:
    profile = None if of == "host" else str(saved[of])
    job = Job(procfs=str(host / "proc"), sysfs=str(host / "sys"), profile=profile)
    recorded = tmp_path / "tui.jsonl"
    for tick in ticks(job, [LookAt(NAMED_PID), Record(str(recorded))]):
        assert tick.close_up is not None and len(tick.close_up.vmas or ()) > 1
        clean(msgspec.json.encode(tick), "a frame")
    if of == "host":
        clean(recorded.read_bytes(), "a recording from the interface")


def test_screens_and_clipboard_hold_none(reports: dict[str, Report]) -> None:
    """Every tab of processes whose names and whose command lines held the secrets, and the tables of all."""
    shown = {NAMED_PID, FIRST_PID}
    made = replace(reports["host"], processes=[one for one in reports["host"].processes if one.pid in shown])
    seen: list[str] = []

    async def scenario(app: AdvisorApp, pilot: Pilot[None]) -> None:
        for _ in shown:
            seen.append(screen_text(app))
            await pilot.press("enter")
            for tab in "12345":
                await pilot.press(tab)
                seen.append(screen_text(app))
            await pilot.press("c", "escape")
            await until(pilot, lambda: len(app.screen_stack) == 1)
            seen.append(app.clipboard)
            await pilot.press("down", "b")

    play(FakeSource(made), scenario, size=(120, 40))
    assert any("***" in text for text in seen)
    clean("\n".join(seen), "a screen")


def test_a_trial_holds_none() -> None:
    trial = troubled()
    for command in SHAPES:
        line = " ".join(command)
        environment = {"DB_PASSWORD": HIDDEN, "URL": f"redis://:{HIDDEN}@cache"}
        way = Way(Policy("base", "base"), "prctl", f"runs {line}", command, environment, why_unusable=line)
        run = replace(trial.runs[0], not_counted=f"it said: {line}")
        given = replace(trial, command=command, ways=[way], runs=[run], warnings=[Caveat("x", line)])
        clean(msgspec.json.encode(redact_trial(given)), "trial")
        live = live_trial(name=f"password={HIDDEN}", metric=LiveMetric(line, "rate", "higher"))
        clean(msgspec.json.encode(without_secrets(live)), "live trial")
