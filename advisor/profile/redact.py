"""Secrets out of command lines and names, so that a profile or a report can be attached to a ticket.

Command lines are shown because they tell which program this is and how its memory was configured; a secret in
them tells nothing about memory. What is taken out is said by tables: names of settings (`secret_names`:
`--password=x`, `DB_TOKEN=x`), options of single programs (`secret_options`: `mysql -px`, `curl -u user:x`), and
shapes (`secret_shapes`: URLs, JWT, AWS, GitHub ..., long random text). Where a name is unclear, too much is taken out
rather than too little. This is no proof that nothing secret is left: a password that is a bare word is not
recognisable. docs/security.md says what that means.
"""

from __future__ import annotations

import functools
import re
from collections import deque
from collections.abc import Callable, Iterable, Iterator

from advisor.profile.secret_names import REDACTED, hide_setting, takes_secret
from advisor.profile.secret_options import OPTIONS_OF, ORACLE_PROGRAMS, ProgramOption
from advisor.profile.secret_shapes import hide_random, hide_shapes

CUT = "...(cut)"
"""Ends an argument that was longer than LONGEST_ARGUMENT_CHARS."""

LONGEST_ARGUMENT_CHARS = 2048
"""Characters kept of one argument. Source: own choice. Reason: class paths of 100 kB help no reader of a report."""

LONGEST_SEARCH_CHARS = 16384
"""Characters of one argument that are searched. Source: own choice. Reason: keeps hostile arguments cheap; more
than LONGEST_ARGUMENT_CHARS, so that a secret at the cut is recognised before it is cut."""

MOST_SEARCHED_CHARS = 1 << 16
"""Characters of a command line that are searched; what comes after them is cut. Source: own choice. Reason: anybody
may start a program with two megabytes of arguments, and root's report waits for it; real ones have a few KiB."""

COUNTED_CHARS = 16
"""What a shorter argument counts. Reason: a million of one character would take seconds."""

MOST_PASSES = 8
"""Passes until nothing changes any more. Source: own choice. Reason: real command lines need one or two."""

KEPT, LONGEST_KEPT_CHARS = 4096, 512
"""Texts whose redaction is remembered, and how long they may be. Source: own choice. Reason: arguments and paths of a
host are a few thousand, seen again in every sample; 4 MiB at most."""

LONGEST_PROGRAM_CHARS = 64
"""A longer word is no program of the tables. Source: own choice."""

GRAMMAR = frozenset(("for", "="))
"""Words that are no value of the secret whose name stands before: `SET PASSWORD FOR a = x`."""

GLUED_OPTIONS = "DPHEXeo"
"""Options that a setting follows without a blank: -Dlicense.key=x, -ouser=x."""

SETTERS = frozenset(("set", "config", "config:set"))
"""Words after which the bare name of a secret is followed by its value: `redis-cli CONFIG SET requirepass x`."""

_SETTING = re.compile(r"(-{0,2})([A-Za-z_][\w.-]*)([=:])(\s*)(.+)", re.DOTALL)
_OPTION = re.compile(r"--?([A-Za-z][\w.-]*)")
_NAMING = re.compile(r"(?:--?|\+)([A-Za-z][\w.-]*)|([A-Za-z_][\w.-]*):")
"""Names what follows: --password x, +rcon_password x, password: x."""

_NO_PLACE = re.compile(r"[\w./+,-]{0,15}")
"""Too short and too plain for any secret that is told by its form."""

_BARE = re.compile(r"[A-Za-z_/][\w./:-]*")
_NAMED = re.compile(
    r"(?<![\w.-])([A-Za-z_][\w.-]*)\\?[\"']?\]?\s*(=>|:=|[:=])\s*(?:[\\A-Za-z](?=[\"']))?(?!//)(?=[^&;\s,}])"
)
_VALUE = re.compile(r"\"[^\"]*\"|'[^']*'|(?:[^&;\s\"',}]|,(?![\w.-]+[=:]))+")
_QUOTED = re.compile(r"\"[^\"\\]*(?:\\.[^\"\\]*)*\"|'[^']*'", re.DOTALL)
_IN_PATH = re.compile(r"\S/")
"""Stands before a file's name in a path; what follows its colon is the next path, as in a class path."""

_LITERAL = re.compile(rf"{_QUOTED.pattern}|\\\S", re.DOTALL)
_TOKEN = re.compile(
    rf"(?<!\\)\n|[;|&()`]+|(?:{_LITERAL.pattern}|[<>]&|[;|&()`]+(?=[^\s;|&()`])|[^\s;|&()`])+", re.DOTALL
)
"""A word up to the next blank, or what separates commands where it stands at a word's beginning or end."""

_SEPARATOR = re.compile(r"[;|()`\n]|(?<![<>])&(?!>)")
_WORD_BREAK = re.compile(r"[/=;|&(`]")
_VERSION = re.compile(r"(?:[-.]?\d[\d.]*)?(?:\.(?:real|bin|exe|sh|py))?$")
_ORACLE_LOGIN = re.compile(r"((?:\w+=)?[\w$#]+)/(?:\"[^\"]*\"|[^@\s]+)((?:@\S*)?(?:\s+as\s+\w+)?)", re.IGNORECASE)

MOST_OPTIONS = 64
"""Options that count at a time: those of the last programs. Source: own choice. Reason: of `sudo`, a shell and what
they start it is a dozen; a command line that names every program would take a second."""

Hide = Callable[[str], str]


def redact_command_line(args: Iterable[str]) -> list[str]:
    """The arguments (argv, argv[0] first) with secrets replaced by `***`; as many as before, in the same order.

    Long arguments are cut at LONGEST_ARGUMENT_CHARS, what follows MOST_SEARCHED_CHARS as a whole. Idempotent:
    redacting a redacted command line changes nothing.
    """
    whole = list(args)
    redacted = _until_stable([_cut(argument, LONGEST_SEARCH_CHARS) for argument in _beginning(whole)])
    # Once more: a cut may open what was closed, and `***` may be longer than what it stands for.
    redacted = _until_stable([_cut(argument, LONGEST_ARGUMENT_CHARS) for argument in redacted])
    kept = _beginning([_cut(argument, LONGEST_ARGUMENT_CHARS) for argument in redacted])
    return kept + [CUT] * (len(whole) - len(kept))


def _until_stable(args: list[str]) -> list[str]:
    """Pass after pass, until one changes nothing."""
    for _ in range(MOST_PASSES):
        before, args = args, _redact(args)
        if args == before:
            break
    return args


def _beginning(args: list[str]) -> list[str]:
    """The arguments that are searched."""
    searched = 0
    for count, argument in enumerate(args):
        if searched >= MOST_SEARCHED_CHARS:
            return args[:count]
        searched += min(max(len(argument), COUNTED_CHARS), LONGEST_SEARCH_CHARS)
    return args


def redact_name(name: str) -> str:
    """A path, a cgroup, or what a program calls itself: anybody may put anything there."""
    return _name_kept(name) if len(name) <= LONGEST_KEPT_CHARS else redact_command_line([name])[0]


@functools.lru_cache(KEPT)
def _name_kept(name: str) -> str:
    return redact_command_line([name])[0]


def _cut(text: str, longest: int) -> str:
    return text if len(text) <= longest else text[: longest - len(CUT)] + CUT


class _Seen:
    """What the words so far say about those that follow."""

    def __init__(self) -> None:
        self.words: set[str] = set()
        self.options: deque[ProgramOption] = deque(maxlen=MOST_OPTIONS)
        self.sets = False
        """A word was there after which the bare name of a secret is followed by its value."""

    def add(self, argument: str) -> None:
        word = _program_name(argument)
        if word not in self.words:
            self.words.add(word)
            self.options += OPTIONS_OF.get(word, ())
            self.sets = self.sets or word.lower() in SETTERS

    def entries(self) -> list[ProgramOption]:
        """Of the programs seen, those that count by now; the last program first, as `sudo -u` is not `curl -u`."""
        return [entry for entry in reversed(self.options) if entry.after is None or entry.after in self.words]


def _program_name(word: str) -> str:
    """What a table knows a program by: `/opt/mysql-8.0`, `CMD=mysql5.7` and `x|"mysql"` are mysql."""
    name = _WORD_BREAK.split(word)[-1].strip("\"'")
    if name in OPTIONS_OF or len(name) > LONGEST_PROGRAM_CHARS:
        return name
    return _VERSION.sub("", name)


def _redact(args: list[str]) -> list[str]:
    """One pass over one command. Words seen so far decide which program's options are meant."""
    seen = _Seen()
    result: list[str] = []
    pending: deque[Hide] = deque()
    for argument in args:
        quotes = _quotes_around(argument)
        word = argument[quotes : len(argument) - quotes]
        if argument.lower() in GRAMMAR:
            pending.clear()
        if pending and argument != CUT and not _OPTION.match(argument):
            hidden = pending.popleft()(word)
        else:
            by_program = _by_program(word, seen)
            hidden = by_program if by_program is not None else _redact_argument(word)
            seen.add(word)  # before the next line: a program's own name may be what a secret follows
            pending = deque(_values_follow(word, seen))
        result.append(argument[:quotes] + hidden + argument[len(argument) - quotes :])
    return result


def _values_follow(argument: str, seen: _Seen) -> list[Hide]:
    """What to do with the next arguments, when this one is an option that takes a secret as its value."""
    program = _program_name(argument)
    for entry in seen.entries():
        word = program if program in entry.programs else _unclustered(argument, entry.flags)
        if entry.separate and word in entry.options:
            hide = functools.partial(_hide_value, user_ends=entry.user_ends)
            kinds: dict[str, Hide] = {"h": hide, "k": _redact_argument, "s": str}
            return [kinds[kind] for kind in entry.takes]
    option = _NAMING.fullmatch(argument.rpartition("=")[2])
    name = option[1] or option[2] if option else argument if seen.sets and _BARE.fullmatch(argument) else ""
    return [functools.partial(hide_setting, name)] if takes_secret(name) else []


def _by_program(argument: str, seen: _Seen) -> str | None:
    """The argument redacted by what its program takes it for; None where no program says anything."""
    for entry in seen.entries():
        if entry.rest and "=" in argument and not _OPTION.match(argument):
            return _hide_value(argument, "=")
        if not entry.attached:
            continue
        short = _unclustered(argument, entry.flags)
        for option in filter(short.startswith, entry.options):
            value = short.removeprefix(option).removeprefix("=" if option.startswith("--") else "")
            if value and _is_attached(option, short):
                hidden = value if entry.takes == "s" else _hide_value(value, entry.user_ends)
                return argument[: len(argument) - len(value)] + hidden
    if seen.words & ORACLE_PROGRAMS and (login := _ORACLE_LOGIN.fullmatch(argument)):
        return f"{login[1]}/{REDACTED}{login[2] or ''}"
    return None


def _unclustered(argument: str, flags: str) -> str:
    """`-su` as `-u`, where -s is one of the flags of the program."""
    if not flags or not argument.startswith("-") or argument.startswith("--"):
        return argument
    return "-" + argument[1:].lstrip(flags)


def _is_attached(option: str, argument: str) -> bool:
    """A long option takes its value after "="; a short one directly."""
    return not option.startswith("--") or argument.startswith(option + "=")


def _hide_value(value: str, user_ends: str) -> str:
    """`***`, or `user:***` where a user name may stand before; a user name alone is kept."""
    if not user_ends:
        return REDACTED
    user, separator, _ = value.partition(user_ends)
    return f"{user}{separator}{REDACTED}" if separator else value


def _redact_argument(argument: str) -> str:
    """One argument by its own form. Those of a host are the same in every sample."""
    if _NO_PLACE.fullmatch(argument):
        return argument
    return _redact_kept(argument) if len(argument) <= LONGEST_KEPT_CHARS else _redact_form(argument)


def _redact_form(argument: str) -> str:
    """A setting, a command in one string, or text with secrets in it."""
    setting = _SETTING.fullmatch(argument)
    if setting and not setting[5].startswith("//"):
        prefix, name, _, _, value = setting.groups()
        secret = next(filter(takes_secret, _names(prefix, name)), None)
        if secret and (hidden := hide_setting(secret, value)) != value:
            return argument[: -len(value)] + hidden
        if _QUOTED.fullmatch(value):
            return argument[: -len(value)] + _redact([value])[0]
    if re.search(r"\s", argument) and not argument.isspace():
        argument = _redact_words(argument)
    return hide_random(_redact_pairs(hide_shapes(argument)))


def _names(prefix: str, name: str) -> tuple[str, ...]:
    """What a setting may be called: in -Dlicense.key=x the D is an option, in -Data=x a letter."""
    return (name, name[1:]) if prefix == "-" and name[0] in GLUED_OPTIONS else (name,)


_redact_kept = functools.lru_cache(KEPT)(_redact_form)


def _quotes_around(text: str) -> int:
    """How many quotes a text is in. Inside a pair is no quote of its kind, so there are two at most."""
    quotes = 0
    while _QUOTED.fullmatch(text, quotes, len(text) - quotes):
        quotes += 1
    return quotes


def _redact_words(text: str) -> str:
    """Command lines in one string (`sh -c`, a conninfo): their words redacted like arguments, their blanks kept."""
    tokens = [match.span() for match in _TOKEN.finditer(text)]
    if len(tokens) == 1 and tokens[0] == (0, len(text)):
        return text
    commands = _commands(text[start:end] for start, end in tokens)
    words = [word for command in commands for word in _redact(command)]
    parts: list[str] = []
    last = 0
    for (start, end), word in zip(tokens, words, strict=True):
        parts += (text[last:start], word)
        last = end
    return "".join(parts) + text[last:]


def _commands(tokens: Iterable[str]) -> Iterator[list[str]]:
    """Tokens by command: options of `a` in `a; b` mean nothing to `b`. In `x;b` both are one token."""
    command: list[str] = []
    for token in tokens:
        if _SEPARATOR.search(token) and _SEPARATOR.search(_LITERAL.sub("", token)):
            yield command
            command = []
        command.append(token)
    yield command


def _redact_pairs(text: str) -> str:
    """Settings anywhere in a text, also inside the value of another: `host:9000?passphrase=x`."""
    parts: list[str] = []
    last = place = 0
    while named := _NAMED.search(text, place):
        place = named.end()
        in_path = named[2] == ":" and _IN_PATH.fullmatch(text, max(0, named.start() - 2), named.start())
        value = _VALUE.match(text, place) if takes_secret(named[1]) and not in_path else None
        if value is not None:
            quote = text[place] if text[place] in "\"'" else ""
            inner = value[0][1:-1] if quote else value[0]
            parts += (text[last:place], quote, hide_setting(named[1], inner), quote)
            last = place = value.end()
    return "".join(parts) + text[last:]
