"""`score`: many profiles to one table."""

from __future__ import annotations

import os
import shutil
import sys
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import click

from advisor.batch.cluster import score_on_cluster
from advisor.batch.deadly import EngineError
from advisor.batch.inputs import InputError, find_inputs
from advisor.batch.local import score_locally
from advisor.batch.output import FORMATS, write_parts
from advisor.batch.parts import PARTS_SUFFIX, Parts, PartsError
from advisor.batch.worker import Answer
from advisor.cli import summary
from advisor.cli.errors import CommandError, ExitCode
from advisor.cli.output import check_output, look_of, write_output
from advisor.cli.progress import progress
from advisor.cli.talk import say
from advisor.predictor import ModelError, model_digest
from advisor.render.numbers import count, plural
from advisor.render.score_text import render_rows
from advisor.report.summary import Summary

SHOWN_ERRORS = 20
"""Damaged inputs that are named on stderr; the table of errors has all."""

SHOWN_ROWS = 40
"""Rows of the table on a terminal: those with most at stake."""

ERRORS_SUFFIX = ".errors.jsonl"


@dataclass(frozen=True)
class Request:
    """What was asked. arguments: paths, globs, URLs. jobs: processes. progress: None for on a terminal only.
    cluster: address of a Dask scheduler, whose workers do it instead of processes here. printed: the form of the
    summary that is printed, None for none."""

    arguments: tuple[str, ...]
    output: Path | None
    jobs: int
    resume: bool
    progress: bool | None = None
    cluster: str | None = None
    printed: str | None = None


def run(request: Request, *, width: int) -> None:
    """Score everything, then say what could not be read. Raises CommandError with a documented exit code."""
    check(request)
    if tables := summary.tables_of(request.arguments):
        sum_up_tables(tables, request, width)
        return
    files, errors = found(request.arguments, request.output)
    named = len(files) + len(errors)
    model = model_or_rules() if files else ""
    with parts_folder(request) as folder:
        parts = Parts(folder, files, model)
        try:
            parts.begin(resume=request.resume)
        except PartsError as error:
            raise CommandError(str(error), ExitCode.USAGE) from error
        if files:
            score(parts, request, model)
        errors += sorted(parts.errors(), key=lambda error: error.file)
        finish(parts, request, width)
    tell_errors(errors, named, request.output)


def check(request: Request) -> None:
    if request.output is not None and request.output.suffix not in {*FORMATS, *summary.FORMS}:
        suffixes = f"{', '.join(FORMATS)}, or for a summary in {', '.join(summary.FORMS)}"
        raise CommandError(f"{request.output}: the name must end in {suffixes}", ExitCode.USAGE)
    check_output(request.output)
    if request.resume and request.output is None:
        raise CommandError("--resume goes on with the parts beside -o FILE", ExitCode.USAGE)


def found(arguments: Sequence[str], output: Path | None) -> tuple[list[str], list[InputError]]:
    """Inputs; a "-" stands for names on stdin."""
    names = [name for one in arguments for name in (names_on_stdin() if one == "-" else [one])]
    try:
        inputs = find_inputs(names, output)
    except ImportError as error:
        raise CommandError(
            f"URLs need fsspec ({error.name}): pip install 'hugepage-advisor[remote]'", ExitCode.USAGE
        ) from error
    if not inputs.files and not inputs.errors:
        raise CommandError("nothing to score was named", ExitCode.USAGE)
    return inputs.files, list(inputs.errors)


def names_on_stdin() -> list[str]:
    """One a line, in any encoding; or, as `find -print0` writes them, with NUL after each."""
    data = sys.stdin.buffer.read()
    return [os.fsdecode(name) for name in data.split(b"\0" if b"\0" in data else b"\n") if name]


def model_or_rules() -> str:
    """The digest of the model, as parts of another one do not fit; "" where there is none that can be used."""
    try:
        return model_digest()
    except ModelError as error:
        say(f"hugepage-advisor: {error}; going on with rules alone")
        return ""


@contextmanager
def parts_folder(request: Request) -> Iterator[Path]:
    """Beside the output, kept where the run does not come to its end; without an output, a temporary one."""
    if request.output is None:
        with tempfile.TemporaryDirectory(prefix="hugepage-advisor-") as temporary:
            yield Path(temporary) / "parts"
        return
    folder = request.output.with_name(request.output.name + PARTS_SUFFIX)
    yield folder
    shutil.rmtree(folder)


def score(parts: Parts, request: Request, model: str) -> None:
    """Do what is missing, and say how far it has come."""
    missing = parts.missing()
    chunks = {number: parts.chunks[number] for number in missing}
    files = sum(map(len, chunks.values()))
    if parts.started:
        done = sum(map(len, parts.chunks)) - files
        say(f"going on: {plural(done, 'input')} scored before, {count(files)} to go")
    with progress("scoring", files, shown=request.progress) as advance:

        def take(number: int, answer: Answer) -> None:
            parts.add(number, answer.rows, answer.errors)
            advance(len(chunks[number]))

        try:
            if request.cluster is None:
                score_locally(chunks, min(request.jobs, len(chunks)) or 1, take, with_model=bool(model))
            else:
                score_on_cluster(request.cluster, chunks, take, model=model)
        except ModelError as error:  # its files are whole, and yet a worker cannot load it
            raise CommandError(str(error), ExitCode.UNUSABLE) from error
        except (EngineError, ImportError) as error:
            raise in_words(error, resumable=request.output is not None and parts.started) from error
        finally:
            parts.abandon()


def in_words(error: EngineError | ImportError, *, resumable: bool) -> CommandError:
    """What an engine raised, with what helps."""
    if isinstance(error, ImportError):
        return CommandError(f"--dask needs Dask ({error.name}): pip install 'hugepage-advisor[dask]'", ExitCode.USAGE)
    return CommandError(f"{error}{'; --resume goes on with what is done' if resumable else ''}", ExitCode.FAILED)


def sum_up_tables(tables: Sequence[Path], request: Request, width: int) -> None:
    """The summary of what was scored before. Raises CommandError."""
    if request.printed is None and not summary.is_summary(request.output):
        raise CommandError("a table was scored already: --summary, or -o FILE.html, sums it up", ExitCode.USAGE)
    tell_summary(summary.of_tables(tables), request, width)


def tell_summary(made: Summary, request: Request, width: int) -> None:
    """To the file, and to stdout, as far as either was asked for."""
    if request.output is not None and summary.is_summary(request.output):
        summary.write(made, summary.FORMS[request.output.suffix], request.output, summary.FILE_WIDTH)
    if request.printed is not None:
        summary.write(made, request.printed, None, width)


def finish(parts: Parts, request: Request, width: int) -> None:
    """The parts as a file, as a summary, or the top of the table."""
    output = request.output
    if output is not None and not summary.is_summary(output):
        write_parts(parts.rows(), output)
    if request.printed is not None or summary.is_summary(output):
        from advisor.batch.summary import frames_of, summarise

        tell_summary(summarise(frames_of(parts.rows())), request, width)
    if output is not None or request.printed is not None:
        return
    from advisor.batch.top import top_rows

    rows, total, changes = top_rows(parts.rows(), SHOWN_ROWS)
    if not total:
        return  # nothing could be read, which is said next
    text = render_rows(rows, total, changes, width=width, **look_of(None))
    click.echo(text, nl=False)


def tell_errors(errors: Sequence[InputError], files: int, output: Path | None) -> None:
    """Name what was damaged, and raise CommandError where anything was. files: how many inputs there were."""
    if not errors:
        return
    for error in errors[:SHOWN_ERRORS]:
        place = f":{error.place}" if error.place else ""
        say(f"{error.file}{place}: {error.reason}")
    hidden = len(errors) - SHOWN_ERRORS
    if hidden > 0:
        say(f"... and {plural(hidden, 'more')}")
    where = ""
    if output is not None:
        import msgspec

        path = output.with_name(output.name + ERRORS_SUFFIX)
        write_output(b"\n".join(map(msgspec.json.encode, errors)).decode(), path)
        where = f"; all of them: {path}"
    lost = sum(not error.scored for error in errors)
    cut = len(errors) - lost
    said = [f"{count(lost)} of {plural(files, 'input')} could not be read"] if lost else []
    said += [f"{plural(cut, 'recording')} cut off, scored as far as it goes"] if cut else []
    rest = "; the rest is complete" if lost < files else ""
    raise CommandError(f"{', '.join(said)}{rest}{where}", ExitCode.SOME_FAILED)


def default_jobs() -> int:
    """CPUs that this process may use."""
    return len(os.sched_getaffinity(0))
