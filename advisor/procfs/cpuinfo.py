"""`/proc/cpuinfo`, whose shape is each architecture's own. Pure functions of bytes."""

from __future__ import annotations

import re

from advisor.procfs.errors import MalformedError
from advisor.procfs.facts import Cpu
from advisor.procfs.fs import decode
from advisor.procfs.text import parse_number, whole_lines

_HEX = re.compile(rb"0x[0-9a-fA-F]{1,8}")
_S390_MACHINE = re.compile(rb"machine = ([0-9A-Fa-f]+)")

_Fields = dict[bytes, tuple[bytes, int]]


def parse_cpuinfo(data: bytes) -> Cpu:
    """The first processor, and how many there are.

    x86: vendor, family, model, stepping and flags. Arm: implementer and part. ppc: the `cpu` line as
    model_name. s390x: vendor "IBM/S390" and the machine type as model_name. RISC-V: the `uarch` line.
    Everything that the architecture does not print is None.
    """
    fields: _Fields = {}
    processors = 0
    for number, line in enumerate(whole_lines(data), 1):
        key, colon, value = line.partition(b":")
        key = key.strip()
        if not colon:
            if key:
                raise MalformedError("not a name, a colon and a value", line=number)
            continue
        if key == b"processor":
            processors += 1
        fields.setdefault(key, (value.strip(), number))
    if b"# processors" in fields:
        processors = parse_number(*fields[b"# processors"])
    flags = frozenset(fields[b"flags"][0].split()) if b"flags" in fields else None
    is_x86 = b"cpu family" in fields
    return Cpu(
        model_name=_model_name(fields),
        vendor=_text(fields, b"vendor_id"),
        family=_number(fields, b"cpu family"),
        model=_number(fields, b"model") if is_x86 else None,
        stepping=_stepping(fields) if is_x86 else None,
        implementer=_hex(fields, b"CPU implementer"),
        part=_hex(fields, b"CPU part"),
        kernel_tlb_entries=_tlb_entries(fields),
        processors=processors or None,
        hypervisor_flag=b"hypervisor" in flags if flags is not None else None,
        gigantic_pages_flag=b"pdpe1gb" in flags if flags is not None else None,
    )


def _model_name(fields: _Fields) -> str | None:
    for key in (b"model name", b"Model Name", b"cpu", b"Processor", b"uarch"):
        if name := _text(fields, key):
            return name
    for key in (b"machine", b"processor 0"):
        value = fields.get(key, (b"", 0))[0]
        machine = _S390_MACHINE.search(value)
        if machine:
            return f"machine {decode(machine[1])}"
    if b"# processors" in fields and b"machine" in fields:
        return f"machine {decode(fields[b'machine'][0])}"
    return None


def _text(fields: _Fields, key: bytes) -> str | None:
    return decode(fields[key][0]) or None if key in fields else None


def _number(fields: _Fields, key: bytes) -> int | None:
    return parse_number(*fields[key]) if key in fields else None


def _stepping(fields: _Fields) -> int | None:
    """The kernel prints "unknown" where CPUID gave no stepping (arch/x86/kernel/cpu/proc.c)."""
    if fields.get(b"stepping", (b"unknown", 0))[0] == b"unknown":
        return None
    return _number(fields, b"stepping")


def _hex(fields: _Fields, key: bytes) -> int | None:
    if key not in fields:
        return None
    value, line = fields[key]
    if not _HEX.fullmatch(value):
        raise MalformedError(f"not a hexadecimal number: {value[:40]!r}", line=line)
    return int(value, 16)


def _tlb_entries(fields: _Fields) -> int | None:
    """ "192 4K pages" gives 192 (x86 of AMD and Hygon only)."""
    if b"TLB size" not in fields:
        return None
    value, line = fields[b"TLB size"]
    return parse_number(value.partition(b" ")[0], line)
