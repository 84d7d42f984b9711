"""Huge pages of a container in Kubernetes: what its pod has to request."""

from __future__ import annotations

from advisor.artefacts.model import Artefact, count, lines, size_label, slug
from advisor.artefacts.quoting import comment, dns_label, yaml_text
from advisor.units import MIB


def pod_resources(name: str, page_bytes: int, pages: int, memory_bytes: int) -> Artefact:
    """A Pod whose resources, mounts and volumes are to be taken over into the workload's own manifest.

    name: of the program; pages: of this size for the container; memory_bytes: its other memory, as seen now. Source:
    kubernetes.io, "Manage HugePages": requests equal limits, and memory or cpu must be requested, too; each size has
    its own medium. Raises ValueError for a page size that has no name there.
    """
    label = quantity(page_bytes)
    size = quantity(count(pages, "pages") * page_bytes)
    memory = f"{-(-count(memory_bytes, 'memory') // MIB)}Mi"
    container, volume = dns_label(name), f"hugepages-{label.lower()}"
    same = [f"        hugepages-{label}: {yaml_text(size)}", f"        memory: {yaml_text(memory)}"]
    return Artefact(
        id=f"kubernetes-{slug(name)}",
        kind="kubernetes",
        title=f"{pages} pages of {size_label(page_bytes)} for the pod of {comment(name)}",
        path=None,
        text=lines(
            "# Take resources, volumeMounts and volumes over into the manifest of the workload, with its own names.",
            "# The pool of the node must be there before the kubelet starts: restart the kubelet after it grew.",
            f"# memory is what the container held outside of the pool when observed, {memory}: give more where",
            "# its peak is higher. Huge pages do not count in it.",
            "apiVersion: v1",
            "kind: Pod",
            "metadata:",
            f"  name: {yaml_text(container)}",
            "spec:",
            "  containers:",
            f"  - name: {yaml_text(container)}",
            "    resources:",
            "      requests:",
            *same,
            "      limits:",
            *same,
            "    volumeMounts:    # only for a program that maps files of a hugetlbfs",
            f"    - name: {volume}",
            "      mountPath: /dev/hugepages",
            "  volumes:",
            f"  - name: {volume}",
            "    emptyDir:",
            f"      medium: HugePages-{label}",
        ),
        undo=lines(f"# take hugepages-{label} and the volume {volume} out of the manifest again"),
        by_hand=True,
    )


def quantity(size_bytes: int) -> str:
    """Bytes as a Kubernetes quantity in its largest whole binary unit: 2Mi, 1Gi, 1074Mi."""
    for unit, shift in (("Gi", 30), ("Mi", 20), ("Ki", 10)):
        if size_bytes and size_bytes % (1 << shift) == 0:
            return f"{size_bytes >> shift}{unit}"
    raise ValueError(f"not a size of huge pages: {size_bytes}")
