"""Whether the host is a guest, and of what, from what the kernel shows to everybody."""

from __future__ import annotations

import re

from advisor.procfs.errors import KernelTextError
from advisor.procfs.facts import Cpu
from advisor.procfs.fs import KernelFs
from advisor.procfs.text import parse_word

OTHER = "other"
"""A hypervisor is there (x86's CPUID bit), but nothing that the kernel shows says which."""

_CLOCKSOURCES = {"kvm-clock": "kvm", "xen": "xen", "hyperv_clocksource": "hyperv"}
"""Paravirtual clocks by the beginning of their names: offered only under that hypervisor."""

_COMPATIBLE = {"linux,kvm": "kvm", "xen,xen": "xen", "vmware": "vmware"}
"""Beginnings of the device tree's hypervisor/compatible (arm64, ppc)."""

_DMI = (
    (re.compile(r"KVM|RHEV Hypervisor|oVirt|OpenStack|KubeVirt|AHV"), "kvm"),
    (re.compile(r"Alibaba Cloud|DigitalOcean|Google Compute"), "kvm"),
    (re.compile(r"VMware|VMW"), "vmware"),
    (re.compile(r"innotek GmbH|VirtualBox"), "virtualbox"),
    (re.compile(r"Microsoft Corporation\nVirtual Machine"), "hyperv"),
    (re.compile(r"Xen"), "xen"),
    (re.compile(r"Parallels"), "parallels"),
    (re.compile(r"BHYVE"), "bhyve"),
    (re.compile(r"Apple Virtualization"), "apple"),
    (re.compile(r"Amazon EC2\n(?!.*\.metal)"), "kvm"),
    (re.compile(r"QEMU|Bochs"), "qemu"),
)
"""What "sys_vendor, line end, product_name" begins with or has after its line end, and whose it is.

Names as in systemd's src/basic/virt.c. QEMU's own names do not tell KVM from emulation.
"""

_SYSINFO_GUEST = re.compile(rb"^VM00 Control Program: *(\S+)", re.MULTILINE)
"""/proc/sysinfo of s390x names the hypervisor directly above the guest."""


def detect_virtualization(fs: KernelFs, cpu: Cpu | None) -> str | None:
    """kvm, xen, vmware, hyperv, virtualbox, qemu, powervm, z/vm ...; "none" on bare metal; None: cannot tell.

    "other" is a hypervisor of unknown kind. A Xen host's own domain is "xen" too: Xen hands out its memory.
    """
    found = _from_xen(fs) or _from_clock(fs) or _from_device_tree(fs) or _from_sysinfo(fs)
    if found:
        return found
    has_flag = cpu.hypervisor_flag if cpu else None
    if has_flag is False:
        return "none"
    dmi = _from_dmi(fs)
    if has_flag:
        return OTHER if dmi in (None, "none") else dmi
    return dmi


def _word(fs: KernelFs, name: str) -> str | None:
    try:
        return fs.parse_sys(name, parse_word)
    except KernelTextError:
        return None


def _from_xen(fs: KernelFs) -> str | None:
    kind = _word(fs, "hypervisor/type")
    if kind:
        return kind.lower()
    try:
        fs.list_proc("xen")
    except KernelTextError:
        return None
    return "xen"


def _from_clock(fs: KernelFs) -> str | None:
    clocks = _word(fs, "devices/system/clocksource/clocksource0/available_clocksource") or ""
    for clock in clocks.split():
        for beginning, hypervisor in _CLOCKSOURCES.items():
            if clock.startswith(beginning):
                return hypervisor
    return None


def _from_device_tree(fs: KernelFs) -> str | None:
    base = "firmware/devicetree/base"
    try:
        compatible = fs.read_sys(f"{base}/hypervisor/compatible").rstrip(b"\0\n").decode("ascii", "replace")
    except KernelTextError:
        return "powervm" if _word_of_tree(fs, f"{base}/ibm,partition-name") else None
    for beginning, hypervisor in _COMPATIBLE.items():
        if compatible.startswith(beginning):
            return hypervisor
    return OTHER


def _word_of_tree(fs: KernelFs, name: str) -> bytes:
    try:
        return fs.read_sys(name)
    except KernelTextError:
        return b""


def _from_sysinfo(fs: KernelFs) -> str | None:
    try:
        text = fs.read_proc("sysinfo")
    except KernelTextError:
        return None
    guest = _SYSINFO_GUEST.search(text)
    if guest is None:
        return "none" if b"LPAR Number:" in text else None
    return "kvm" if guest[1].startswith(b"KVM") else guest[1].decode("ascii", "replace").lower()


def _from_dmi(fs: KernelFs) -> str | None:
    vendor = _word(fs, "class/dmi/id/sys_vendor")
    product = _word(fs, "class/dmi/id/product_name")
    if vendor is None and product is None:
        return None
    text = f"{vendor or ''}\n{product or ''}"
    for pattern, hypervisor in _DMI:
        if pattern.match(text) or pattern.match(text, text.index("\n") + 1):
            return hypervisor
    return "none"
