"""Which names of settings hold a secret: tables of words, and what reads them."""

from __future__ import annotations

import functools
import re
from itertools import pairwise

REDACTED = "***"
"""What stands where a secret stood. Redacting it again gives itself."""

SECRET_ENDINGS = (
    "password", "passwd", "passphrase", "passcode", "passwort", "pwd", "secret", "token", "apikey", "secretkey",
    "accesskey", "privatekey", "authkey", "accountkey", "activationkey", "bearer", "jwt",
)  # fmt: skip
"""A word of a name that ends so makes the name a secret's, wherever the word stands: PGPASSWORD, dbPassword."""

GLUED_ENDINGS = ("pass", "pw", "auth")
"""The last word of a name that ends so makes the name a secret's: --bindpw, SSHPASS, -rpcauth."""


def word_set(words: str) -> frozenset[str]:
    return frozenset(words.split())


SECRET_LAST_WORDS = word_set(
    "passw psk otp pin authorization cookie setcookie sig signature sas credential credentials cred creds "
    "secrets mnemonic"
)
"""Words that make a name a secret's only where they end it: `--sig x`, but not `--sig-size`."""

NO_PASSWORDS = word_set(
    "askpass bypass compass encompass trespass surpass overpass underpass multipass prepass subpass renderpass "
    "firstpass secondpass onepass twopass lowpass highpass bandpass allpass oauth noauth preauth reauth"
)
"""Words that end like those of GLUED_ENDINGS, and mean something else."""

SECRET_KEYS = word_set(
    "api access secret private auth account signing encryption encrypt master shared preshared fernet license stream "
    "storage webhook azure"
)
"""Words that make a following "key" a secret one, wherever the two stand: API_KEY, fs.azure.account.key.HOST."""

FILE_KEYS = word_set(
    "hmac aes crypto cipher root session cookie admin server client service deploy app application "
    "integration consumer write user activation registration subscription insert"
)
"""Words that make a "key" at a name's end a secret one, unless its value is a file: --server-key=/etc/x.key."""

SECRET_PHRASES = (
    ("secret", "id"),
    ("session", "id"),
    ("root", "token", "id"),
    ("pin", "value"),
    ("s", "3", "key"),
    *((word, "key") for word in FILE_KEYS),
)
"""Last words that make a name a secret's together: secret_id of Vault's AppRole, -dev-root-token-id."""

HARMLESS_PHRASES = (
    *((word, "pin") for word in word_set("cpu vcpu core thread memory mem numa")),
    *((word, "token") for word in word_set("bos eos pad unk sep cls mask")),
    ("initial", "cluster", "token"),
    ("kill", "sig"),
    ("stop", "sig"),
)
"""Last words that mean something else: --cpu-pin 0-3, --eos-token of a language model, etcd's name of a cluster."""

HARMLESS_LAST_WORDS = word_set(
    "file path dir directory folder ttl timeout expiry expiration expires lifetime age length len size count limit "
    "policy method methods type mode plugin plugins provider name url uri endpoint host port enabled enable disabled "
    "required algorithm encryption format issuer audience server realm db database source interval min max retries "
    "id ids user username prompt command cmd script location store backend version env fd stdin helper manager "
    "rotation ratio rate budget claim field column prefix header jar"
)
"""A name that ends so speaks about a secret and holds none: --password-file, TOKEN_TTL, auth.method."""

LOGIN_NAMES = (("user",), ("username",), ("login",), ("userpwd",))
"""Names (their last words) whose value may be user:password, or user%password as Samba has it."""

NEGATIONS = word_set("no without skip disable ask prompt")
"""A name that begins so is a switch: --no-password."""

PATH_NAMES = (
    ("private", "key"),
    ("credentials",),
    ("credential",),
    ("cookie",),
    ("user", "pass"),
    ("pwd",),
    ("oldpwd",),
    *((word, "key") for word in FILE_KEYS),
)
"""Names (their last words) whose value is usually a file: a value that looks like a path is kept. PWD is a shell's
working directory, and the password of an ODBC connection string."""

PLAIN_VALUES = frozenset(("", "true", "false", "yes", "no", "on", "off", "none", "null", REDACTED, *"0123456789"))
"""Values that are no secret under any name; a single digit is a pass of ffmpeg or a switch."""

_WORD = re.compile(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+|\d+")
_LOGIN = re.compile(r"([\w.@\\-]+)([:%])(?!//|\d+$)(.+)", re.DOTALL)
"""A number after the user's name is a group: --user=1000:1000. So is the same name again."""

PATH = re.compile(r"(?:~|\.{1,2})?/")
_FILE = re.compile(rf"{PATH.pattern}|[\w.-]+\.(?:key|pem|der|crt|p12|pfx|jks)$")


def words(name: str) -> list[str]:
    """The words of a setting's name, lower case: `javax.net.ssl.keyStorePassword` ends in store, password."""
    return [word.lower() for word in _WORD.findall(name)]


@functools.lru_cache(256)
def is_secret_name(name: str) -> bool:
    """True where a setting of this name holds a secret, by the tables above. Few names come again and again."""
    parts = words(name)
    if not parts or parts[0] in NEGATIONS or _ends_in(parts, HARMLESS_PHRASES):
        return False
    if parts[-1] in SECRET_LAST_WORDS or _ends_in(parts, SECRET_PHRASES):
        return True
    if parts[-1].endswith(GLUED_ENDINGS) and parts[-1] not in NO_PASSWORDS:
        return True
    if parts[-1] in HARMLESS_LAST_WORDS:
        return False
    keys = any(first in SECRET_KEYS and second == "key" for first, second in pairwise(parts))
    spelt = "".join(part for part in parts if part.isalpha())  # PassWord
    return keys or spelt.endswith(SECRET_ENDINGS) or any(part.endswith(SECRET_ENDINGS) for part in parts)


@functools.lru_cache(256)
def takes_secret(name: str) -> bool:
    """True where the value is a secret, or a user's name that a password may follow."""
    return is_secret_name(name) or _ends_in(words(name), LOGIN_NAMES)


def hide_setting(name: str, value: str) -> str:
    """The value of a setting whose name takes a secret; kept where it is a switch or plainly a file."""
    if value.lower() in PLAIN_VALUES:
        return value
    if not is_secret_name(name):
        login = _LOGIN.fullmatch(value)
        return f"{login[1]}{login[2]}{REDACTED}" if login and login[3] != login[1] else value
    return value if _ends_in(words(name), PATH_NAMES) and _FILE.match(value) else REDACTED


def _ends_in(parts: list[str], phrases: tuple[tuple[str, ...], ...]) -> bool:
    return any(tuple(parts[-len(phrase) :]) == phrase for phrase in phrases)
