"""A profile of tuned that includes the active one: where tuned runs, what it applies at every start wins."""

from __future__ import annotations

import re
import shlex
from collections.abc import Sequence

from advisor.artefacts.model import MARK, Artefact, count, lines
from advisor.artefacts.pools import PoolChange, nr_hugepages
from advisor.artefacts.thp import ThpChange, switch_path

PROFILE = "hugepage-advisor"
"""Name of the profile."""

PROFILE_NAME = re.compile(r"[a-zA-Z0-9_.-]+")
"""Names that tuned's loader takes (tuned/profiles/loader.py)."""

OPTIONS = {"enabled": "transparent_hugepages", "defrag": "transparent_hugepage.defrag"}
"""Options of tuned's vm plugin, by THP switch."""


def tuned_profile(
    active: str, folder: str, switches: Sequence[ThpChange], pools: Sequence[PoolChange] = ()
) -> Artefact:
    """The profile as a file, and the commands that make it the active one and back.

    active: the profile that it includes; folder: where tuned looks for an administrator's profiles (/etc/tuned, from
    2.23 on /etc/tuned/profiles). Raises ValueError for a name that tuned would not load.
    """
    if not PROFILE_NAME.fullmatch(active) or active == PROFILE or ".." in active:
        raise ValueError(f"not the name of a profile to include: {active!r}")
    path = f"{folder}/{PROFILE}/tuned.conf"
    vm = [
        f"{OPTIONS[one.switch]}={one.value}" for one in switches if one.page_bytes is None and one.switch in OPTIONS
    ]
    sysfs = [
        f"{switch_path(one)}={one.value}"
        for one in switches
        if one.page_bytes is not None or one.switch not in OPTIONS
    ]
    sysfs += [f"{nr_hugepages(pool)}={count(pool.pages, 'pages')}" for pool in pools]
    back = f"tuned-adm profile {shlex.quote(active)}"
    return Artefact(
        id="tuned-profile",
        kind="tuned",
        title=f"tuned profile {PROFILE}: {active} and this plan's settings",
        path=path,
        text=lines(
            MARK,
            f"# In force after: tuned-adm profile {PROFILE}",
            "# tuned sets no THP mode while the kernel command line says transparent_hugepage=.",
            "[main]",
            f"summary={active}, with huge pages as planned by hugepage-advisor",
            f"include={active}",
            *(["", "[vm]", *vm] if vm else []),
            *(["", "[sysfs]", *sysfs] if sysfs else []),
        ),
        undo=lines(back, f"rm {path}"),
        after=[f"tuned-adm profile {PROFILE}"],
        undo_before=[back],
    )
