"""HotSpot: Java heap, code cache and GC tables by flags of the JVM."""

from __future__ import annotations

from collections.abc import Sequence

from advisor.trial.way_model import Answer, Case, Step, Unusable, size_label

OUR_FLAGS = (
    "-XX:+UseLargePages",
    "-XX:-UseLargePages",
    "-XX:+UseTransparentHugePages",
    "-XX:-UseTransparentHugePages",
    "-XX:LargePageSizeInBytes=",
)
"""Beginnings of the flags that a policy sets; the user's own give way."""

OPTIONS_WITH_VALUE = frozenset(
    {
        "-cp",
        "-classpath",
        "--class-path",
        "-p",
        "--module-path",
        "--upgrade-module-path",
        "--add-modules",
        "--add-exports",
        "--add-opens",
        "--add-reads",
        "--limit-modules",
        "--patch-module",
        "--enable-native-access",
    }
)
"""Options of java(1) whose value is the next word."""

ENDS_OPTIONS = frozenset({"-jar", "-m", "--module"})
"""After these the words belong to the program."""

ZGC = "-XX:+UseZGC"
ZGC_POOL_BYTES = 2 << 20
"""ZGC refuses every other large page."""


def split_options(arguments: Sequence[str]) -> int:
    """How many words at the beginning are options of the JVM itself."""
    index = 0
    while index < len(arguments) and arguments[index].startswith(("-", "@")):
        if arguments[index] in ENDS_OPTIONS:
            return index
        index += 2 if arguments[index] in OPTIONS_WITH_VALUE else 1
    return min(index, len(arguments))


def with_flags(arguments: Sequence[str], *flags: str) -> list[str]:
    """These flags first, and the user's own flags about page sizes gone."""
    count = split_options(arguments)
    kept = [word for word in arguments[:count] if not word.startswith(OUR_FLAGS)]
    return [*flags, *kept, *arguments[count:]]


def _uses_zgc(case: Case) -> bool:
    return ZGC in case.arguments[: split_options(case.arguments)]


def base(case: Case) -> Answer:
    flags = ("-XX:-UseLargePages", "-XX:-UseTransparentHugePages")
    return Step("jvm-flags", "large pages off in the JVM", with_flags(case.arguments, *flags))


def thp(case: Case) -> Answer:
    return Step(
        id="jvm-flags",
        description="the JVM madvises its heap",
        arguments=with_flags(case.arguments, "-XX:+UseTransparentHugePages"),
        madvises=True,
        needs_shmem="advise" if _uses_zgc(case) else None,
        instead_of_malloc=True,
    )


def pool(case: Case) -> Answer:
    page_bytes = case.policy.page_bytes or 0
    if _uses_zgc(case) and page_bytes != ZGC_POOL_BYTES:
        return Unusable("ZGC takes large pages of 2M alone")
    # -XX:-UseTransparentHugePages beside them would switch large pages off altogether (seen on JDK 17).
    flags = ("-XX:+UseLargePages", f"-XX:LargePageSizeInBytes={page_bytes}")
    return Step(
        id="jvm-flags",
        description=f"Java heap from the pool; a heap (-Xms, -Xmx) that is no multiple of {size_label(page_bytes)}, "
        "or a pool too small, makes the JVM take smaller pages",
        arguments=with_flags(case.arguments, *flags),
        instead_of_malloc=True,
    )
