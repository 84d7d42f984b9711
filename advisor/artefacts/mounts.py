"""A hugetlbfs mount: a systemd unit, or a line of fstab. Programs that map files of a pool need one."""

from __future__ import annotations

import re
import shlex

from advisor.artefacts.model import MARK, Artefact, lines, plain_path, size_label
from advisor.artefacts.pools import OWNER

_UNIT_PLAIN = re.compile(r"[A-Za-z0-9:_.]")
_FSTAB_SPECIAL = {" ": r"\040", "\t": r"\011", "\\": r"\134", "#": r"\043"}


def usual_mount_point(page_bytes: int, default_page_bytes: int | None) -> str:
    """/dev/hugepages, which systemd mounts for the default size, or /dev/hugepages1G and the like."""
    label = "" if page_bytes == default_page_bytes else size_label(page_bytes)
    return f"/dev/hugepages{label}"


def mount_unit(path: str, page_bytes: int, *, group: str | None = None) -> Artefact:
    """A .mount unit. group: its members may use the pool through this mount, by name or number; None: root alone.

    Raises ValueError for a path that is no plain path, or a group whose name needs quoting.
    """
    unit = f"{escaped_unit_path(plain_path(path))}.mount"
    if path != path.strip() or path.endswith("\\"):
        raise ValueError(f"a path that a unit cannot say: {path!r}")
    file = f"/etc/systemd/system/{unit}"
    quoted = shlex.quote(unit)
    return Artefact(
        id=f"mount-{size_label(page_bytes)}",
        kind="systemd",
        title=f"hugetlbfs of {size_label(page_bytes)} pages at {path}",
        path=file,
        text=lines(
            MARK,
            f"# In force after: systemctl daemon-reload && systemctl enable --now {quoted}",
            "[Unit]",
            f"Description=Huge pages of {size_label(page_bytes)}",
            "DefaultDependencies=no",
            "Before=sysinit.target",
            "ConditionPathExists=/sys/kernel/mm/hugepages",
            "ConditionCapability=CAP_SYS_ADMIN",
            "",
            "[Mount]",
            "What=hugetlbfs",
            f"Where={path.replace('%', '%%')}",
            "Type=hugetlbfs",
            f"Options={_options(page_bytes, group)}",
            "",
            "[Install]",
            "WantedBy=sysinit.target",
        ),
        undo=lines(f"systemctl disable --now {quoted}", f"rm {shlex.quote(file)}", "systemctl daemon-reload"),
        after=["systemctl daemon-reload", f"systemctl enable --now {quoted}"],
        undo_before=[f"systemctl disable --now {quoted}"],
        undo_after=["systemctl daemon-reload"],
    )


def mount_in_fstab(path: str, page_bytes: int, *, group: str | None = None) -> Artefact:
    """The same as a line of /etc/fstab, for a host without systemd. Raises ValueError as mount_unit does."""
    where = plain_path(path)
    escaped = "".join(_FSTAB_SPECIAL.get(character, character) for character in where)
    line = f"hugetlbfs {escaped} hugetlbfs {_options(page_bytes, group)} 0 0"
    return Artefact(
        id=f"fstab-{size_label(page_bytes)}",
        kind="fstab",
        title=f"hugetlbfs of {size_label(page_bytes)} pages at {path}",
        path=None,
        text=lines("# a line of /etc/fstab; in force after: mkdir -p and mount of its second field", line),
        undo=lines(f"umount {shlex.quote(where)}", f"# take the line out of /etc/fstab: {line}"),
        by_hand=True,
    )


def escaped_unit_path(path: str) -> str:
    """A path as the name of a unit (systemd.unit(5), systemd-escape --path): "/" is "-", others are \\xNN."""
    name = path.strip("/")
    if not name:
        return "-"
    raw = name.encode()
    return "".join("-" if byte == 0x2F else _escaped(byte, first=index == 0) for index, byte in enumerate(raw))


def _escaped(byte: int, *, first: bool) -> str:
    character = chr(byte)
    if _UNIT_PLAIN.fullmatch(character) and not (first and character == "."):
        return character
    return f"\\x{byte:02x}"


def _options(page_bytes: int, group: str | None) -> str:
    options = f"pagesize={size_label(page_bytes)}"
    if group is None:
        return options
    if not OWNER.fullmatch(group):
        raise ValueError(f"not the name of a group: {group!r}")
    return f"{options},gid={group},mode=1770"
