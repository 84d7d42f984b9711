"""`score --summary`: the rows of a batch, or of tables written before, as a summary in the form that is asked for."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from advisor.cli.errors import CommandError, ExitCode
from advisor.cli.output import Look, look_of, write_output
from advisor.report.summary import Summary

FORMS = {".txt": "text", ".md": "markdown", ".json": "json", ".html": "html"}
"""Forms of a summary, by the suffix of the file's name."""

FILE_WIDTH = 80
"""Columns of a text file: those of a terminal whose size is unknown."""

TABLE_SUFFIX = ".parquet"


def is_summary(path: Path | None) -> bool:
    """Whether a file of this name is a summary; else it is a table."""
    return path is not None and path.suffix in FORMS


def tables_of(arguments: Sequence[str]) -> list[Path]:
    """The tables of `score` among the arguments, which are then all; none where profiles are meant. Folders of
    parquet files, as clusters write them, have names that end in .parquet, too. Raises CommandError."""
    named = [Path(one) for one in arguments if one.endswith(TABLE_SUFFIX)]
    if named and len(named) < len(arguments):
        raise CommandError("tables (.parquet) and profiles cannot be summed up together", ExitCode.USAGE)
    return [table for one in named for table in (sorted(one.glob("*.parquet")) if one.is_dir() else [one])]


def of_tables(tables: Sequence[Path]) -> Summary:
    """Raises CommandError."""
    from advisor.batch.summary import TableError, frames_of, summarise

    try:
        return summarise(frames_of(tables))
    except TableError as error:
        raise CommandError(str(error), ExitCode.UNUSABLE) from error


def write(summary: Summary, form: str, output: Path | None, width: int) -> None:
    """To a file, or to stdout. form: one of FORMS' values."""
    write_output(_render(summary, form, width, look_of(output)), output)


def _render(summary: Summary, form: str, width: int, look: Look) -> str:
    if form == "html":
        from advisor.render.summary_html import render_summary_html

        return render_summary_html(summary)
    if form == "markdown":
        from advisor.render.summary_markdown import render_summary_markdown

        return render_summary_markdown(summary)
    from advisor.render.summary_text import render_summary_json, render_summary_text

    if form == "json":
        return render_summary_json(summary)
    return render_summary_text(summary, width=width, **look)
