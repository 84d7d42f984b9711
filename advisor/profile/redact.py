"""Secrets out of command lines, so that a profile or a report can be attached to a ticket.

Command lines are shown because they tell which program this is and how its memory was configured; a secret in
them tells nothing about memory. What is taken out is said by four tables: names of settings (`--password=x`,
`DB_TOKEN=x`, `Authorization: x`), options of single programs (`mysql -px`, `curl -u user:x`), shapes of known
credentials (JWT, AWS, GitHub ...) and long random text. Where a name is unclear, too much is taken out rather
than too little. This is no proof that nothing secret is left: a password that is a bare word is not recognisable.
"""

from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import dataclass

REDACTED = "***"
"""What stands where a secret stood. Redacting it again gives itself."""

CUT = "...(cut)"
"""Ends an argument that was longer than LONGEST_ARGUMENT_CHARS."""

LONGEST_ARGUMENT_CHARS = 2048
"""Characters kept of one argument. Source: own choice. Reason: class paths of 100 kB help no reader of a report."""

LONGEST_SEARCH_CHARS = 16384
"""Characters of one argument that are searched. Source: own choice. Reason: keeps hostile arguments cheap; more
than LONGEST_ARGUMENT_CHARS, so that a secret at the cut is recognised before it is cut."""

MOST_PASSES = 8
"""Passes until nothing changes any more. Source: own choice. Reason: real command lines need one or two."""

HEX_CHARS = 32
"""Hex digits in a row that count as a key. Source: 128 bit, the shortest key in common use."""

BASE64_CHARS = 40
"""Base64 characters in a row that can be a key. Source: AWS secret access keys have 40."""

RANDOM_BITS_PER_CHAR = 4.5
"""Shannon entropy of text that counts as random. Reason: 40 random base64 characters have about 4.8, identifiers
and paths of that length below 4.3."""

SECRET_ENDINGS = (
    "password", "passwd", "passphrase", "passcode", "pwd", "secret", "token", "apikey", "secretkey",
    "accesskey", "privatekey", "authkey", "accountkey", "bearer", "jwt",
)  # fmt: skip
"""A word of a name that ends so makes the name a secret's, wherever the word stands: PGPASSWORD, dbPassword."""


def _set(words: str) -> frozenset[str]:
    return frozenset(words.split())


SECRET_LAST_WORDS = _set(
    "pass pw psk otp pin auth authorization requirepass masterauth keypass storepass userpass dbpass rootpass "
    "cookie setcookie sig signature sas credential credentials secrets"
)
"""Words that make a name a secret's only where they end it: `--auth x`, but not `--pass-through`."""

SECRET_PAIRS = frozenset(
    {
        *(
            (first, "key")
            for first in _set("api access secret private auth account signing encryption master shared")
        ),
        ("secret", "id"),
        ("session", "id"),
    }
)
"""Two words that make a name a secret's where they end it: API_KEY, --access-key, X-Api-Key, secret_id."""

HARMLESS_LAST_WORDS = _set(
    "file path dir directory folder ttl timeout expiry expiration expires lifetime age length len size count limit "
    "policy method methods type mode plugin plugins provider name url uri endpoint host port enabled enable disabled "
    "required algorithm encryption format issuer audience server realm db database source interval min max retries "
    "id ids user username prompt command cmd script location store backend version env"
)
"""A name that ends so speaks about a secret and holds none: --password-file, TOKEN_TTL, auth.method."""

NEGATIONS = _set("no without skip disable ask prompt")
"""A name that begins so is a switch: --no-password."""

PATH_NAMES = frozenset((("private", "key"), ("credentials",), ("credential",), ("cookie",)))
"""Names (their last words) whose value is usually a file: a value that looks like a path is kept."""

PLAIN_VALUES = frozenset(("", "true", "false", "yes", "no", "on", "off", "none", "null", REDACTED))
"""Values that are no secret under any name."""


@dataclass(frozen=True, slots=True)
class ProgramOption:
    """An option whose meaning only its program gives. user_ends: characters after the user name, which is kept.

    attached: `-pSECRET`; separate: `-p SECRET`. after: a word that must stand before, such as "login".
    """

    programs: frozenset[str]
    options: tuple[str, ...]
    attached: bool = False
    separate: bool = True
    user_ends: str = ""
    after: str | None = None


def _of(programs: str, *options: str, **how: bool | str) -> ProgramOption:
    return ProgramOption(_set(programs), options, **how)  # type: ignore[arg-type]


PROGRAM_OPTIONS = (
    _of("mysql mysqldump mysqladmin mysqlimport mysqlshow mysqlcheck mysqlbinlog mysqlslap xtrabackup mariadb "
        "mariadb-dump mariadb-admin mariadb-backup 7z 7za 7zz rar unrar", "-p", attached=True, separate=False),
    _of("mongo mongosh mongodump mongorestore mongoexport sshpass cqlsh rabbitmqadmin clickhouse-client influx",
        "-p", attached=True),
    _of("docker podman oc helm az skopeo nerdctl buildah", "-p", attached=True, after="login"),
    _of("redis-cli valkey-cli keydb-cli iredis", "-a"),
    _of("curl etcdctl", "-u", "-U", "--user", "--proxy-user", attached=True, user_ends=":"),
    _of("http https httpie xh", "-a", "--auth", user_ends=":"),
    _of("lftp", "-u", "--user", attached=True, user_ends=","),
    _of("smbclient rpcclient net smbget winexe", "-U", "--user", attached=True, user_ends="%"),
    _of("ldapsearch ldapmodify ldapadd ldapdelete ldapwhoami ldappasswd", "-w", "-s", attached=True),
    _of("sqlcmd bcp tsql isql mosquitto_pub mosquitto_sub ipmitool zip unzip", "-P", attached=True),
    _of("snmpget snmpwalk snmpset snmpbulkwalk snmptrap", "-A", "-X", "-c"),
    _of("xfreerdp xfreerdp3 wlfreerdp", "/p:", attached=True, separate=False),
    _of("openssl", "-k", "-K"),
)  # fmt: skip

ORACLE_PROGRAMS = _set("sqlplus rman expdp impdp sqlldr sql")
"""Programs that take `user/password@service` as an argument."""

SHAPES: tuple[tuple[re.Pattern[str], str], ...] = tuple(
    (re.compile(pattern, re.DOTALL), replacement)
    for pattern, replacement in (
        (r"(://)[^\s/:@\[]*:(?!\d+(?:/|$))(?:(?!://)[^\s?\"'])*@", rf"\1{REDACTED}@"),
        (r"(://)[^\s/?#\"']*@", rf"\1{REDACTED}@"),
        (r"(?<![\w.@/-])([\w.-]+):(?!//)[^\s@/:=]+@(?!sha256:)(?=[\w.\[(-])", rf"\1:{REDACTED}@"),
        (r"(jdbc:oracle:\w+:[^/\s]+)/[^@\s]+@", rf"\1/{REDACTED}@"),
        (r"-----BEGIN [A-Z ]*PRIVATE KEY-----.*", REDACTED),
        (r"(?i)\b(bearer|basic)(\s+)(?!\*\*\*)[\w.~+/=-]{8,}", rf"\1\2{REDACTED}"),
        (r"\beyJ[\w-]{8,}\.[\w-]+(?:\.[\w-]*)*", REDACTED),
        (r"\b(?:AKIA|ASIA|AGPA|AIDA|AROA|ANPA)[0-9A-Z]{16}\b", REDACTED),
        (r"\b(?:gh[pousr]_|github_pat_|glpat-|hf_|npm_|dop_v1_|pypi-|shpat_|lin_api_)[\w-]{16,}", REDACTED),
        (
            r"\b(?:xox[abeprs]-|xapp-|sk-|[srp]k_(?:live|test)_|hv[sb]\.|AIza|ya29\.|SG\.)[\w.-]{16,}",
            REDACTED,
        ),
        (r"(?:^|(?<=[\s,]))pass:[^\s,]+", f"pass:{REDACTED}"),
        (r"(\bsecret,(?:[^\s]*,)?data=)[^,\s]+", rf"\1{REDACTED}"),
    )
)
"""Credentials that can be told by their form. Sources: the issuers' documentation of their key formats, RFC 3986
(userinfo), RFC 7519 (JWT), RFC 7468 (PEM), openssl-passphrase-options(1), QEMU's `-object secret`."""

_SETTING = re.compile(r"(--?|-[DPH](?=[A-Za-z]))?([A-Za-z_][\w.-]*)([=:])(\s*)(.+)", re.DOTALL)
_OPTION = re.compile(r"--?([A-Za-z][\w.-]*)")
_PAIR = re.compile(
    r"(?<![\w.-])(?P<name>[A-Za-z_][\w.-]*)(?P<between>[\"']?\s*[:=]\s*)(?!//)"
    r"(?P<value>\"[^\"]*\"|'[^']*'|(?:[^&;\s\"',}]|,(?![\w.-]+[=:]))+)"
)
_WORD = re.compile(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+|\d+")
_TOKEN = re.compile(r"(?:\"[^\"]*\"|'[^']*'|\S)+")
_PATH = re.compile(r"(?:~|\.{1,2})?/")
_HEX = re.compile(rf"(?<!sha256:)(?<![0-9A-Za-z])[0-9a-fA-F]{{{HEX_CHARS},}}(?![0-9A-Za-z])")
_BASE64 = re.compile(rf"[A-Za-z0-9+/_-]{{{BASE64_CHARS},}}={{0,2}}")
_ORACLE_LOGIN = re.compile(r"([\w$#]+)/[^@\s]+(@\S*)?")


def redact_command_line(args: Iterable[str]) -> list[str]:
    """The arguments (argv, argv[0] first) with secrets replaced by `***`; as many as before, in the same order.

    Long arguments are cut at LONGEST_ARGUMENT_CHARS. Idempotent: redacting a redacted command line changes nothing.
    """
    now = [_cut(argument, LONGEST_SEARCH_CHARS) for argument in args]
    for _ in range(MOST_PASSES):
        before, now = now, _redact(now)
        if now == before:
            break
    return [_cut(argument, LONGEST_ARGUMENT_CHARS) for argument in now]


def _cut(text: str, longest: int) -> str:
    return text if len(text) <= longest else text[: longest - len(CUT)] + CUT


def _redact(args: list[str]) -> list[str]:
    """One pass over one command line. Words seen so far decide which program's options are meant."""
    seen: set[str] = set()
    result: list[str] = []
    hide_next: Callable[[str], str] | None = None
    for argument in args:
        if hide_next is not None and not _OPTION.match(argument):
            result.append(hide_next(argument))
            hide_next = None
            continue
        by_program = _by_program(argument, seen)
        hide_next = _value_follows(argument, seen)
        result.append(by_program if by_program is not None else _redact_argument(argument))
        seen.add(argument.rsplit("/", 1)[-1])
    return result


def _value_follows(argument: str, seen: set[str]) -> Callable[[str], str] | None:
    """How to hide the next argument, when this one is an option that takes a secret as its value."""
    for entry in PROGRAM_OPTIONS:
        if entry.separate and argument in entry.options and _applies(entry, seen):
            return lambda value: _hide_value(value, entry.user_ends)
    option = _OPTION.fullmatch(argument)
    if option and _is_secret_name(option[1]):
        names = _words(option[1])
        return lambda value: _hide_setting(names, value)
    return None


def _by_program(argument: str, seen: set[str]) -> str | None:
    """The argument redacted by what its program takes it for; None where no program says anything."""
    for entry in PROGRAM_OPTIONS:
        if not (entry.attached and _applies(entry, seen)):
            continue
        for option in entry.options:
            value = argument.removeprefix(option).removeprefix("=" if option.startswith("--") else "")
            if argument.startswith(option) and value and _is_attached(option, argument):
                return argument[: len(argument) - len(value)] + _hide_value(value, entry.user_ends)
    if seen & ORACLE_PROGRAMS and (login := _ORACLE_LOGIN.fullmatch(argument)):
        return f"{login[1]}/{REDACTED}{login[2] or ''}"
    return None


def _is_attached(option: str, argument: str) -> bool:
    """A long option takes its value after "="; a short one directly."""
    return not option.startswith("--") or argument.startswith(option + "=")


def _applies(entry: ProgramOption, seen: set[str]) -> bool:
    return bool(entry.programs & seen) and (entry.after is None or entry.after in seen)


def _hide_value(value: str, user_ends: str) -> str:
    """`***`, or `user:***` where a user name may stand before; a user name alone is kept."""
    if not user_ends:
        return REDACTED
    user, separator, _ = value.partition(user_ends)
    return f"{user}{separator}{REDACTED}" if separator else value


def _hide_setting(names: list[str], value: str) -> str:
    """The value of a setting whose name says secret; kept where it is a switch or plainly a file."""
    if value.lower() in PLAIN_VALUES:
        return value
    may_be_path = tuple(names[-1:]) in PATH_NAMES or tuple(names[-2:]) in PATH_NAMES
    return value if may_be_path and _PATH.match(value) else REDACTED


def _redact_argument(argument: str) -> str:
    """One argument by its own form: a quoted text, a setting, a command in one string, or text with secrets in it."""
    if len(argument) > 1 and argument[0] == argument[-1] and argument[0] in "\"'":
        return argument[0] + _redact([argument[1:-1]])[0] + argument[-1]
    setting = _SETTING.fullmatch(argument)
    if setting and not setting[5].startswith("//"):
        prefix, name, separator, blank, value = setting.groups(default="")
        if _is_secret_name(name):
            return f"{prefix}{name}{separator}{blank}{_hide_setting(_words(name), value)}"
    if re.search(r"\s", argument) and not argument.isspace():
        argument = _redact_words(argument)
    for pattern, replacement in SHAPES:
        argument = pattern.sub(replacement, argument)
    argument = _PAIR.sub(_redact_pair, argument)
    return _redact_random(argument)


def _redact_words(text: str) -> str:
    """A command line in one string (`sh -c`, a conninfo): its words redacted like arguments, its blanks kept."""
    tokens = [match.span() for match in _TOKEN.finditer(text)]
    if len(tokens) == 1 and tokens[0] == (0, len(text)):
        return text
    words = _redact([text[start:end] for start, end in tokens])
    parts: list[str] = []
    last = 0
    for (start, end), word in zip(tokens, words, strict=True):
        parts += (text[last:start], word)
        last = end
    return "".join(parts) + text[last:]


def _redact_pair(match: re.Match[str]) -> str:
    name, between, value = match["name"], match["between"], match["value"]
    if not _is_secret_name(name):
        return match[0]
    quote = value[0] if value[0] in "\"'" else ""
    inner = value[1:-1] if quote else value
    return f"{name}{between}{quote}{_hide_setting(_words(name), inner)}{quote}"


def _redact_random(text: str) -> str:
    """Long hex and base64 text out. A file's path keeps its hashes: they name a container or a build, no key."""
    if _PATH.match(text.rsplit("=", 1)[-1]):
        return text
    text = _HEX.sub(lambda match: REDACTED if _has_letters_and_digits(match[0]) else match[0], text)
    return _BASE64.sub(lambda match: REDACTED if _is_random(match[0]) else match[0], text)


def _has_letters_and_digits(text: str) -> bool:
    return any(c.isdigit() for c in text) and any(c.isalpha() for c in text)


def _is_random(text: str) -> bool:
    """Upper and lower case, digits, and more entropy than words have."""
    if not (any(c.isupper() for c in text) and any(c.islower() for c in text) and any(c.isdigit() for c in text)):
        return False
    counts = Counter(text).values()
    entropy = -sum(n / len(text) * math.log2(n / len(text)) for n in counts)
    return entropy >= RANDOM_BITS_PER_CHAR


def _words(name: str) -> list[str]:
    """The words of a setting's name, lower case: `javax.net.ssl.keyStorePassword` ends in store, password."""
    return [word.lower() for word in _WORD.findall(name)]


def _is_secret_name(name: str) -> bool:
    """True where a setting of this name holds a secret, by the tables above. PWD is a shell's working directory."""
    if name in ("PWD", "OLDPWD"):
        return False
    words = _words(name)
    if not words or words[0] in NEGATIONS:
        return False
    if words[-1] in SECRET_LAST_WORDS or tuple(words[-2:]) in SECRET_PAIRS:
        return True
    return words[-1] not in HARMLESS_LAST_WORDS and any(word.endswith(SECRET_ENDINGS) for word in words)
