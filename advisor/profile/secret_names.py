"""Which names of settings hold a secret: tables of words, and what reads them."""

from __future__ import annotations

import functools
import re
from itertools import pairwise

REDACTED = "***"
"""What stands where a secret stood. Redacting it again gives itself."""

SECRET_ENDINGS = (
    "password", "passwd", "passphrase", "passcode", "pwd", "secret", "token", "apikey", "secretkey",
    "accesskey", "privatekey", "authkey", "accountkey", "bearer", "jwt",
)  # fmt: skip
"""A word of a name that ends so makes the name a secret's, wherever the word stands: PGPASSWORD, dbPassword."""


def word_set(words: str) -> frozenset[str]:
    return frozenset(words.split())


SECRET_LAST_WORDS = word_set(
    "pass pw psk otp pin auth authorization requirepass masterauth keypass storepass userpass dbpass rootpass "
    "proxyauth cookie setcookie sig signature sas credential credentials creds secrets mnemonic"
)
"""Words that make a name a secret's only where they end it: `--auth x`, but not `--pass-through`."""

SECRET_KEYS = word_set(
    "api access secret private auth account signing encryption encrypt master shared preshared fernet license stream "
    "storage webhook"
)
"""Words that make a following "key" a secret one, wherever the two stand: API_KEY, fs.azure.account.key.HOST."""

SECRET_PHRASES = (("secret", "id"), ("session", "id"), ("root", "token", "id"), ("pin", "value"))
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
)
"""Names (their last words) whose value is usually a file: a value that looks like a path is kept. PWD is a shell's
working directory, and the password of an ODBC connection string."""

PLAIN_VALUES = frozenset(("", "true", "false", "yes", "no", "on", "off", "none", "null", REDACTED, *"0123456789"))
"""Values that are no secret under any name; a single digit is a pass of ffmpeg or a switch."""

_WORD = re.compile(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+|\d+")
PATH = re.compile(r"(?:~|\.{1,2})?/")


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
    if parts[-1] in HARMLESS_LAST_WORDS:
        return False
    keys = any(first in SECRET_KEYS and second == "key" for first, second in pairwise(parts))
    return keys or any(part.endswith(SECRET_ENDINGS) for part in parts)


def hide_setting(name: str, value: str) -> str:
    """The value of a setting whose name says secret; kept where it is a switch or plainly a file."""
    if value.lower() in PLAIN_VALUES:
        return value
    return value if _ends_in(words(name), PATH_NAMES) and PATH.match(value) else REDACTED


def _ends_in(parts: list[str], phrases: tuple[tuple[str, ...], ...]) -> bool:
    return any(tuple(parts[-len(phrase) :]) == phrase for phrase in phrases)
