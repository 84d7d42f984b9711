"""`python -m advisor.watch.start`: the child that watches, without those of root's capabilities it has no use for.

They are given up before the worker is imported, as threads that libraries start would keep them. What would write
files of others has force only while a recording that somebody asked for is opened. It takes no huge pages either.
"""

from __future__ import annotations

from advisor.allocator import use_one_heap
from advisor.collect.capabilities import keep_to_watch
from advisor.privilege.huge_pages import leave_huge_pages
from advisor.privilege.needs import WRITE
from advisor.procfs.fs import LIVE_PROCFS, LIVE_SYSFS


def main() -> None:
    """Give up, then work."""
    leave_huge_pages()
    use_one_heap()
    keep_to_watch((LIVE_PROCFS, LIVE_SYSFS), idle=WRITE)
    from advisor.watch import worker

    worker.main()


if __name__ == "__main__":
    main()
