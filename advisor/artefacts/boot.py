"""Pools reserved by the kernel command line, while memory is still in one piece, for each way of setting it."""

from __future__ import annotations

import re
import shlex
from collections.abc import Sequence

from advisor.artefacts.model import MARK, Artefact, count, lines, size_label
from advisor.artefacts.pools import PoolChange
from advisor.procfs.configuration import ConfiguredValue

GRUB_PATH = "/etc/default/grub.d/99-hugepage-advisor.cfg"
"""Read after /etc/default/grub by grub-mkconfig of Debian and Ubuntu."""

KERNEL_CMDLINE_PATH = "/etc/kernel/cmdline"
"""The whole command line of entries that kernel-install(8) writes for systemd-boot."""

PARAMETER = re.compile(
    r"(default_hugepagesz|hugepagesz)=[0-9]{1,12}[KMGkmg]?[Bb]?"
    r"|hugepages=[0-9]{1,12}(:[0-9]{1,12})?(,[0-9]{1,12}:[0-9]{1,12})*"
)
"""Pool parameters of the kernel command line (kernel-parameters.txt); hugepages=0:4,1:4 is by node (5.16)."""

POOL_WORDS = "(default_hugepagesz|hugepagesz|hugepages)=[^ ]*"
"""The same for sed: whatever their values are."""

TITLE = "Pools reserved at boot, while memory is still in one piece"


def pool_parameters(changes: Sequence[PoolChange], command_line: str | None) -> str:
    """The pool parameters of the kernel command line with these changes made, page sizes in ascending order.

    command_line: of the running kernel (/proc/cmdline), None where unknown; what it reserves for page sizes that no
    change names is kept, and its default_hugepagesz too. Changes of single nodes of one size go into one parameter
    (hugepages=0:4,1:4). Raises ValueError where a size is changed both for the host and for a node.
    """
    default = next((change.default_page_bytes for change in changes if change.default_page_bytes), None)
    reserved = _reserved(command_line or "", default)
    for page_bytes in {change.page_bytes for change in changes}:
        reserved[page_bytes] = _amount([change for change in changes if change.page_bytes == page_bytes])
    unnamed = reserved.pop(None, None)
    return " ".join(
        [
            *_default_size(command_line or ""),
            *([] if unnamed is None else [f"hugepages={unnamed}"]),
            *(f"hugepagesz={size_label(size)} hugepages={reserved[size]}" for size in sorted(filter(None, reserved))),
        ]
    )


def pool_with_grubby(changes: Sequence[PoolChange], command_line: str | None) -> Artefact:
    """The parameters with commands for hosts that manage their boot entries with grubby (Fedora, RHEL).

    grubby keeps one value for each name: of two pairs of hugepagesz= and hugepages= it would lose one, and
    hugepagesz= is found inside default_hugepagesz= (grubby-bls, update_args). Such lines are for a person to write.
    """
    new, old = pool_parameters(changes, command_line).split(), _old_parameters(command_line or "")
    if len(new) > 2 or len(old) > 2 or any(word.startswith("default_") for word in [*new, *old]):
        return pool_in_default_grub(changes, command_line)
    parameters = " ".join(new)
    # All of the old ones go, also those that stay as they are: so the new ones stand together, in this order.
    remove = f" --remove-args={shlex.quote(' '.join(old))}" if old else ""
    restore = f" --args={shlex.quote(' '.join(old))}" if old else ""
    return Artefact(
        id="pool-grubby",
        kind="kernel-command-line",
        title=TITLE,
        path=None,
        text=lines(
            f"# kernel parameters: {parameters}",
            *_taken_out(old, "the kernel command line"),
            *_node_note(changes),
            f"grubby --update-kernel=ALL{remove} --args={shlex.quote(parameters)}",
            f"grubby --info=ALL | grep -F {shlex.quote(parameters)}    # in this order",
        ),
        undo=lines(f"grubby --update-kernel=ALL --remove-args={shlex.quote(parameters)}{restore}"),
        needs_reboot=True,
    )


def pool_on_command_line(changes: Sequence[PoolChange], command_line: str | None) -> Artefact:
    """The same by hand, where it is not known what sets this host's kernel command line."""
    parameters, old = pool_parameters(changes, command_line), _old_parameters(command_line or "")
    return Artefact(
        id="pool-command-line",
        kind="kernel-command-line",
        title=TITLE,
        path=None,
        text=lines(
            "# Kernel parameters, in this order, as each hugepages= belongs to the hugepagesz= before it.",
            "# GRUB: GRUB_CMDLINE_LINUX of /etc/default/grub, then update-grub or grub2-mkconfig; systemd-boot:",
            "# /etc/kernel/cmdline, then kernel-install add; a virtual machine may have it in its configuration.",
            *_taken_out(old, "it"),
            *_node_note(changes),
            parameters,
        ),
        undo=lines(f"# take out: {parameters}", *([f"# put back: {' '.join(old)}"] if old else [])),
        needs_reboot=True,
        by_hand=True,
    )


def pool_in_default_grub(changes: Sequence[PoolChange], command_line: str | None) -> Artefact:
    """The same by hand, for a GRUB whose generator reads /etc/default/grub alone."""
    parameters, old = pool_parameters(changes, command_line), _old_parameters(command_line or "")
    make = "# then: grub2-mkconfig -o /boot/grub2/grub.cfg    (RHEL 9.3 and later, Fedora: and --update-bls-cmdline)"
    return Artefact(
        id="pool-default-grub",
        kind="kernel-command-line",
        title=TITLE,
        path=None,
        text=lines(
            "# In GRUB_CMDLINE_LINUX of /etc/default/grub, in this order, as each hugepages= belongs to the",
            "# hugepagesz= before it:",
            *_taken_out(old, "it"),
            *_node_note(changes),
            parameters,
            make,
        ),
        undo=lines(
            f"# in GRUB_CMDLINE_LINUX of /etc/default/grub take out: {parameters}",
            *([f"# and put back: {' '.join(old)}"] if old else []),
            make,
        ),
        needs_reboot=True,
        by_hand=True,
    )


def pool_in_grub(
    changes: Sequence[PoolChange],
    command_line: str | None,
    configured: Sequence[ConfiguredValue] | None = None,
) -> Artefact:
    """The same as a file for the GRUB of Debian and Ubuntu; what other files say on pools is taken out of it.

    configured: boot parameters in /etc/default/grub and its folder, None where they are not known.
    """
    old = _old_parameters(command_line or "")
    others = [value for value in configured or () if _is_pool_value(value)]
    strip = bool(others) if configured is not None else bool(old)
    said = [f"# {value.path} line {value.line}: {value.knob}={value.value} is replaced." for value in others]
    if strip and not said:
        said = [f"# Replaced: {' '.join(old)}"]
    return Artefact(
        id="pool-grub",
        kind="grub",
        title=TITLE,
        path=GRUB_PATH,
        text=lines(
            MARK,
            "# In force after update-grub and a reboot.",
            *_node_note(changes),
            *said,
            *([_without_pools("GRUB_CMDLINE_LINUX"), _without_pools("GRUB_CMDLINE_LINUX_DEFAULT")] if strip else []),
            f'GRUB_CMDLINE_LINUX="$GRUB_CMDLINE_LINUX {pool_parameters(changes, command_line)}"',
        ),
        undo=lines(f"rm {GRUB_PATH}", "update-grub"),
        needs_reboot=True,
        after=["update-grub"],
        undo_after=["update-grub"],
    )


def pool_in_kernel_cmdline(changes: Sequence[PoolChange], command_line: str | None) -> Artefact:
    """The same with commands for hosts whose boot entries kernel-install makes from /etc/kernel/cmdline."""
    parameters, old = pool_parameters(changes, command_line), _old_parameters(command_line or "")
    return Artefact(
        id="pool-kernel-cmdline",
        kind="kernel-command-line",
        title=TITLE,
        path=None,
        text=lines(
            f"# Pool parameters of {KERNEL_CMDLINE_PATH} are replaced, the others stay as they are.",
            *_taken_out(old, "it"),
            *_node_note(changes),
            *_rewrite(parameters),
        ),
        undo=lines(*_rewrite(" ".join(old))),
        needs_reboot=True,
    )


def _rewrite(parameters: str) -> list[str]:
    """Commands that replace all pool parameters by these, and make the running kernel's boot entry anew."""
    script = f"s/(^| ){POOL_WORDS}//g; 1s/ *$/{' ' + parameters if parameters else ''}/"
    return [
        f"sed -E -i {shlex.quote(script)} {KERNEL_CMDLINE_PATH}",
        'image=/usr/lib/modules/$(uname -r)/vmlinuz; [ -e "$image" ] || image=/boot/vmlinuz-$(uname -r)',
        'kernel-install add "$(uname -r)" "$image"',
    ]


def _without_pools(variable: str) -> str:
    script = f"s/(^| ){POOL_WORDS}//g"
    return f"""{variable}="$(printf '%s' "${variable}" | sed -E '{script}')\""""


def _is_pool_value(value: ConfiguredValue) -> bool:
    word = f"{value.knob}={value.value}"
    return value.source == "boot" and value.path != GRUB_PATH and bool(PARAMETER.fullmatch(word))


def _taken_out(words: Sequence[str], place: str) -> list[str]:
    return [f"# Taken out of {place}: {' '.join(words)}"] if words else []


def _node_note(changes: Sequence[PoolChange]) -> list[str]:
    by_node = any(change.node is not None for change in changes)
    return ["# Numbers by node (node:pages) need Linux 5.16 or later."] if by_node else []


def _amount(changes: Sequence[PoolChange]) -> str:
    """The value of hugepages= for the changes of one page size."""
    if len(changes) == 1 and changes[0].node is None:
        return str(count(changes[0].pages, "pages"))
    by_node = {change.node: count(change.pages, "pages") for change in changes if change.node is not None}
    if len(by_node) != len(changes):
        raise ValueError(f"more than one change of {size_label(changes[0].page_bytes)} pages for the same place")
    return ",".join(f"{count(node, 'node')}:{by_node[node]}" for node in sorted(by_node))


def _old_parameters(command_line: str) -> list[str]:
    """Every pool parameter of a command line, default_hugepagesz included, as it stands there."""
    return [word for word in command_line.split() if PARAMETER.fullmatch(word)]


def _default_size(command_line: str) -> list[str]:
    return [word for word in _old_parameters(command_line) if word.startswith("default_hugepagesz=")][:1]


def _reserved(command_line: str, default_page_bytes: int | None) -> dict[int | None, str]:
    """Page size -> amount that a command line reserves; None is a default size that nobody knows.

    hugepages= belongs to the hugepagesz= or default_hugepagesz= before it; one that comes first means the default
    size. Of several numbers for one size the first counts (mm/hugetlb.c hugepages_setup, hugepagesz_setup).
    """
    words = _old_parameters(command_line)
    found: dict[int | None, str] = {}
    stated = _default_size(command_line)
    size = _size_bytes(stated[0].partition("=")[2]) if stated else default_page_bytes
    for word in words:
        name, _, value = word.partition("=")
        if name == "hugepages":
            found.setdefault(size, value)
        else:
            size = _size_bytes(value)
    return found


def _size_bytes(value: str) -> int:
    """Bytes of 2M, 1G, 1GB, 2048k: what follows the unit is ignored, as memparse does."""
    unit = value.lstrip("0123456789")
    return int(value[: len(value) - len(unit)]) << {"": 0, "K": 10, "M": 20, "G": 30}[unit[:1].upper()]
