"""A host's configuration files that set huge pages, read once; the files themselves are never kept."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import TypeVar

from advisor.procfs.configuration import (
    ConfiguredValue,
    HostConfiguration,
    parse_boot_file,
    parse_boot_parameters,
    parse_mounts,
    parse_script,
    parse_sysctl,
    parse_tmpfiles,
    parse_tuned,
)
from advisor.procfs.errors import KernelTextError
from advisor.procfs.fs import KernelFs, decode
from advisor.procfs.systemd import parse_systemd_version

T = TypeVar("T")

SYSCTL_FOLDERS = ("etc/sysctl.d", "run/sysctl.d", "usr/local/lib/sysctl.d", "usr/lib/sysctl.d", "lib/sysctl.d")
TMPFILES_FOLDERS = ("etc/tmpfiles.d", "run/tmpfiles.d", "usr/local/lib/tmpfiles.d", "usr/lib/tmpfiles.d")
"""Where the files lie, the first folder wins for a name that is in several (sysctl.d(5), tmpfiles.d(5))."""

UNIT_FOLDERS = ("etc/systemd/system", "run/systemd/system", "usr/local/lib/systemd/system", "usr/lib/systemd/system")
"""Units of the host; those of packages, too: some switch THP at their start (389-ds)."""

SCRIPTS = ("etc/rc.local", "etc/rc.d/rc.local")
"""Where old guides tell people to switch THP off."""

LIBRARY_FOLDERS = ("usr/lib/systemd", "usr/lib64/systemd", "lib/systemd")
"""Where distributions keep libsystemd-shared; Debian has it below a folder of the architecture, too."""

TUNED_FOLDERS = ("etc/tuned/profiles", "etc/tuned", "usr/lib/tuned/profiles", "usr/lib/tuned")
"""Where tuned looks for profiles; with a folder `profiles` from 2.23 on."""

MOST_INCLUDES = 8
"""Profiles that one tuned profile may include in turn. Source: own choice. Reason: shipped ones include two."""

TOOL_FOLDERS = ("usr/sbin", "usr/bin", "sbin", "bin")
BOOT_TOOLS = ("grubby", "update-grub", "grub2-mkconfig", "grub-mkconfig", "kernel-install", "systemctl")
"""Programs that change boot entries or start units, and where they are."""

TELLING = (b"huge", b"thp_")
"""What every setting of huge pages has in its name."""

BOOT_FILES = ("etc/default/grub", "etc/default/grub.d", "etc/kernel/cmdline", "boot/loader/entries")
"""Files that say how this host boots."""


def read_configuration(fs: KernelFs) -> HostConfiguration:
    """All that could be read; nothing that cannot is an error."""
    boot = _attempt(lambda: fs.parse_proc("cmdline", parse_boot_parameters))
    mounts = _attempt(lambda: fs.parse_proc("self/mounts" if fs.is_live else "mounts", parse_mounts))
    if fs.config_root is None:
        return HostConfiguration(boot_parameters=boot, mounts=mounts)
    tuned_profile = _tuned_profile(fs)
    return HostConfiguration(
        boot_parameters=boot,
        values=[
            *_of_folders(fs, SYSCTL_FOLDERS, ".conf", parse_sysctl),
            *_of_file(fs, "etc/sysctl.conf", parse_sysctl),
            *_of_folders(fs, TMPFILES_FOLDERS, ".conf", parse_tmpfiles),
            *_of_folders(fs, UNIT_FOLDERS, ".service", _parse_unit),
            *_of_drop_ins(fs),
            *(value for name in SCRIPTS for value in _of_file(fs, name, _parse_rc)),
            *_of_tuned(fs, tuned_profile),
            *_of_boot_files(fs),
        ],
        mounts=mounts,
        systemd_runs=fs.has_config("run/systemd/system"),
        tuned_profile=tuned_profile,
        tuned_folder=next((f"/{folder}" for folder in TUNED_FOLDERS[:2] if fs.has_config(folder)), None),
        boot_tools=[tool for tool in BOOT_TOOLS if any(fs.has_config(f"{at}/{tool}") for at in TOOL_FOLDERS)],
        boot_files=[f"/{name}" for name in BOOT_FILES if fs.has_config(name)],
    )


def installed_systemd(fs: KernelFs) -> int | None:
    """The version of the systemd whose files are there, as a process that may not look at PID 1 can see it."""
    names = "".join(f"/{name}\n" for name in _library_names(fs)) if fs.config_root is not None else ""
    return parse_systemd_version(names.encode())


Parser = Callable[[bytes, str], list[ConfiguredValue]]


def _parse_unit(data: bytes, path: str) -> list[ConfiguredValue]:
    return parse_script(data, path, "unit")


def _parse_rc(data: bytes, path: str) -> list[ConfiguredValue]:
    return parse_script(data, path, "script")


def _of_folders(fs: KernelFs, folders: Iterable[str], ending: str, parser: Parser) -> Iterator[ConfiguredValue]:
    """The files of all folders in the order of their names; of one name only the first folder's file counts."""
    found: dict[str, str] = {}
    for folder in folders:
        for name in _attempt(lambda folder=folder: fs.list_config(folder)) or ():  # type: ignore[misc]
            if name.endswith(ending):
                found.setdefault(name, f"{folder}/{name}")
    for name in sorted(found):
        yield from _of_file(fs, found[name], parser)


def _of_drop_ins(fs: KernelFs) -> Iterator[ConfiguredValue]:
    """Drop-ins that an administrator wrote for services."""
    for name in _attempt(lambda: fs.list_config(UNIT_FOLDERS[0])) or ():
        if name.endswith(".service.d"):
            yield from _of_folders(fs, (f"{UNIT_FOLDERS[0]}/{name}",), ".conf", _parse_unit)


def _of_boot_files(fs: KernelFs) -> Iterator[ConfiguredValue]:
    yield from _of_file(fs, "etc/default/grub", parse_boot_file)
    yield from _of_folders(fs, ("etc/default/grub.d",), ".cfg", parse_boot_file)
    yield from _of_file(fs, "etc/kernel/cmdline", parse_boot_file)


def _of_tuned(fs: KernelFs, profile: str | None) -> list[ConfiguredValue]:
    """What the active profile sets, those it includes before it, as tuned merges them."""
    found: list[ConfiguredValue] = []
    for _ in range(MOST_INCLUDES):
        if profile is None:
            break
        name = next((at for at in TUNED_FOLDERS if fs.has_config(f"{at}/{profile}/tuned.conf")), None)
        path = f"{name}/{profile}/tuned.conf"
        read = _attempt(lambda path=path: parse_tuned(fs.read_config(path), f"/{path}")) if name else None  # type: ignore[misc]
        if read is None:
            break
        values, profile = read
        found = [*values, *found]
    return found


def _tuned_profile(fs: KernelFs) -> str | None:
    """The active profile of a tuned that runs; a list of several counts as none that could be included."""
    if not fs.has_config("run/tuned/tuned.pid"):
        return None
    text = _attempt(lambda: decode(fs.read_config("etc/tuned/active_profile")).strip())
    return text if text and all(character.isalnum() or character in "_.-" for character in text) else None


def _library_names(fs: KernelFs) -> Iterator[str]:
    below = [
        f"usr/lib/{name}/systemd" for name in _attempt(lambda: fs.list_config("usr/lib")) or () if "-linux-" in name
    ]
    for folder in (*LIBRARY_FOLDERS, *below):
        yield from _attempt(lambda folder=folder: fs.list_config(folder)) or ()  # type: ignore[misc]


def _of_file(fs: KernelFs, name: str, parser: Parser) -> list[ConfiguredValue]:
    data = _attempt(lambda: fs.read_config(name)) or b""
    # Nearly all of a few hundred files say nothing on huge pages: they are not cut into lines.
    return parser(data, f"/{name}") if any(word in data for word in TELLING) else []


def _attempt(read: Callable[[], T]) -> T | None:
    try:
        return read()
    except KernelTextError:
        return None
