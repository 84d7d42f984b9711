"""cpuinfo of several architectures."""

from __future__ import annotations

from pathlib import Path

import pytest

from advisor.procfs.cpuinfo import parse_cpuinfo
from advisor.procfs.errors import IncompleteError, MalformedError
from advisor.procfs.facts import Cpu

AMD_GUEST = b"""processor\t: 0
vendor_id\t: AuthenticAMD
cpu family\t: 26
model\t\t: 2
model name\t: AMD EPYC
stepping\t: 1
flags\t\t: fpu vme pdpe1gb rdtscp lm hypervisor
TLB size\t: 192 4K pages
power management:

processor\t: 1
vendor_id\t: AuthenticAMD
cpu family\t: 26
model\t\t: 2
model name\t: AMD EPYC
stepping\t: 1
flags\t\t: fpu vme pdpe1gb rdtscp lm hypervisor
TLB size\t: 192 4K pages
power management:

"""
INTEL_HOST = b"""processor\t: 0
vendor_id\t: GenuineIntel
cpu family\t: 6
model\t\t: 143
model name\t: Intel(R) Xeon(R) Platinum 8480+
stepping\t: unknown
flags\t\t: fpu vme rdtscp lm

"""
ARM64 = b"""processor\t: 0
BogoMIPS\t: 50.00
Features\t: fp asimd evtstrm
CPU implementer\t: 0x41
CPU architecture: 8
CPU variant\t: 0x3
CPU part\t: 0xd0c
CPU revision\t: 1

"""
ARM32 = b"""Processor\t: ARMv7 Processor rev 0 (v7l)
processor\t: 0
BogoMIPS\t: 1992.29

processor\t: 1
BogoMIPS\t: 1992.29

Features\t: swp half thumb
CPU implementer\t: 0x41
CPU part\t: 0xc09
Hardware\t: Zynq
"""
POWER = b"""processor\t: 0
cpu\t\t: POWER9, altivec supported
clock\t\t: 2300.000000MHz
revision\t: 2.2 (pvr 004e 1202)

timebase\t: 512000000
platform\t: PowerNV
model\t\t: 8335-GTW
machine\t\t: PowerNV 8335-GTW
"""
S390 = b"""vendor_id       : IBM/S390
# processors    : 4
bogomips per cpu: 3033.00
features\t: esan3 zarch stfle te vx sie
processor 0: version = FF,  identification = 0133E8,  machine = 2964
processor 1: version = FF,  identification = 0133E8,  machine = 2964

cpu number      : 0
machine         : 2964

"""
RISCV = b"processor\t: 0\nhart\t\t: 1\nisa\t\t: rv64imafdc\nmmu\t\t: sv39\nuarch\t\t: sifive,u74-mc\n\n"


@pytest.mark.parametrize(
    ("text", "cpu"),
    [
        (AMD_GUEST, Cpu("AMD EPYC", "AuthenticAMD", 26, 2, 1, None, None, 192, 2, True, True)),
        (
            INTEL_HOST,
            Cpu("Intel(R) Xeon(R) Platinum 8480+", "GenuineIntel", 6, 143, None, None, None, None, 1, False, False),
        ),
        (ARM64, Cpu(implementer=0x41, part=0xD0C, processors=1)),
        (ARM32, Cpu("ARMv7 Processor rev 0 (v7l)", implementer=0x41, part=0xC09, processors=2)),
        (POWER, Cpu("POWER9, altivec supported", processors=1)),
        (S390, Cpu("machine 2964", "IBM/S390", processors=4)),
        (RISCV, Cpu("sifive,u74-mc", processors=1)),
    ],
    ids=["amd", "intel", "arm64", "arm32", "power", "s390", "riscv"],
)
def test_each_architecture_gives_what_it_prints(text: bytes, cpu: Cpu) -> None:
    assert parse_cpuinfo(text) == cpu


def test_flags_that_are_not_printed_are_unknown_and_not_absent() -> None:
    arm = parse_cpuinfo(ARM64)
    assert arm.hypervisor_flag is None
    assert arm.gigantic_pages_flag is None


def test_a_flag_must_be_a_whole_word() -> None:
    cpu = parse_cpuinfo(AMD_GUEST.replace(b"pdpe1gb", b"pdpe1gbx").replace(b"hypervisor", b"nohypervisor"))
    assert (cpu.gigantic_pages_flag, cpu.hypervisor_flag) == (False, False)


@pytest.mark.parametrize(
    ("text", "old", "new", "line"),
    [
        (AMD_GUEST, b"model\t\t: 2\nmodel name", b"model\t\t: two\nmodel name", 4),
        (AMD_GUEST, b"192 4K pages", b"many pages", 8),
        (ARM64, b"0xd0c", b"d0c", 7),
        (S390, b": 4\n", b": four\n", 2),
        (ARM64, b"Features\t:", b"Features\t", 3),
    ],
)
def test_a_broken_value_is_malformed_and_named(text: bytes, old: bytes, new: bytes, line: int) -> None:
    with pytest.raises(MalformedError) as caught:
        parse_cpuinfo(text.replace(old, new))
    assert caught.value.line == line


def test_cut_text_is_incomplete() -> None:
    for cut in (0, 30):
        with pytest.raises(IncompleteError):
            parse_cpuinfo(AMD_GUEST[:cut])


def test_this_host_counts_its_processors() -> None:
    path = Path("/proc/cpuinfo")
    if not path.exists():
        pytest.skip("no /proc/cpuinfo here")
    data = path.read_bytes()
    cpu = parse_cpuinfo(data)
    if b"\nflags" in data:
        assert cpu.processors == data.count(b"\nflags")
