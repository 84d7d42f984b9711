"""A command taken apart: wrappers such as `env`, `nice` and `sh -c`, then the program that does the work.

Only prefixes whose options are known are looked behind. What is not understood stays whole: its program is then
the wrapper itself, and nothing is rewritten.
"""

from __future__ import annotations

import os
import re
import shlex
from collections.abc import Container, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace

MAX_WRAPPERS = 8
"""Wrappers looked behind, one inside the other; real commands have up to three."""

SHELLS = frozenset({"sh", "bash", "dash", "ash", "zsh", "ksh"})

_ASSIGNMENT = re.compile(r"[A-Za-z_][A-Za-z0-9_]*=", re.ASCII)
_NOT_SIMPLE = re.compile(r"[\n;&|<>()$`*?\[#~!\\]|\{(?!(?:policy|page_bytes)\})")
"""A shell word list without any of these is one simple command, and means the same once quoted again.
The placeholders {policy} and {page_bytes} are replaced before a shell sees them."""


@dataclass(frozen=True)
class Wrapper:
    """Options of one wrapper, as getopt_long reads them. short: letters that take a value; long: likewise.

    positionals: words between its options and the program (the mask of taskset). assigns: NAME=VALUE words come
    before the program. not_behind: options with which it starts no program that can be found; only_behind: it
    starts one only with one of these.
    """

    short: str = ""
    long: frozenset[str] = frozenset()
    positionals: int = 0
    assigns: bool = False
    not_behind: frozenset[str] = frozenset()
    only_behind: frozenset[str] = frozenset()


WRAPPERS: Mapping[str, Wrapper] = {
    "chrt": Wrapper("TPD", frozenset({"sched-runtime", "sched-period", "sched-deadline"}), 1, False, frozenset("pm")),
    "env": Wrapper("uC", frozenset({"unset", "chdir"}), 0, True, frozenset({"i", "S", "ignore-environment"})),
    "ionice": Wrapper("cn", frozenset({"class", "classdata"}), 0, False, frozenset({"p", "P", "u"})),
    "nice": Wrapper("n0123456789", frozenset({"adjustment"})),
    "nohup": Wrapper(),
    "numactl": Wrapper(
        "ipPNmwC",
        frozenset({"interleave", "preferred", "preferred-many", "cpunodebind", "membind", "physcpubind"}),
        0,
        False,
        frozenset({"s", "H", "show", "hardware"}),
    ),
    "setpriv": Wrapper(
        "",
        frozenset(
            {
                "ambient-caps",
                "apparmor-profile",
                "bounding-set",
                "egid",
                "euid",
                "groups",
                "inh-caps",
                "pdeathsig",
                "regid",
                "reuid",
                "rgid",
                "ruid",
                "securebits",
                "selinux-label",
            }
        ),
        0,
        False,
        frozenset({"reset-env"}),
    ),
    "runuser": Wrapper(
        "ugG",
        frozenset({"user", "group", "supp-group"}),
        not_behind=frozenset("clsf"),
        only_behind=frozenset({"u", "user"}),
    ),
    "setsid": Wrapper(),
    "stdbuf": Wrapper("ioe", frozenset({"input", "output", "error"})),
    "taskset": Wrapper("", frozenset(), 1, False, frozenset({"p", "pid"})),
    "time": Wrapper("fo", frozenset({"format", "output"})),
    "timeout": Wrapper("ks", frozenset({"kill-after", "signal"}), 1),
}
"""From the manual pages of coreutils 9, util-linux 2.38, numactl 2.0 and GNU time 1.9."""

NOT_CHILDREN = frozenset(
    {"docker", "kubectl", "machinectl", "pg_ctlcluster", "service", "ssh", "systemctl", "systemd-run"}
)
"""Programs that ask somebody else to start the work: no process attribute and no environment gets there."""

ENVIRONMENT_DROPPED = frozenset({"sudo", "doas", "pkexec"})
"""These hand on a cleaned environment, and as setuid programs never GLIBC_TUNABLES (ld.so(8))."""


@dataclass(frozen=True)
class Layer:
    """One wrapper around what follows. quoted: what follows is the one word after a shell's -c."""

    before: tuple[str, ...]
    quoted: bool = False
    after: tuple[str, ...] = ()


@dataclass(frozen=True)
class Invocation:
    """What runs: the program as it was written, its arguments, and the wrappers around it, outermost first.

    assigned: environment that the wrappers set. obstacle: why nothing can be brought to the program through its
    parents; environment_lost: why no variable can be.
    """

    program: str
    arguments: tuple[str, ...]
    layers: tuple[Layer, ...] = ()
    assigned: Mapping[str, str] = field(default_factory=dict)
    obstacle: str | None = None
    environment_lost: str | None = None

    @property
    def name(self) -> str:
        return os.path.basename(self.program)

    def rebuilt(self, arguments: Sequence[str], ours: Container[str] = ()) -> list[str]:
        """The whole command again, with other arguments; the wrappers' own assignments of `ours` are left out."""
        words = [self.program, *arguments]
        for layer in reversed(self.layers):
            inner = [shlex.join(words)] if layer.quoted else words
            before = [word for word in layer.before if not (is_assignment(word) and word.partition("=")[0] in ours)]
            words = [*before, *inner, *layer.after]
        return words


def is_assignment(word: str) -> bool:
    """NAME=VALUE with a name that a shell accepts."""
    return _ASSIGNMENT.match(word) is not None


def take_apart(command: Sequence[str]) -> Invocation:
    """Look behind the wrappers of a command. Raises ValueError for an empty one."""
    if not command:
        raise ValueError("no command")
    found = Invocation(command[0], tuple(command[1:]))
    for _ in range(MAX_WRAPPERS):
        inner = _behind(found)
        if inner is None:
            break
        found = inner
    return _with_obstacles(found)


def _behind(outer: Invocation) -> Invocation | None:
    """What the wrapper `outer` runs; None where it is no wrapper, or one that is not understood."""
    if outer.name in SHELLS:
        return _behind_shell(outer)
    wrapper = WRAPPERS.get(outer.name)
    if wrapper is None:
        return None
    words = (outer.program, *outer.arguments)
    start = _program_index(words, wrapper)
    if start is None:
        return None
    return _inside(outer, Layer(words[:start]), words[start:], words[1:start] if wrapper.assigns else ())


def _behind_shell(outer: Invocation) -> Invocation | None:
    """`sh -c 'simple command'`: the command, where quoting it again cannot change what it means."""
    if len(outer.arguments) < 2 or outer.arguments[0] != "-c" or _NOT_SIMPLE.search(outer.arguments[1]):
        return None
    try:
        words = tuple(shlex.split(outer.arguments[1]))
    except ValueError:
        return None
    if words[:1] == ("exec",):
        words = words[1:]
    if not words or is_assignment(words[0]):
        return None
    return _inside(outer, Layer((outer.program, "-c"), True, outer.arguments[2:]), words, ())


def _inside(outer: Invocation, layer: Layer, words: tuple[str, ...], options: Sequence[str]) -> Invocation:
    assigned = dict(word.split("=", 1) for word in options if is_assignment(word))
    return replace(
        outer,
        program=words[0],
        arguments=words[1:],
        layers=(*outer.layers, layer),
        assigned={**outer.assigned, **assigned},
    )


def _program_index(words: Sequence[str], wrapper: Wrapper) -> int | None:
    """Where the wrapped program stands among the words of a wrapper; None where the options are not understood."""
    index = 1
    seen: set[str] = set()
    while index < len(words) and words[index].startswith("-") and words[index] != "-":
        if words[index] == "--":
            index += 1
            break
        names = list(_option_names(words[index], wrapper))
        seen.update(names)
        index += 2 if _takes_next_word(words[index], names[-1], wrapper) else 1
    if seen & wrapper.not_behind or (wrapper.only_behind and not seen & wrapper.only_behind):
        return None
    index += wrapper.positionals
    while wrapper.assigns and index < len(words) and is_assignment(words[index]):
        index += 1
    return index if index < len(words) else None


def _option_names(word: str, wrapper: Wrapper) -> Iterator[str]:
    """Names of the options in one word: one long, or short letters up to the first that takes a value."""
    if word.startswith("--"):
        yield word[2:].partition("=")[0]
        return
    for letter in word[1:]:
        yield letter
        if letter in wrapper.short:
            return


def _takes_next_word(word: str, last: str, wrapper: Wrapper) -> bool:
    if word.startswith("--"):
        return last in wrapper.long and "=" not in word
    return last in wrapper.short and word.endswith(last) and not last.isdigit()


def _with_obstacles(found: Invocation) -> Invocation:
    if found.name in NOT_CHILDREN:
        why = f"{found.name} has the program started by somebody else: run the trial where the program starts"
        return replace(found, obstacle=why)
    if found.name in ENVIRONMENT_DROPPED:
        why = f"{found.name} drops the environment: run the whole trial under {found.name} instead"
        return replace(found, environment_lost=why)
    return found
