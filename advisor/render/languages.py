"""Languages of code blocks, by the kind of artefact."""

from __future__ import annotations

_LANGUAGES = {
    "shell": "sh",
    "kernel-command-line": "sh",
    "grub": "sh",
    "systemd": "ini",
    "sysctl": "ini",
    "tuned": "ini",
    "libvirt": "xml",
    "kubernetes": "yaml",
}


def language_of(kind: str) -> str:
    """The language of an artefact's code block; "text" where there is none."""
    return _LANGUAGES.get(kind, "text")
