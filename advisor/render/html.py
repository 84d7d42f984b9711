"""Report as one web page: what the Markdown says, with no network and no file beside it."""

from __future__ import annotations

from markdown_it import MarkdownIt

from advisor.render.markdown import render_markdown
from advisor.render.web_page import TEMPLATES, allowed, source
from advisor.report.document import Report

TABLE = '<div class="wide" tabindex="0" role="region" aria-label="Table"><table>\n'
"""A table that is scrolled by itself where the window is narrow, by keys, too."""


def render_html(report: Report) -> str:
    """The page, ending in one newline. Foreign text is escaped once, for the Markdown, of which HTML is no part."""
    parser = MarkdownIt("commonmark", {"html": False}).enable("table")
    parser.add_render_rule("table_open", lambda *_: TABLE)
    parser.add_render_rule("table_close", lambda *_: "</table></div>\n")
    style = source("page.css", "report.css")
    page = TEMPLATES.get_template("report.html.j2").render(
        title=f"Huge pages on {report.host.hostname or 'unnamed host'}",
        style=style,
        style_hash=allowed(style),
        body=parser.render(render_markdown(report)).rstrip(),
    )
    return page.rstrip() + "\n"
