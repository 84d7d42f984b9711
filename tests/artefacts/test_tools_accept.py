"""Every text is read by the program that it is for, or by that program's own checker. Changes nothing here."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from pathlib import Path

import kubernetes_validate
import pytest
import yaml

from advisor import artefacts
from advisor.artefacts import Artefact
from advisor.artefacts.mounts import escaped_unit_path
from advisor.units import GIB, MIB
from tests.artefacts.test_golden import CASES, CONFIGURATION

HOSTILE_NAMES = [
    "web 1",
    "a'b\"c",
    "x%n%%y",
    "$(reboot)`id`",
    "a;b&c|d",
    "--help",
    "ünï-日本",
    "<b>&amp;",
    "a--b-",
    "#x",
]
"""Names that a guest, program or path may have and that mean something in one syntax or another."""

KUBERNETES_VERSION = "1.30"


def tool(name: str) -> str:
    path = shutil.which(name) or shutil.which(name, path="/usr/sbin:/sbin:/usr/bin:/bin")
    if path is None:
        pytest.skip(f"{name} is not installed")
    return path


def of_kind(*kinds: str) -> list[Artefact]:
    return [artefact for artefact in CASES.values() if artefact.kind in kinds]


def output_of(*command: str, **options: object) -> str:
    result = subprocess.run(command, capture_output=True, text=True, **options)  # type: ignore[call-overload]
    assert result.returncode == 0, result.stdout + result.stderr
    return str(result.stdout + result.stderr)


# libvirt


def domain(memory_backing: str) -> str:
    return (
        "<domain type='kvm'><name>x</name><memory unit='bytes'>17179869184</memory>"
        f"{memory_backing}<vcpu>1</vcpu><os><type arch='x86_64' machine='q35'>hvm</type></os></domain>"
    )


def guests() -> list[Artefact]:
    named = [artefacts.libvirt_memory(name, 2 * MIB, GIB, shared=True) for name in HOSTILE_NAMES]
    return [*of_kind("libvirt"), *named]


def test_libvirt_accepts_the_memory_backing(tmp_path: Path) -> None:
    check = tool("virt-xml-validate")
    for number, artefact in enumerate(guests()):
        file = tmp_path / f"{number}.xml"
        file.write_text(domain(artefact.text))
        assert "validates" in output_of(check, str(file), "domain")


# systemd


def written(root: Path, artefact: Artefact) -> Path:
    assert artefact.path is not None
    file = root / artefact.path.rpartition("/etc/systemd/system/")[2]
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(artefact.text)
    return file


def verify(root: Path, *units: Path) -> list[str]:
    """What systemd has to say of the units and their drop-ins."""
    environment = {**os.environ, "SYSTEMD_UNIT_PATH": f"{root}:", "SYSTEMD_LOG_LEVEL": "warning"}
    said = output_of(tool("systemd-analyze"), "verify", "--man=no", *map(str, units), env=environment)
    return [line for line in said.splitlines() if str(root) in line]


def service(root: Path, name: str) -> Path:
    file = root / name
    file.write_text("[Service]\nExecStart=/bin/true\n")
    return file


def test_systemd_accepts_drop_ins_and_knows_all_but_the_newest_setting(tmp_path: Path) -> None:
    drop_ins = [artefact for artefact in of_kind("systemd") if ".service.d/" in (artefact.path or "")]
    drop_ins.append(artefacts.environment_drop_in("app.service", "hostile", "x", {"X": " ".join(HOSTILE_NAMES)}))
    assert len(drop_ins) > 5
    units = [service(tmp_path, artefact.restart or "") for artefact in drop_ins]
    for artefact in drop_ins:
        written(tmp_path, artefact)
    said = verify(tmp_path, *dict.fromkeys(units))
    version = int(output_of(tool("systemd-analyze"), "--version").split()[1])
    expected = 0 if version >= artefacts.MEMORY_THP_SINCE else sum("\nMemoryTHP=" in one.text for one in drop_ins)
    assert len(said) == expected
    assert all("Unknown key" in line and "MemoryTHP" in line for line in said)


def test_systemd_accepts_a_start_through_the_wrapper(tmp_path: Path) -> None:
    made = artefacts.thp_off_start("app.service", ["/bin/true", *HOSTILE_NAMES])
    unit = service(tmp_path, "app.service")
    (tmp_path / "app.service.d").mkdir()
    (tmp_path / "app.service.d/50.conf").write_text(made.text)
    assert verify(tmp_path, unit) == []


def test_systemd_accepts_mounts_under_the_names_that_it_gives_them(tmp_path: Path) -> None:
    paths = ["/dev/hugepages1G", *(f"/mnt/{name}" for name in HOSTILE_NAMES), "/mnt/.x", "/.x"]
    mounts = [written(tmp_path, artefacts.mount_unit(path, GIB, group="dpdk")) for path in paths]
    assert verify(tmp_path, *mounts) == []
    names = output_of(tool("systemd-escape"), "--path", *paths).split()
    assert [escaped_unit_path(path) for path in paths] == names


def test_tmpfiles_writes_the_values(tmp_path: Path) -> None:
    tool("systemd-tmpfiles")
    if os.geteuid() != 0:
        pytest.skip("systemd-tmpfiles --root needs root")
    for artefact in of_kind("tmpfiles"):
        root = tmp_path / artefact.id
        lines = [line.split() for line in artefact.text.splitlines() if line.startswith("w ")]
        for words in lines:
            target = root / words[1].lstrip("/")
            target.parent.mkdir(parents=True, exist_ok=True)
            target.touch()
        file = root / (artefact.path or "").lstrip("/")
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(artefact.text)
        other = file.with_name("50-other.conf")
        other.write_text("".join(f"w {words[1]} - - - - other\n" for words in lines))
        subprocess.run([tool("systemd-tmpfiles"), f"--root={root}", "--create", "--prefix=/sys"], capture_output=True)
        for words in lines:
            assert (root / words[1].lstrip("/")).read_text().strip() == words[-1], "of two files the first must win"


# sysctl


def test_sysctl_reads_the_files(tmp_path: Path) -> None:
    command = tool("sysctl")
    for artefact in of_kind("sysctl"):
        file = tmp_path / "x.conf"
        file.write_text(artefact.text)
        assert output_of(command, "--dry-run", "-p", str(file)).strip() in artefact.text


# tuned

LOADER = """
import json, sys
from tuned.profiles.factory import Factory
from tuned.profiles.loader import Loader
from tuned.profiles.locator import Locator
from tuned.profiles.merger import Merger
from tuned.profiles.variables import Variables
from tuned.utils.global_config import GlobalConfig
loader = Loader(Locator(sys.argv[1:]), Factory(), Merger(), GlobalConfig(), Variables())
units = loader.load(["hugepage-advisor"]).units
json.dump({name: dict(unit.options) for name, unit in units.items()}, sys.stdout)
"""


def test_tuned_loads_the_profile_over_the_one_it_includes(tmp_path: Path) -> None:
    tool("tuned-adm")
    shipped = next((f for f in ("/usr/lib/tuned/profiles", "/usr/lib/tuned") if Path(f, "postgresql").is_dir()), None)
    if shipped is None or not Path("/usr/bin/python3").exists():
        pytest.skip("tuned's shipped profiles are not here")
    (tmp_path / "hugepage-advisor").mkdir()
    (tmp_path / "hugepage-advisor/tuned.conf").write_text(CASES["tuned"].text)
    command = ["/usr/bin/python3", "-c", LOADER, shipped, str(tmp_path)]
    result = subprocess.run(command, capture_output=True, text=True, env={"PATH": os.environ["PATH"]})
    assert result.returncode == 0, result.stderr
    units = json.loads(result.stdout)
    assert units["vm"]["transparent_hugepages"] == "madvise"
    assert units["sysctl"]["vm.swappiness"] == "3", "the included profile's settings stay"
    assert set(units["sysfs"].values()) == {"advise", "4300"}


def test_tuned_adm_knows_the_profile(tmp_path: Path) -> None:
    command = tool("tuned-adm")
    if os.geteuid() != 0 or not Path("/etc/tuned").is_dir():
        pytest.skip("needs root for a mount namespace, and /etc/tuned")
    folder = tmp_path / "tuned"
    shutil.copytree("/etc/tuned", folder)
    target = folder / ("profiles" if (folder / "profiles").is_dir() else "") / "hugepage-advisor"
    target.mkdir(parents=True)
    (target / "tuned.conf").write_text(CASES["tuned"].text)
    script = f"mount --bind {folder} /etc/tuned && exec {command} profile_info hugepage-advisor"
    result = subprocess.run(["unshare", "--mount", "sh", "-c", script], capture_output=True, text=True)
    if "permitted" in result.stderr:
        pytest.skip(f"no mount namespace here: {result.stderr.strip()}")
    assert "with huge pages as planned by hugepage-advisor" in result.stdout, result.stdout + result.stderr


# Kubernetes


def pods() -> list[Artefact]:
    named = [artefacts.pod_resources(name, 2 * MIB, 8, 0) for name in [*HOSTILE_NAMES, "", "x" * 300, "-._"]]
    return [*of_kind("kubernetes"), *named]


def test_kubernetes_accepts_the_pod_with_requests_that_equal_the_limits() -> None:
    for artefact in pods():
        pod = yaml.safe_load(artefact.text)
        kubernetes_validate.validate(pod, KUBERNETES_VERSION, strict=True)
        container = pod["spec"]["containers"][0]
        resources = container["resources"]
        assert resources["requests"] == resources["limits"] and "memory" in resources["limits"]
        assert container["volumeMounts"][0]["name"] == pod["spec"]["volumes"][0]["name"]
        size = pod["spec"]["volumes"][0]["emptyDir"]["medium"].removeprefix("HugePages-")
        assert f"hugepages-{size}" in resources["limits"]


# shell


def shell_texts() -> list[str]:
    """Whatever is pasted into a shell."""
    commands = of_kind("shell", "environment", "grub")
    commands += [artefact for artefact in of_kind("kernel-command-line") if not artefact.by_hand]
    undone = [artefact.undo for artefact in CASES.values() if not artefact.by_hand]
    after = ["\n".join(artefact.after) for artefact in CASES.values() if artefact.after]
    hostile = [artefacts.thp_off_command("x", ["/bin/true", *HOSTILE_NAMES]).text]
    return [artefact.text for artefact in commands] + undone + after + hostile


def test_a_shell_parses_what_is_pasted_into_it() -> None:
    for text in shell_texts():
        subprocess.run(["sh", "-n"], input=text, text=True, check=True)


def test_shellcheck_finds_nothing_in_it(tmp_path: Path) -> None:
    check = tool("shellcheck")
    files = []
    for number, text in enumerate(shell_texts()):
        file = tmp_path / f"{number}.sh"
        file.write_text(text)
        files.append(str(file))
    # SC2034: the variables of GRUB's file are read by its generator. SC2016: a dollar in single quotes is meant.
    result = subprocess.run([check, "--shell=sh", "--exclude=SC2016,SC2034", *files], capture_output=True, text=True)
    assert result.returncode == 0, result.stdout


def test_every_conflict_is_said_in_the_file_and_beside_it() -> None:
    artefact = artefacts.thp_at_boot([artefacts.ThpChange("enabled", "madvise", None)], CONFIGURATION)
    assert len(artefact.warnings) == 4
    assert all(f"# {warning}\n" in artefact.text for warning in artefact.warnings)
