"""Sizes on command lines of JVMs and QEMU."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from advisor.features.command_lines import JavaSizes, guest_ram_parts, java_sizes
from advisor.units import GIB, MIB


@pytest.mark.parametrize(
    ("line", "sizes"),
    [
        ("java -Xmx2g -jar app.jar", JavaSizes(2 * GIB)),
        ("java -Xms1g -Xmx512m -Xmx768M Main", JavaSizes(768 * MIB)),
        ("java -XX:MaxHeapSize=1073741824 Main", JavaSizes(GIB)),
        ("java -XX:+UseG1GC -XX:+UseParallelGC Main", JavaSizes(collector="Parallel")),
        ("java -XX:ReservedCodeCacheSize=64m -cp lib/* Main", JavaSizes(code_cache_bytes=64 * MIB)),
        ("java -cp a.jar Main -Xmx1g", JavaSizes()),
        ("java -jar app.jar -Xmx1g", JavaSizes()),
        ("java @options -Xmx1g Main", JavaSizes(GIB)),
        ("java -Xmxhuge Main", JavaSizes()),
        ("java", JavaSizes()),
    ],
)
def test_java(line: str, sizes: JavaSizes) -> None:
    assert java_sizes(line.split()) == sizes


@pytest.mark.parametrize(
    ("line", "parts"),
    [
        ("qemu -m 1024", [GIB]),
        ("qemu -m 1.5G", [GIB * 3 // 2]),
        ("qemu -m 1G,slots=2,maxmem=4G", [GIB]),
        ("qemu -m size=2048,slots=2", [2 * GIB]),
        ("qemu -m 1073741824b", [GIB]),
        ("qemu -m 1024 -m 512", [512 * MIB]),
        ("qemu -m 1G -object memory-backend-memfd,id=ram,size=1024M,share=on -machine q35,memory-backend=ram", [GIB]),
        (
            "qemu -m 3G -object memory-backend-ram,id=a,size=1G -object memory-backend-ram,id=b,size=2G "
            "-numa node,memdev=a -numa node,memdev=b",
            [GIB, 2 * GIB],
        ),
        ("qemu -m 1G -object memory-backend-ram,id=extra,size=512M -device pc-dimm,memdev=extra", [GIB, 512 * MIB]),
        (
            'qemu -m 1024 -object {"qom-type":"memory-backend-memfd","id":"pc.ram","size":1073741824} '
            "-machine pc,memory-backend=pc.ram",
            [GIB],
        ),
        ("qemu -m 1G -object rng-random,id=rng0,filename=/dev/urandom", [GIB]),
        ("qemu", None),
        ("qemu -m huge", None),
        ("qemu -m", None),
        ("qemu -object memory-backend-ram,id=a -machine memory-backend=a", None),
        ("qemu -m 1G -object {broken", [GIB]),
    ],
)
def test_guest_ram(line: str, parts: list[int] | None) -> None:
    assert guest_ram_parts(line.split(" ")) == parts


@given(st.lists(st.text() | st.sampled_from(["-m", "-object", "-numa", "{}", "[]", "-Xmx", "-cp"]), max_size=8))
def test_any_arguments_are_read_without_an_error(arguments: list[str]) -> None:
    java_sizes(arguments)
    parts = guest_ram_parts(arguments)
    assert parts is None or all(part > 0 for part in parts)


HUGE = "9" * 5000


@pytest.mark.parametrize(
    "arguments",
    [
        ["qemu-system-x86_64", "-m", "9" * 30],
        ["qemu-system-x86_64", "-m", HUGE + "G"],
        ["qemu-system-x86_64", "-m", "0." + HUGE],
        ["qemu-system-x86_64", "-object", f"memory-backend-ram,id=a,size={HUGE}G"],
        ["qemu-system-x86_64", "-object", '{"qom-type":"memory-backend-ram","size":' + HUGE + "}"],
        ["qemu-system-x86_64", "-object", '{"qom-type":"memory-backend-ram","size":1e400}'],
        ["qemu-system-x86_64", "-object", '{"a":' * 50_000],
    ],
    ids=lambda arguments: arguments[2][:40],
)
def test_what_no_guest_can_have_is_unknown(arguments: list[str]) -> None:
    """Anybody may start a program of that name with any arguments, and root's report reads them."""
    sizes = guest_ram_parts(arguments)
    assert sizes is None or all(size < 1 << 57 for size in sizes)


@pytest.mark.parametrize("size", ["9" * 30 + "g", HUGE, HUGE + "t"])
def test_what_no_heap_can_have_is_unknown(size: str) -> None:
    assert java_sizes(["java", f"-Xmx{size}", f"-XX:ReservedCodeCacheSize={size}", "Main"]).heap_bytes is None
