"""Is this host a guest, and of what."""

from __future__ import annotations

from pathlib import Path

import pytest

from advisor.procfs.facts import Cpu
from advisor.procfs.fs import KernelFs
from advisor.procfs.virtualization import detect_virtualization

GUEST = Cpu(hypervisor_flag=True)
METAL = Cpu(hypervisor_flag=False)
ARM = Cpu(implementer=0x41)
DMI = "sys/class/dmi/id"
CLOCKS = "sys/devices/system/clocksource/clocksource0/available_clocksource"
TREE = "sys/firmware/devicetree/base"


def tree(root: Path, files: dict[str, str]) -> KernelFs:
    for name, text in files.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    return KernelFs(str(root / "proc"), str(root / "sys"))


def dmi(vendor: str, product: str) -> dict[str, str]:
    return {f"{DMI}/sys_vendor": f"{vendor}\n", f"{DMI}/product_name": f"{product}\n"}


@pytest.mark.parametrize(
    ("vendor", "product", "expected"),
    [
        ("VMware, Inc.", "VMware Virtual Platform", "vmware"),
        ("Microsoft Corporation", "Virtual Machine", "hyperv"),
        ("innotek GmbH", "VirtualBox", "virtualbox"),
        ("Xen", "HVM domU", "xen"),
        ("Red Hat", "KVM", "kvm"),
        ("OpenStack Foundation", "OpenStack Nova", "kvm"),
        ("Google", "Google Compute Engine", "kvm"),
        ("Amazon EC2", "m7i.large", "kvm"),
        ("QEMU", "Standard PC (Q35 + ICH9, 2009)", "qemu"),
        ("Unheard Of", "Cloud 9", "other"),
    ],
)
def test_the_machine_name_tells_the_hypervisor_of_a_guest(
    tmp_path: Path, vendor: str, product: str, expected: str
) -> None:
    assert detect_virtualization(tree(tmp_path, dmi(vendor, product)), GUEST) == expected


@pytest.mark.parametrize(
    ("vendor", "product"),
    [("Dell Inc.", "PowerEdge R760"), ("Amazon EC2", "m7g.metal"), ("Microsoft Corporation", "Surface Book")],
)
def test_bare_metal_is_none_on_every_architecture(tmp_path: Path, vendor: str, product: str) -> None:
    fs = tree(tmp_path, dmi(vendor, product))
    assert detect_virtualization(fs, METAL) == "none"
    assert detect_virtualization(fs, ARM) == "none"


def test_without_the_cpu_flag_x86_is_bare_metal_whatever_its_name(tmp_path: Path) -> None:
    assert detect_virtualization(tree(tmp_path, dmi("Red Hat", "KVM")), METAL) == "none"


@pytest.mark.parametrize(
    ("clocks", "expected"),
    [
        ("tsc kvm-clock acpi_pm", "kvm"),
        ("xen tsc hpet", "xen"),
        ("hyperv_clocksource_tsc_page acpi_pm", "hyperv"),
    ],
)
def test_a_paravirtual_clock_tells_where_there_is_no_machine_name(tmp_path: Path, clocks: str, expected: str) -> None:
    assert detect_virtualization(tree(tmp_path, {CLOCKS: f"{clocks}\n"}), GUEST) == expected


def test_ordinary_clocks_tell_nothing(tmp_path: Path) -> None:
    assert detect_virtualization(tree(tmp_path, {CLOCKS: "tsc hpet acpi_pm \n"}), METAL) == "none"


def test_xen_is_told_by_its_own_folders(tmp_path: Path) -> None:
    assert detect_virtualization(tree(tmp_path / "a", {"sys/hypervisor/type": "xen\n"}), None) == "xen"
    assert detect_virtualization(tree(tmp_path / "b", {"proc/xen/capabilities": ""}), METAL) == "xen"


def test_device_trees_and_sysinfo_tell_on_other_architectures(tmp_path: Path) -> None:
    kvm = tree(tmp_path / "a", {f"{TREE}/hypervisor/compatible": "linux,kvm\0"})
    lpar = tree(tmp_path / "b", {f"{TREE}/ibm,partition-name": "lpar1\0"})
    zvm = tree(tmp_path / "c", {"proc/sysinfo": "LPAR Number: 3\nVM00 Control Program: z/VM    6.4.0\n"})
    zkvm = tree(tmp_path / "d", {"proc/sysinfo": "LPAR Number: 3\nVM00 Control Program: KVM/Linux\n"})
    zmetal = tree(tmp_path / "e", {"proc/sysinfo": "Type: 2964\nLPAR Number:          27\n"})
    found = [detect_virtualization(fs, ARM) for fs in (kvm, lpar, zvm, zkvm, zmetal)]
    assert found == ["kvm", "powervm", "z/vm", "kvm", "none"]


def test_with_nothing_to_go_by_the_answer_is_unknown(tmp_path: Path) -> None:
    assert detect_virtualization(tree(tmp_path, {}), None) is None
    assert detect_virtualization(tree(tmp_path, {}), ARM) is None
    assert detect_virtualization(tree(tmp_path, {}), GUEST) == "other"


def test_undecodable_names_are_no_evidence(tmp_path: Path) -> None:
    fs = tree(tmp_path, dmi("x", "y"))
    (tmp_path / f"{DMI}/sys_vendor").write_bytes(b"\xff\xfe\n")
    (tmp_path / f"{DMI}/product_name").write_bytes(b"")
    assert detect_virtualization(fs, ARM) is None
