"""Other files of the host that set the same knob: which of them wins, and what has to go."""

from __future__ import annotations

from collections.abc import Collection, Iterator

from advisor.artefacts.model import kib
from advisor.procfs.configuration import ConfiguredValue, HostConfiguration

SYSCTL_CONF = "/etc/sysctl.conf"
"""Read last by `sysctl --system` of procps, and not at all by systemd-sysctl."""

THP_PARAMETERS = {"transparent_hugepage": "enabled", "transparent_hugepage_shmem": "shmem_enabled"}
"""Boot parameters that set a THP switch until somebody writes it (kernel-parameters.txt)."""

THP_FOLDER = "/sys/kernel/mm/transparent_hugepage"


def pool_file(page_bytes: int) -> str:
    """The kernel file of the host's pool of this page size."""
    return f"/sys/kernel/mm/hugepages/hugepages-{kib(page_bytes)}kB/nr_hugepages"


def conflicts(
    configuration: HostConfiguration | None,
    path: str,
    kernel_files: Collection[str],
    default_page_bytes: int | None,
) -> list[str]:
    """A sentence for each line of another file that sets one of these kernel files, too.

    path: the sysctl.d or tmpfiles.d file that sets them; default_page_bytes: of the host's default pool.
    """
    if configuration is None:
        return []
    silenced = tuned_is_silenced(configuration)
    found = [
        f"{value.path} line {value.line} {_says(value)}: {_outcome(path, value, silenced=silenced)}"
        for value in configuration.values
        if value.path != path
        and value.source != "boot"
        and _kernel_file(value.knob, default_page_bytes) in kernel_files
    ]
    return [*found, *_of_boot(configuration, kernel_files)]


def tuned_is_silenced(configuration: HostConfiguration) -> bool:
    """tuned sets no THP mode where the kernel command line names one (tuned/plugins/plugin_vm.py)."""
    return any(word.startswith("transparent_hugepage=") for word in configuration.boot_parameters or ())


def _of_boot(configuration: HostConfiguration, kernel_files: Collection[str]) -> Iterator[str]:
    for word in configuration.boot_parameters or ():
        name = word.partition("=")[0]
        if name in THP_PARAMETERS and f"{THP_FOLDER}/{THP_PARAMETERS[name]}" in kernel_files:
            yield f"The kernel command line says {word}: it holds until this file is applied."


def _kernel_file(knob: str, default_page_bytes: int | None) -> str | None:
    """The kernel file behind a knob by any of its names; None for one that is not about one pool or switch."""
    if knob in ("vm.nr_hugepages", "/proc/sys/vm/nr_hugepages"):
        return None if default_page_bytes is None else pool_file(default_page_bytes)
    return knob.replace("/redhat_transparent_hugepage/", "/transparent_hugepage/")


def _says(value: ConfiguredValue) -> str:
    return f"{'writes' if value.value else 'names'} {value.knob}{f' = {value.value}' if value.value else ''}"


def _outcome(path: str, other: ConfiguredValue, *, silenced: bool) -> str:
    """Which of the two files wins. silenced: tuned leaves the THP mode alone."""
    mine, theirs = path.rpartition("/")[2], other.path.rpartition("/")[2]
    ours = "sysctl" if "/sysctl.d/" in path else "tmpfiles"
    if other.source == "tuned" and silenced and other.knob == f"{THP_FOLDER}/enabled":
        return "tuned leaves it alone, as the kernel command line says transparent_hugepage=."
    if other.source == "tuned":
        return "tuned applies it again at every start and wins; use the tuned profile of this plan instead."
    if other.source in ("unit", "script"):
        return "it runs later and wins where it is enabled; take that line out."
    if other.source != ours:
        return "both are applied at boot, in no fixed order; take that line out."
    if other.path == SYSCTL_CONF:
        return "`sysctl --system` reads it last and it wins; take that line out."
    if ours == "sysctl":
        return (
            "this file is read later and wins." if mine > theirs else "it is read later and wins; take that line out."
        )
    if mine < theirs:
        return "of two files the first by name is applied, this one."
    return "of two files the first by name is applied, that one; take that line out."
