"""Secrets that are told by their own form: URLs with credentials, tokens of known issuers, long random text."""

from __future__ import annotations

import math
import re
from collections import Counter

from advisor.profile.secret_names import PATH, REDACTED

HEX_CHARS = 32
"""Hex digits in a row that count as a key. Source: 128 bit, the shortest key in common use."""

BASE64_CHARS = 40
"""Base64 characters in a row that can be a key. Source: AWS secret access keys have 40."""

HEX_KINDS = 8
"""Different digits that a key of hex has at least. Reason: masks of CPUs (f0f0...) have two or three, 32 random
digits fewer than eight once in 100,000 times."""

RANDOM_BITS_PER_CHAR = 4.5
"""Shannon entropy of text that counts as random. Reason: 40 random base64 characters have about 4.8, identifiers
and paths of that length below 4.3."""

TOKENS = (
    r"\beyJ[\w-]{8,}\.[\w-]+(?:\.[\w-]*)*",  # JWT
    r"\b(?:AKIA|ASIA|AGPA|AIDA|AROA|ANPA|ABIA|ACCA)[0-9A-Z]{16}\b",  # AWS
    r"\b(?:gh[pousr]_|github_pat_|gl(?:pat|rt|dt|ft|soat|cbt)-|hf_|npm_|do[opr]_v1_|pypi-|shp(?:at|ca|pa|ss)_|lin_api_)"
    r"[\w-]{16,}",
    r"\b(?:xox[abceoprs]-|xox[be]\.|xapp-|sk-|[srp]k_(?:live|test)_|whsec_|hv[sbr]\.|AIza|ya29\.|GOCSPX-|SG\.)[\w.-]{16,}",
    r"\b(?:dckr_(?:pat|oat)_|ATATT3|ATCTT3|dapi|gl(?:sa|c)_|NRAK-|sntry[su]_|dp\.(?:pt|st|ct|sa)\.|HRKU-|pscale_\w+?_|sbp_"
    r"|tskey-\w+-|r8_|sq0\w{3}-|rdme_|fo1_|ops_ey|PMAK-|secret_|ntn_|figd_|pul-|vercel_|xkeysib-|key-(?=[0-9a-f]{32}))"
    r"[\w.=-]{16,}",
    r"\bSK[0-9a-f]{32}\b",  # Twilio
    r"\b(?:bot)?\d{8,10}:AA[\w-]{33}",  # Telegram
    r"\b1//0[\w-]{30,}",  # Google, refresh tokens
    r"(?<![\w~.-])[\w~.-]{3}\dQ~[\w~.-]{31,34}",  # Azure, client secrets
    r"\bAGE-SECRET-KEY-1[0-9A-Z]{20,}",
    r"\bAQ[A-Za-z0-9+/]{36,37}={1,2}",  # Ceph
    r"\bmd5[0-9a-f]{32}\b",  # PostgreSQL, stored
    r"\bSCRAM-SHA-\d+\$[^\s\"']+",
    r"\$(?:[1567y]|2[abxy]?|gy|apr1|argon2(?:id?|d)|scrypt|pbkdf2-sha\d+)\$[^\s:\"']{20,}",  # crypt(5)
    r"-----BEGIN [A-Z0-9 ]*PRIVATE KEY(?: BLOCK)?-----.*",
    r"\bLS0tLS1CRUdJTi[A-Za-z0-9+/=]+",  # PEM in base64, as kubeconfig has it
)
"""Credentials whose whole text has a form of its own. Sources: the issuers' documentation of their key formats, RFC
7519 (JWT), RFC 7468 (PEM), crypt(5)."""

_WORD = r"""(?:"[^"]{0,500}"|'[^']{0,500}'|[^\s|;&()"']){1,500}"""
READERS = r"\b(?:chpasswd|passwd|smbpasswd|cryptsetup|kinit)\b"
"""Programs that read a password from their standard input."""

PLACES = (
    (r"(://)[^\s/:@\[]*:(?!\d+(?:/|$))(?:(?!://)[^\s?\"'])*@", rf"\1{REDACTED}@"),
    (r"(://)[^\s/?#\"']*@", rf"\1{REDACTED}@"),
    (r"(?<![\w.@/-])((?:[\w.-]+/)?[\w.-]+):(?!//|\d{1,4}@)[^\s@/:=]+@(?!sha256:)(?=[\w.\[(-]|:\d)",
     rf"\1:{REDACTED}@"),
    (r"(jdbc:oracle:\w+:[^/\s]+)/[^@\s]+@", rf"\1/{REDACTED}@"),
    (r"(?<![\w.*:-])(?!(?:[0-9a-fA-F]{0,4}:)+[0-9a-fA-F]{0,4}(?![\w:-]))"
     r"([\w.*-]{1,253}:(?:\d{2,5}|\*):(?!\d+:)[\w.*-]{1,63}:(?!\d+:)[\w.*-]{1,63}:)[^\s:\"'/]+",
     rf"\1{REDACTED}"),  # ~/.pgpass
    (r"(rtmps?://[^\s/\"']+/[^\s\"'?]*/)[^\s/\"'?]+", rf"\1{REDACTED}"),
    (r"(hooks\.slack\.com/(?:services|workflows|triggers)/|discord(?:app)?\.com/api/webhooks/\d+/"
     r"|(?:webhook|outlook)\.office\.com/webhook(?:b2)?/|hooks\.zapier\.com/hooks/catch/)[^\s\"']+",
     rf"\1{REDACTED}"),
    (r"([?&]key=)[^&\s\"']+", rf"\1{REDACTED}"),
    (r"(?i)\b((?:proxy-)?authorization|(?:set-)?cookie)(\s*:\s*)(?!\*\*\*)[^\"'\n]+", rf"\1\2{REDACTED}"),
    (r"(?i)\b(bearer|basic)(\s+)(?!\*\*\*)[\w.~+/=-]{8,}", rf"\1\2{REDACTED}"),
    (r"(?:^|(?<=[\s,]))pass:[^\s,]+", f"pass:{REDACTED}"),  # openssl-passphrase-options(1)
    (r"(\bsecret,(?:[^\s]{0,200},)?data=)[^,\s]+", rf"\1{REDACTED}"),  # QEMU's -object secret
    (r"(?i)\b((?:password|identified\s+(?:with\s+[\w']+\s+)?by(?:\s+(?:password|values))?)(?:\s*\(\s*|\s+))"
     r"([\\'\"]+)[^\\'\"]+", rf"\1\2{REDACTED}"),  # SQL
    (r"(?i)(\bidentified\s+by\s+)(?!(?:password|values)\b|[\\'\"])[^\s;'\"]+", rf"\1{REDACTED}"),
    (r"(?i)(\bpassword\s+for\s+[^\s=]{1,200}\s{0,9}=\s{0,9})(?:\"[^\"]*\"|'[^']*'|[^\s;(]+(?!\())", rf"\1{REDACTED}"),
    (r"(?i)(\bconnect\s+to\s+\S{1,200}\s+user\s+\S{1,200}\s+using\s+)[^\s;\"']+", rf"\1{REDACTED}"),  # db2
    (r"(\bpgp_sym_(?:en|de)crypt(?:_bytea)?\s?\([^;()]{0,200}?,\s?')[^']+", rf"\1{REDACTED}"),  # pgcrypto
    (r"((?<!\w)crypt\s?\(\s?')[^']+", rf"\1{REDACTED}"),
    (r"((?:\bdb\.auth|hangeUserPassword)\(\s?[\"'][^\"']{0,200}[\"']\s?,\s?[\"'])[^\"']+",
     rf"\1{REDACTED}"),  # mongosh
    (r"((?:\b(?:requirepass|masterauth|login\s+\S{1,200}\s+password|(?i:quote\s+pass))|password\s+password"
     r"|(?:^|(?<=[\"'\n]))(?:AUTH|PASS))[^\S\n]+)(?![\"'])[^\s\"']+", rf"\1{REDACTED}"),  # Redis, netrc, debconf, FTP
    (r"(?i)(\b(?:parameter)?(?:name|key)[\"']?\s{0,9}[:=]\s{0,9}[\"']?[\w.-]{0,80}(?:pass|secret|token|key)[\w.-]{0,80}"
     r"[\"']?[\s,]{1,9}[^\s,]{0,80}?\b(?:parameter)?value[\"']?\s{0,9}[:=]\s{0,9})(?:\"[^\"]*\"|'[^']*'|[^\s,\"'}]+)",
     rf"\1{REDACTED}"),  # a variable as a name and a value
    (r"(?i)(assw(?:or)?d[^;\n]{0,80}?[;\n{]?\s{0,9}\bsend\s+(?:--\s+)?)(?:\"[^\"]*\"|[^\s;]+)",
     rf"\1{REDACTED}"),  # expect(1)
    (r"(\brbd:[^\s,]{0,200}?:key=)[^\s,:]+", rf"\1{REDACTED}"),  # QEMU's and librbd's names of images
    (r"((?:^|[\s'\"])(?:h|host|u|user)=[^,\s]*,(?:[^\s]{0,200},)?p=)[^,\s]+", rf"\1{REDACTED}"),  # Percona Toolkit
    (r"(?i)(<[\w:.-]*(?:password|passwd|secret|token)[\w.-]*(?:\s[^<>]{0,200})?>)[^<]+", rf"\1{REDACTED}"),  # XML
    (rf"\b((?:echo|printf)\s+(?:-\w+\s+)?)(?>{_WORD}(?:[^\S\n]+{_WORD}){{0,20}})"
     rf"(?=[^|&\n]{{0,200}}\|[^|;]{{0,120}}?(?:-stdin\b|\bsudo\s[^|;]{{0,40}}?-\w{{0,8}}S\b|{READERS}|passphrase-fd))",
     rf"\1{REDACTED}"),
    (rf"({READERS}[^|;<\n]{{0,120}}<<-?\s?[\"']?(\w{{1,40}})[\"']?\n).{{1,2000}}?(?=\n\s*\2\b|$)", rf"\1{REDACTED}"),
    (r"((?:-stdin|\bsudo\s[^|;<]{0,40}?-\w{0,8}S|\bchpasswd)\b[^|;<]{0,120}<<<\s*)(?:\"[^\"]*\"|'[^']*'|\S+)",
     rf"\1{REDACTED}"),
)  # fmt: skip
"""Places that hold a credential, by what stands around it. Sources: RFC 3986 (userinfo), RFC 9110 and 6265 (headers),
the PostgreSQL manual (pgpass), the manuals of the programs named. Spans are bounded where a pattern looks ahead:
command lines are hostile, and a report must not take minutes for them."""

SHAPES = tuple(
    (re.compile(pattern, re.DOTALL), replacement)
    for pattern, replacement in (*PLACES, *((token, REDACTED) for token in TOKENS))
)

_HEX = re.compile(rf"(?<!sha256:)(?<![0-9A-Za-z])[0-9a-fA-F]{{{HEX_CHARS},}}(?![0-9A-Za-z])")
_BASE64 = re.compile(rf"[A-Za-z0-9+/_-]{{{BASE64_CHARS},}}={{0,2}}")


def hide_shapes(text: str) -> str:
    """`text` without what a pattern above finds."""
    for pattern, replacement in SHAPES:
        text = pattern.sub(replacement, text)
    return text


def hide_random(text: str) -> str:
    """Long hex and base64 text out. A file's path keeps its hashes: they name a container or a build, no key."""
    if PATH.match(text.rsplit("=", 1)[-1]):
        return text
    text = _HEX.sub(lambda match: REDACTED if _is_hex_key(match[0]) else match[0], text)
    return _BASE64.sub(lambda match: REDACTED if _is_random(match[0]) else match[0], text)


def _is_hex_key(text: str) -> bool:
    """Letters and digits, and more of them than a mask has."""
    return len(set(text.lower())) >= HEX_KINDS and any(c.isdigit() for c in text) and any(c.isalpha() for c in text)


def _is_random(text: str) -> bool:
    """Upper and lower case, digits, and more entropy than words have."""
    if not (any(c.isupper() for c in text) and any(c.islower() for c in text) and any(c.isdigit() for c in text)):
        return False
    counts = Counter(text).values()
    entropy = -sum(n / len(text) * math.log2(n / len(text)) for n in counts)
    return entropy >= RANDOM_BITS_PER_CHAR
