"""Guest RAM in huge pages: libvirt and QEMU."""

from __future__ import annotations

import shlex

from advisor.artefacts.model import Artefact, count, kib, lines, size_label, slug
from advisor.artefacts.quoting import comment


def libvirt_memory(
    domain: str, page_bytes: int, guest_bytes: int, *, shared: bool, host_node: int | None = None
) -> Artefact:
    """The <memoryBacking> element that puts a libvirt guest's RAM into the pool of this page size.

    domain: the guest's name; guest_bytes: its RAM; shared: a vhost-user or virtiofs device needs it so; host_node:
    the one NUMA node of the host whose pages it takes (numatune).
    Raises ValueError where the RAM is no whole number of pages, or the name cannot be shown.
    """
    pages = _whole_pages(guest_bytes, page_bytes)
    if not domain or not domain.isprintable():
        raise ValueError(f"not the name of a guest: {domain!r}")
    # The name begins after "--", so that one with a leading hyphen is no option.
    edit = f"virsh edit -- {shlex.quote(domain)}"
    return Artefact(
        id=f"libvirt-{slug(domain)}",
        kind="libvirt",
        title=f"RAM of guest {domain} on {pages} pages of {size_label(page_bytes)}",
        path=None,
        text=lines(
            "<!-- In place of the domain's memoryBacking; in force after the guest was shut down and started.",
            f"     The host must have {pages} free pages on the NUMA nodes that the guest may use. -->",
            "<memoryBacking>",
            "  <hugepages>",
            f"    <page size='{kib(page_bytes)}' unit='KiB'/>",
            "  </hugepages>",
            "  <source type='memfd'/>",
            *(["  <access mode='shared'/>"] if shared else []),
            "  <allocation mode='immediate'/>",
            "</memoryBacking>",
            *_numatune(host_node),
        ),
        undo=lines(f"{edit}    # take the element out again, or put back the one that was there"),
        by_hand=True,
    )


def qemu_memory(name: str, page_bytes: int, guest_bytes: int, *, host_node: int | None, shared: bool) -> Artefact:
    """QEMU options that put a guest's RAM into the pool of this page size.

    name: what tells this guest from others; host_node: binds the RAM to one NUMA node of the host.
    Raises ValueError where the RAM is no whole number of pages.
    """
    pages = _whole_pages(guest_bytes, page_bytes)
    backend = ["memory-backend-memfd", "id=mem0", f"size={guest_bytes}", "hugetlb=on"]
    backend += [f"hugetlbsize={size_label(page_bytes)}", "prealloc=on", f"share={'on' if shared else 'off'}"]
    if host_node is not None:
        backend += [f"host-nodes={count(host_node, 'node')}", "policy=bind"]
    return Artefact(
        id=f"qemu-{slug(name)}",
        kind="qemu",
        title=f"RAM of guest {comment(name)} on {pages} pages of {size_label(page_bytes)}",
        path=None,
        text=lines(f"-m {guest_bytes}b -object {','.join(backend)} -numa node,memdev=mem0"),
        undo=lines(
            "# take these options out of QEMU's command line, and put back the memory options that were there"
        ),
        by_hand=True,
    )


def _numatune(node: int | None) -> list[str]:
    if node is None:
        return []
    return ["<numatune>", f"  <memory mode='strict' nodeset='{count(node, 'node')}'/>", "</numatune>"]


def _whole_pages(guest_bytes: int, page_bytes: int) -> int:
    size_label(page_bytes)
    pages, rest = divmod(count(guest_bytes, "guest RAM"), page_bytes)
    if rest or not pages:
        raise ValueError(f"{guest_bytes} bytes are no whole number of {size_label(page_bytes)} pages")
    return pages
