"""`compare`: two looks at one host, each a profile, a capture or a report, and what changed between them."""

from __future__ import annotations

import datetime
from pathlib import Path

from advisor import __version__
from advisor.advise import advise
from advisor.cli.errors import CommandError, ExitCode
from advisor.cli.output import Look, check_output, look_of, write_output
from advisor.cli.report import load, model_for_advice
from advisor.predictor import Predictor
from advisor.report.build import TOOL_NAME
from advisor.report.compare import compare_reports
from advisor.report.comparison import Comparison
from advisor.report.document import Report, ReportError, Tool, decode_report
from advisor.report.redact import redacted_names

MOST_REPORT_BYTES = 1 << 30
"""Of a report as JSON. Source: own choice. Reason: one of 10,000 processes has 200 MB; more is another file."""


def run(paths: tuple[Path, Path], format_name: str, output: Path | None, *, width: int) -> None:
    """Raises CommandError."""
    check_output(output)
    write_output(render(compare(paths), format_name, width, look_of(output)), output)


def compare(paths: tuple[Path, Path]) -> Comparison:
    """What changed from the first path to the second. Raises CommandError."""
    predictor, why_none = model_for_advice()
    before, after = (_report(path, predictor, why_none) for path in paths)
    names = (paths[0].resolve().name, paths[1].resolve().name)
    now = datetime.datetime.now(datetime.UTC)
    return compare_reports(before, after, names, now=now, tool=Tool(TOOL_NAME, __version__))


def render(comparison: Comparison, format_name: str, width: int, look: Look) -> str:
    if format_name == "json":
        from advisor.render.compare_json import render_comparison_json

        return render_comparison_json(comparison)
    if format_name == "markdown":
        from advisor.render.compare_markdown import render_comparison_markdown

        return render_comparison_markdown(comparison)
    from advisor.render.compare_text import render_comparison_text

    return render_comparison_text(comparison, width=width, **look)


def _report(path: Path, predictor: Predictor | None, why_none: str) -> Report:
    """A report document as it is; else the report of the profile or capture, made now. Raises CommandError."""
    if _is_report(path):
        try:
            return redacted_names(decode_report(path.read_bytes()))
        except (ReportError, OSError) as error:
            raise CommandError(f"{path}: {error}; make the report again", ExitCode.UNUSABLE) from error
    profile = load(path)
    return advise(profile, kind="profile", predictor=predictor, without_model=why_none)


def _is_report(path: Path) -> bool:
    """JSON of several lines, or of one with a report's schema; a profile's first line has another."""
    try:
        if not path.is_file() or path.stat().st_size > MOST_REPORT_BYTES:
            return False
        with open(path, "rb") as file:
            beginning = file.read(200)
    except OSError:
        return False
    return beginning.lstrip()[:1] == b"{" and b'"hugepage-advisor/report/' in beginning
