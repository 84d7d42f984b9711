"""What the web pages share: where their templates are, how they look, and what a browser may take of them."""

from __future__ import annotations

import base64
import hashlib

from jinja2 import Environment, PackageLoader, StrictUndefined, select_autoescape

from advisor.render.escape import visible

TEMPLATES = Environment(
    loader=PackageLoader("advisor.render", "."),
    autoescape=select_autoescape(default=True),
    undefined=StrictUndefined,
    trim_blocks=True,
    lstrip_blocks=True,
)
"""The templates of this room. Everything foreign is escaped; the filter `visible` shows what cannot be seen."""

TEMPLATES.filters["visible"] = visible


def source(*names: str) -> str:
    """The text of files beside the templates, one after the other."""
    assert TEMPLATES.loader is not None  # noqa: S101 (for the type checker: given above)
    return "".join(TEMPLATES.loader.get_source(TEMPLATES, name)[0] for name in names)


def allowed(text: str) -> str:
    """`text` as a Content-Security-Policy names a style or a script that may be used."""
    return "sha256-" + base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()
