"""The reasons for which memory is not on huge pages: names, what each means in words, and what would help."""

from __future__ import annotations

from types import MappingProxyType
from typing import NamedTuple

NO_THP = "no-thp-in-kernel"
MTHP = "already-mthp"
PTE_MAPPED = "huge-but-pte-mapped"
FILE_COPY = "private-file-copy"
TOO_SMALL = "mapping-too-small"
MISALIGNED = "misaligned"
PRCTL = "prctl"
PRCTL_EXCEPT_ADVISED = "prctl-except-advised"
ADVISED_AGAINST = "advised-against"
NOT_ADVISED = "not-advised"
HOST_NEVER = "host-mode-never"
SHMEM_OFF = "shmem-not-enabled"
SHMEM_NOT_ADVISED = "shmem-not-advised"
USERFAULTFD = "userfaultfd"
SWAPPED = "swapped"
TOO_SPARSE = "too-sparse"
SHARED = "shared"
PINNED = "pinned"
NOT_REFERENCED = "not-referenced"
ALLOCATION_FAILED = "allocation-failed"
NOT_YET = "khugepaged-not-yet"
ELIGIBLE = "eligible-not-yet"
UNKNOWN = "unknown"
NOT_POPULATED = "not-populated"
FILE_PAGES = "file-pages"


class Words(NamedTuple):
    """title: the reason in a few words. remedy: what would help, whole sentences."""

    title: str
    remedy: str


REASONS = MappingProxyType(
    {
        NO_THP: Words(
            "no THP in this kernel",
            "This kernel or CPU has no transparent huge pages. hugetlb may still be there: see the pools.",
        ),
        MTHP: Words(
            "already on smaller huge pages (mTHP)",
            "It is on pages between the base and the PMD size, which save page faults, and TLB entries where the CPU "
            "joins neighbouring ones. For pages of the PMD size let their own policy allow it: transparent_hugepage/"
            "enabled, or enabled of that size.",
        ),
        PTE_MAPPED: Words(
            "on a huge page that is mapped in parts",
            "A huge page is there, but base page entries map it: part of it was unmapped, protected otherwise, moved "
            "or shared by fork. MADV_COLLAPSE (6.1) maps it whole again; let the program keep unmapping, mprotect "
            "and mremap to whole huge pages.",
        ),
        FILE_COPY: Words(
            "private copies of file pages",
            "What a program writes to a private file mapping is copied page by page, and such copies are never huge. "
            "Read the file into anonymous memory where it is much.",
        ),
        TOO_SMALL: Words(
            "mapping smaller than a huge page",
            "No policy helps a mapping smaller than one huge page. Let the allocator use larger arenas "
            "(glibc.malloc.hugetlb or top_pad, jemalloc, tcmalloc), or leave it.",
        ),
        MISALIGNED: Words(
            "outside of aligned huge page slots",
            "It lies where its mapping does not cover a whole aligned huge page. Let the program align and round up "
            "large mappings to the huge page size; kernels from 6.7 on align large anonymous ones by themselves.",
        ),
        PRCTL: Words(
            "switched off by prctl",
            "The process or a parent switched THP off with prctl(PR_SET_THP_DISABLE); it is inherited over fork and "
            "exec. Find who sets it (systemd's MemoryTHP=, a container runtime, the program itself) and restart "
            "without.",
        ),
        PRCTL_EXCEPT_ADVISED: Words(
            "switched off by prctl except where advised",
            "The process or a parent called prctl(PR_SET_THP_DISABLE) with PR_THP_DISABLE_EXCEPT_ADVISED (6.18): "
            "only memory with madvise(MADV_HUGEPAGE) gets huge pages. Let the program or its allocator advise what "
            "should be huge, or restart without the prctl.",
        ),
        ADVISED_AGAINST: Words(
            "advised against (MADV_NOHUGEPAGE)",
            "The program called madvise(MADV_NOHUGEPAGE) for this memory; some runtimes do so by themselves. Look "
            "for a setting of the runtime or allocator that leaves the choice to the kernel.",
        ),
        NOT_ADVISED: Words(
            "not advised, and the host gives THP only where asked",
            "Let the program or its allocator call madvise(MADV_HUGEPAGE), or set transparent_hugepage/enabled to "
            "always.",
        ),
        HOST_NEVER: Words(
            "host mode never",
            "The host's THP mode for this page size is never. Set transparent_hugepage/enabled to madvise or always; "
            "memory that is there already follows by khugepaged or after a restart.",
        ),
        SHMEM_OFF: Words(
            "shared memory, and shmem_enabled is off",
            "Shared memory follows shmem_enabled or the huge= option of its tmpfs mount, not transparent_hugepage/"
            "enabled: set shmem_enabled to advise, within_size or always, or mount that tmpfs with huge=. Pages that "
            "are there already follow by khugepaged or after a restart.",
        ),
        SHMEM_NOT_ADVISED: Words(
            "shared memory, not advised",
            "shmem_enabled is advise: let the program call madvise(MADV_HUGEPAGE) for its shared memory, or set "
            "shmem_enabled to within_size or always.",
        ),
        USERFAULTFD: Words(
            "watched by userfaultfd",
            "A userfaultfd serves the faults of this memory page by page (live migration, snapshots), and khugepaged "
            "leaves slots with holes or write-protected pages alone. Nothing to do while it is armed; MADV_COLLAPSE "
            "or khugepaged work once it is closed.",
        ),
        SWAPPED: Words(
            "swapped out beyond max_ptes_swap",
            "More pages of a huge page slot are in swap than khugepaged/max_ptes_swap lets khugepaged read back. "
            "Find out what pushes this memory out (memory limit, swappiness); lock it, or raise max_ptes_swap.",
        ),
        TOO_SPARSE: Words(
            "too sparse for max_ptes_none",
            "The slots hold fewer pages than khugepaged wants: more are empty than khugepaged/max_ptes_none. Raise "
            "it if the growth is worth it, or leave it: huge pages here would mostly hold nothing.",
        ),
        SHARED: Words(
            "shared with another process beyond max_ptes_shared",
            "More pages of a slot are shared after fork than khugepaged/max_ptes_shared. It ends when either process "
            "ends, executes a program or writes its copies. Let the program fork before it fills its memory, use "
            "vfork or posix_spawn, or raise max_ptes_shared.",
        ),
        PINNED: Words(
            "pinned for I/O",
            "Pages held for I/O by a device or io_uring (registered buffers, RDMA, vmsplice) cannot be moved into a "
            "huge page. Let the program advise and fill its buffers with huge pages before it registers them, or "
            "take them from hugetlb. mlock alone is no obstacle.",
        ),
        NOT_REFERENCED: Words(
            "not used of late",
            "No page of it was referenced since its accessed bits were last cleared, and khugepaged passes over such "
            "slots. Leave it: what nobody uses needs no huge pages.",
        ),
        ALLOCATION_FAILED: Words(
            "no free huge page",
            "No huge page could be had when it was wanted. Look at free memory and fragmentation, and at the "
            "cgroup's memory limit; defrag=defer+madvise or madvise lets faults compact where advised, "
            "vm.compact_memory compacts once, and pools reserved at boot need no luck.",
        ),
        NOT_YET: Words(
            "khugepaged has not come by yet",
            "Nothing forbids huge pages here any more, but a slot that was used in part before is only made huge by "
            "khugepaged. MADV_COLLAPSE (6.1; process_madvise from outside) does it at once; larger "
            "khugepaged/pages_to_scan or a shorter scan_sleep_millisecs does it sooner.",
        ),
        ELIGIBLE: Words(
            "eligible, cause not visible",
            "Policy allows huge pages here. What smaps shows does not tell which it is: slots used in part before, "
            "beyond khugepaged's limits, pinned, or no free huge page. Page tables (kernel 6.7, or root) tell more, "
            "and `report --trace` what khugepaged itself says; MADV_COLLAPSE (6.1) shows at once whether it works.",
        ),
        UNKNOWN: Words(
            "unknown",
            "The kernel does not say: no VmFlags or THPeligible in smaps, no THP switches to read, or THPeligible 0 "
            "with no visible cause.",
        ),
        NOT_POPULATED: Words(
            "holds nothing yet",
            "Address space that is mapped but not used: nothing to do. It becomes huge at first touch where policy "
            "allows.",
        ),
        FILE_PAGES: Words(
            "page cache of mapped files",
            "Mapped files are on huge pages only where the kernel can (CONFIG_READ_ONLY_THP_FOR_FS, or a file system "
            "with large folios and MADV_COLLAPSE); large program text can be copied to huge pages by the program "
            "itself at start, or kept in tmpfs with huge=.",
        ),
    }
)
"""In order of precedence: memory that two reasons hold for counts under the first.

What no policy could change comes first (too small, outside of slots), because lifting a policy would not help it.
"""

REMEDIES = MappingProxyType({reason: words.remedy for reason, words in REASONS.items()})
TITLES = MappingProxyType({reason: words.title for reason, words in REASONS.items()})

ALLOTTED = tuple(reason for reason in REASONS if reason not in (NOT_POPULATED, FILE_PAGES))
"""Reasons that base-page bytes of anonymous memory and shmem count under; the others hold none of them."""
