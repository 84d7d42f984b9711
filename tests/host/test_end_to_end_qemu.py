"""QEMU with a guest of 1 GiB, its RAM put into a pool by options of its own."""

from __future__ import annotations

import shlex

import pytest

from tests.host.end_to_end import advise, applied, assert_as_forecast, host_on_base_pages, in_pool, needs, pmd_label
from tests.samples.computing import ACCELERATOR
from tests.samples.guest import NoGuestKernel, guest_files

pytestmark = pytest.mark.host

MEMORY = {
    "anonymous": ["-m", "1024"],
    "shared": [
        *("-m", "1024", "-object", "memory-backend-memfd,id=ram,size=1G,share=on,prealloc=on"),
        *("-machine", "memory-backend=ram"),
    ],
}
"""QEMU's default, which THP serves, so that a pool must be asked for; and what vhost-user needs, for which it is the
advice."""


@pytest.mark.parametrize("memory", MEMORY)
def test_the_guest_is_in_the_pool_that_was_forecast(memory: str) -> None:
    qemu, _ = needs("qemu-system-x86_64", "gcc")
    with host_on_base_pages() as bench:
        try:
            kernel, disk = guest_files(bench, touched_mib=64)
        except NoGuestKernel as error:
            pytest.skip(str(error))
        command = [qemu, "-nodefaults", "-display", "none", "-serial", "stdio", "-no-reboot", "-accel", ACCELERATOR]
        command += ["-machine", "q35", "-cpu", "max", "-kernel", kernel, "-initrd", disk]
        command += ["-append", "console=ttyS0 quiet panic=-1"]
        process = bench.start_until_ready([*command, *MEMORY[memory]])
        assert in_pool(process.pid).mapped == 0
        advice = advise(bench, [process.pid], process.pid, want=pmd_label() if memory == "anonymous" else None)
        assert advice.recommendation["decided_by"] in (("user",) if memory == "anonymous" else ("rules", "both"))
        bench.end_all()
        with applied(advice):
            options = [word for line in advice.lines("qemu") for word in shlex.split(line)]
            process = bench.start_until_ready([*command, *options])
            found = in_pool(process.pid)
            assert found.resident == found.mapped
            assert_as_forecast(advice, found.mapped)
            assert "ready" in bench.log_of(process).read_text(errors="replace"), "the guest works"
            bench.end_all()
