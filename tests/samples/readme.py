"""README.md of the sample profiles, made from the profiles and from what is known of their programs."""

from __future__ import annotations

from collections.abc import Iterable

from advisor.profile.model import HostState, Profile
from tests.samples.scenario import Scenario

INTRODUCTION = """\
# Sample profiles

Recorded on a real kernel from real programs under load; none is made up. `hugepage-advisor report FILE` reads them.

A profile holds the host's own figures whole, and of the processes only those that were started for it: the program
and its load. The machine's name is replaced by `sample-host`, the folder of the programs by `/srv/sample`, control
groups by `/`; the boot id is left out.

`python tests/record_sample_profiles.py [NAME ...]`, as root, records them again and writes this file. It needs
Debian 12's packages `postgresql-15 postgresql-client-15 redis-server redis-tools memcached openjdk-17-jdk-headless
qemu-system-x86 stress-ng dbus-daemon python3-numpy gcc libc6-dev`, two CPUs and 12 GiB of free memory; for the guests
a kernel such as the one in the package `linux-image-cloud-amd64`, in `/boot` or named in `SAMPLE_GUEST_KERNEL`. It
sets THP's mode and the 2M pool as stated below for the length of a recording, and restores them.

"What is true" is known from how a profile was made, and not from the profile.
"""


def readme(recorded: Iterable[tuple[Scenario, str, Profile]]) -> str:
    """The whole file; each item is (scenario, file name, profile), in the order of the file."""
    return INTRODUCTION + "".join(_section(*item) for item in recorded)


def _section(scenario: Scenario, file_name: str, profile: Profile) -> str:
    program, _, commands = (profile.header.origin or "").partition("\n")
    first, last = profile.samples[0], profile.samples[-1]
    return f"""
## {file_name}

- Program: {program}
- Workload: {scenario.workload}
- What is true: {scenario.truth}
- Host: {_host(profile)}
- Huge pages: {_huge_pages(first.host)}
- Recorded: {profile.header.created_at}, {last.t_s - first.t_s:.0f} s, {len(profile.samples)} samples
- Again: `python tests/record_sample_profiles.py {scenario.name}`

```sh
{commands}
```
"""


def _host(profile: Profile) -> str:
    host = profile.header.host
    memory = (profile.samples[0].host.meminfo or {}).get("MemTotal", 0)
    cpu = f"{host.cpu.model_name}, {host.cpu.processors} CPUs" if host.cpu else "CPU unknown"
    virtual = f" ({host.virtualization})" if host.virtualization else ""
    return f"Linux {host.kernel} {host.arch}, {cpu}{virtual}, {memory / (1 << 30):.1f} GiB"


def _huge_pages(state: HostState) -> str:
    thp = state.thp
    modes = f"enabled={thp.enabled}, defrag={thp.defrag}, shmem_enabled={thp.shmem_enabled}" if thp else "no THP"
    pools = [
        f"pool of {pool.page_bytes >> 10} kB pages: {pool.total}, of which {pool.free} free"
        for pool in state.pools or []
        if pool.node is None
    ]
    return "; ".join([modes, *pools])
