"""The command line: `hugepage-advisor [--procfs DIR] [--sysfs DIR] COMMAND`."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import Any

import click

from advisor import __version__
from advisor.cli.ending import exit_code
from advisor.cli.left_over import RestoringGroup
from advisor.cli.model_group import model
from advisor.cli.output import text_width
from advisor.cli.shared_options import DURATION, INTERVAL, NO_REDACT, PIDS, WANT, WANT_POOL, WANT_THP
from advisor.cli.size import size_bytes
from advisor.cli.surroundings import make_usable
from advisor.lean import leave_out


def _print_service(context: click.Context, parameter: click.Parameter, asked: bool) -> None:
    if asked:
        from advisor.cli.recording_service import print_script

        print_script(context, parameter, asked)


CONTEXT = {"help_option_names": ["-h", "--help"], "max_content_width": 100}


@click.group(cls=RestoringGroup, context_settings=CONTEXT, invoke_without_command=True)
@click.version_option(__version__, "-V", "--version", prog_name="hugepage-advisor")
@click.option("--procfs", default="/proc", metavar="DIR", help="Read this folder instead of /proc (captured tree).")
@click.option("--sysfs", default="/sys", metavar="DIR", help="Read this folder instead of /sys (captured tree).")
@click.pass_context
def cli(context: click.Context, procfs: str, sysfs: str) -> int | None:
    """Which page size each process of a Linux host should use, why, and at what cost.

    Only `trial` changes anything on the host, after asking, and puts it back. All else reads, works without root and
    says what it could not see. Without a command: `tui` on a terminal, else this help.
    """
    context.obj = (procfs, sysfs)
    if context.invoked_subcommand is not None:
        return None
    if not (sys.stdin.isatty() and sys.stdout.isatty()):
        click.echo(context.get_help())
        return None
    with tui.make_context("tui", [], parent=context) as asked:
        return tui.invoke(asked)  # type: ignore[no-any-return]  # its exit code


@cli.command()
@click.argument("profile", required=False, type=click.Path(path_type=Path))
@INTERVAL
@NO_REDACT
@click.option("--web", "in_browser", is_flag=True, help="In a browser: prints the address, with a key; until Ctrl-C.")
@click.option("--host", default="localhost", show_default=True, metavar="NAME", help="With --web: listen here.")
@click.option(
    "--port",
    type=click.IntRange(1, 65535),
    default=8000,
    show_default=True,
    metavar="N",
    help="With --web: on this port.",
)
@click.pass_obj
def tui(
    roots: tuple[str, str],
    profile: Path | None,
    interval: float | None,
    no_redact: bool,
    in_browser: bool,
    host: str,
    port: int,
) -> int:
    """Show this host, or a saved PROFILE, on the screen: who matters, what should change, why. `?` shows the keys."""
    from advisor.tui.garbage import look_seldom

    look_seldom()
    from advisor.cli import tui as command

    if in_browser:
        return command.serve(roots, profile, interval, host, port, redact=not no_redact)
    return command.run(roots, profile, interval, redact=not no_redact)


@cli.command()
@click.argument("profile", required=False, type=click.Path(path_type=Path))
@PIDS
@DURATION
@INTERVAL
@click.option("--json", "format_name", flag_value="json", help="The report document, for tickets and programs.")
@click.option("--markdown", "format_name", flag_value="markdown", help="For pasting into a ticket.")
@click.option("--html", "format_name", flag_value="html", help="The same as one web page.")
@click.option("--check", is_flag=True, help="Exit code 10 where a change is advised, 11 where that cannot be told.")
@click.option("-o", "--output", type=click.Path(path_type=Path), metavar="FILE", help="Write here, not to stdout.")
@click.option(
    "--probe",
    "probes",
    metavar="LIST",
    help="With --pid, of referenced,density,soft-dirty: says its cost, then disturbs the process to know more.",
)
@click.option(
    "--trace",
    is_flag=True,
    help="As root, listen to khugepaged meanwhile: which slots it refuses, and why. Wants a longer --duration.",
)
@WANT
@WANT_THP
@WANT_POOL
@NO_REDACT
@click.pass_obj
def report(
    roots: tuple[str, str],
    profile: Path | None,
    pids: tuple[int, ...],
    wanted: tuple[tuple[int, str, int | None], ...],
    wanted_thp: str | None,
    wanted_pools: tuple[tuple[int, int], ...],
    duration: float,
    interval: float | None,
    format_name: str | None,
    check: bool,
    output: Path | None,
    probes: str | None,
    no_redact: bool,
    trace: bool,
) -> int:
    """Watch this host for a moment, or take a saved PROFILE, and say what should change and why."""
    from advisor.cli import report as command

    asked = command.probes_of(probes, pids, profile) if probes is not None else ()
    if trace:
        command.check_trace(profile)
    request = command.Request(
        roots,
        pids,
        duration,
        interval,
        format_name or "text",
        not no_redact,
        asked,
        wanted,
        trace,
        wanted_thp,
        wanted_pools,
        check,
    )
    return command.run(request, profile, output, width=text_width(output))


@cli.command()
@click.argument("profile", required=False, type=click.Path(path_type=Path))
@click.option(
    "-o",
    "--output",
    "folder",
    type=click.Path(path_type=Path),
    metavar="DIR",
    help="Write the files there, with apply.sh and undo.sh; made if it is not there.",
)
@PIDS
@DURATION
@INTERVAL
@WANT
@WANT_THP
@WANT_POOL
@click.pass_obj
def plan(
    roots: tuple[str, str],
    profile: Path | None,
    folder: Path | None,
    pids: tuple[int, ...],
    duration: float,
    interval: float | None,
    wanted: tuple[tuple[int, str, int | None], ...],
    wanted_thp: str | None,
    wanted_pools: tuple[tuple[int, int], ...],
) -> None:
    """Print what to change on this host (or that of a saved PROFILE), in order, with the texts and how to undo them.

    With -o the texts are files, beside a script that applies them and one that undoes that. Nothing is applied by
    this command.
    """
    from advisor.cli import plan as command

    request = command.Request(
        roots, pids, duration, interval, "text", True, (), wanted, wanted_thp=wanted_thp, wanted_pools=wanted_pools
    )
    command.run(request, profile, folder)


@cli.command()
@click.option(
    "-o", "--output", required=True, type=click.Path(path_type=Path), metavar="FILE", help="The profile to write."
)
@click.option("--duration", type=click.FloatRange(min=0), metavar="S", help="Stop after S seconds.")
@INTERVAL
@PIDS
@NO_REDACT
@click.option(
    "--systemd",
    is_flag=True,
    is_eager=True,
    expose_value=False,
    callback=_print_service,
    help="Print a service, sandboxed, and a timer that record every day, and how to install them.",
)
@click.pass_obj
def record(
    roots: tuple[str, str],
    output: Path,
    duration: float | None,
    interval: float | None,
    pids: tuple[int, ...],
    no_redact: bool,
) -> None:
    """Record a profile to FILE (.jsonl.zst, .jsonl.gz or .jsonl) until Ctrl-C or the duration is over.

    Keeps to 1 % of one CPU over time, start-up included: large processes are read first, the others as the
    budget allows.
    """
    from advisor.cli import record as command

    command.run(roots, output, duration, interval, pids, redact=not no_redact)


@cli.command("import")
@click.argument("path", type=click.Path(path_type=Path))
@click.option(
    "-o", "--output", required=True, type=click.Path(path_type=Path), metavar="FILE", help="The profile to write."
)
@NO_REDACT
def import_(path: Path, output: Path, no_redact: bool) -> None:
    """Make a profile from PATH: a sosreport, a tree of /proc and /sys, an archive of either, a smem capture.

    Archives are tar (plain, gz, bz2, xz, zst) or zip; they are read, not extracted. What is not in them is unknown.
    """
    from advisor.cli import import_capture as command

    command.run(path, output, redact=not no_redact)


@cli.command()
@click.argument("before", type=click.Path(path_type=Path))
@click.argument("after", type=click.Path(path_type=Path))
@click.option("--json", "format_name", flag_value="json", help="The comparison document, for programs.")
@click.option("--markdown", "format_name", flag_value="markdown", help="For pasting into a ticket.")
@click.option("-o", "--output", type=click.Path(path_type=Path), metavar="FILE", help="Write here, not to stdout.")
def compare(before: Path, after: Path, format_name: str | None, output: Path | None) -> None:
    """Say what changed on a host from BEFORE to AFTER: profiles, captures as `import` takes them, or reports as JSON.

    Settings, pools, coverage, faults, page tables, advice; of the host and of each process, the most important first.
    """
    from advisor.cli import compare as command

    width = text_width(output)
    command.run((before, after), format_name or "text", output, width=width)


@cli.command(context_settings={"allow_interspersed_args": False})
@click.argument("command", nargs=-1, type=click.UNPROCESSED)
@click.option("--policies", metavar="LIST", help="Of base,thp,2M,1G,default.  [default: all but default]")
@click.option("--rounds", type=click.IntRange(1, 1000), default=7, show_default=True, help="Runs of each policy.")
@click.option("--metric", "metric_regex", metavar="REGEX", help="Compare this number of the output, not the time.")
@click.option("--higher-is-better", "better", flag_value="higher", help="Which way the metric points.")
@click.option("--lower-is-better", "better", flag_value="lower", help="As above.")
@click.option("--cpu", is_flag=True, help="Compare CPU time, not wall time.")
@click.option("--ready", metavar="REGEX", help="The output line that ends the set-up.")
@click.option("--timeout", "timeout_s", type=click.FloatRange(0, min_open=True), metavar="S", help="End a run then.")
@click.option("--min-coverage", type=click.FloatRange(0, 1), metavar="SHARE", help="Huge memory for a run to count.")
@click.option(
    "--way", "ways", multiple=True, metavar="TEXT", help="'POLICY: ARGUMENT ... NAME=VALUE ...' (repeatable)."
)
@click.option("--own-way", is_flag=True, help="The command applies {policy} or $HUGEPAGE_ADVISOR_POLICY itself.")
@click.option("--pool-bytes", callback=size_bytes, metavar="SIZE", help="How much of a pool must be free, as 2G.")
@click.option("--no-hold", is_flag=True, help="Do not keep freed memory warm between runs.")
@click.option("--seed", type=int, default=0, show_default=True, help="Of the order of the runs.")
@click.option("--pid", type=click.IntRange(min=1), help="Try it on this running process: its huge pages stay.")
@click.option("--metric-cmd", "metric_command", metavar="CMD", help="With --pid: this command prints the number.")
@click.option("--metric-is", "metric_kind", type=click.Choice(["rate", "counter"]), help="What CMD prints.")
@click.option("--steps", metavar="LIST", default="25,50,100", show_default=True, help="With --pid: % to collapse.")
@click.option(
    "--window",
    "window_s",
    type=click.FloatRange(min=0.1),
    default=1.0,
    show_default=True,
    metavar="S",
    help="With --pid: seconds of one measurement.",
)
@click.option(
    "--windows",
    type=click.IntRange(4, 1000),
    default=8,
    show_default=True,
    help="With --pid: measurements at each dose, at least 4.",
)
@click.option("--yes", "assume_yes", is_flag=True, help="Change settings of the host without asking.")
@click.option("--json", "as_json", is_flag=True, help="Everything that was run, seen and concluded.")
@click.option("-o", "--output", type=click.Path(path_type=Path), metavar="FILE", help="Write here, not to stdout.")
@NO_REDACT
@click.pass_context
def trial(context: click.Context, /, command: tuple[str, ...], output: Path | None, **given: Any) -> int:
    """Measure what each page policy gives: run COMMAND in turns under each, or collapse memory of a live process.

    COMMAND gets no input and no terminal; one that does not end by itself needs --timeout, or is better tried with
    --pid. Settings of the host are changed only with --yes (or when you say so), and put back at the end, on Ctrl-C,
    and by the next command after a kill.
    """
    from advisor.cli import trial_options as options

    width = text_width(output)
    return options.dispatch(context, command, given, output, width=width)


@cli.command()
@click.argument("inputs", nargs=-1, required=True, metavar="PATH ...")
@click.option(
    "-o",
    "--output",
    type=click.Path(path_type=Path, dir_okay=False),
    metavar="FILE",
    help="Write all rows here: .jsonl, .csv or .parquet; or the summary: .html, .md, .txt or .json. Without it, the "
    "top of the table is printed.",
)
@click.option("--summary", "summary", is_flag=True, help="Print where CPU time and memory can be saved, summed up.")
@click.option("--json", "form", flag_value="json", help="With --summary: as a document, for programs.")
@click.option("--markdown", "form", flag_value="markdown", help="With --summary: for pasting into a ticket.")
@click.option("--jobs", type=click.IntRange(min=1), metavar="N", help="Processes that work.  [default: one a CPU]")
@click.option(
    "--dask",
    metavar="ADDRESS",
    help="Let the workers of the Dask cluster with this scheduler do it: tcp://HOST:8786.",
)
@click.option("--resume", is_flag=True, help="Go on with an interrupted run for the same -o FILE.")
@click.option(
    "--progress/--no-progress", default=None, help="How far it has come, on stderr.  [default: on a terminal]"
)
def score(
    inputs: tuple[str, ...],
    output: Path | None,
    jobs: int | None,
    dask: str | None,
    resume: bool,
    progress: bool | None,
    summary: bool,
    form: str | None,
) -> None:
    """Advise every process of many saved profiles: one row each, in one table, or their summary.

    PATH is a file, a folder, a glob or a URL, or - for names on stdin; profiles of any version, reports of
    `report --json`, and captures such as a sosreport. What is damaged is named on stderr (exit code 5); the rest
    is complete. A table (.parquet) that was written before can be summed up, too.
    """
    from advisor.cli import score as command

    if form is not None and not summary:
        raise click.UsageError(f"--{form} is a form of --summary")

    if jobs is not None and dask is not None:
        raise click.UsageError(
            "--jobs is of this machine, --dask of a cluster, whose workers are as many as they are"
        )
    request = command.Request(
        inputs, output, jobs or command.default_jobs(), resume, progress, dask, (form or "text") if summary else None
    )
    command.run(request, width=text_width(None))


@cli.command()
@click.argument("name", required=False)
def explain(name: str | None) -> None:
    """Explain a rule, a feature, an application, a policy or a kind of text; without NAME, list them all."""
    from advisor.cli import explain as command

    command.run(name)


cli.add_command(model)


def main() -> None:
    """Entry point."""
    make_usable()
    # numpy's linear algebra is not used; without this it starts a thread for each processor (20 ms of CPU).
    os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
    leave_out("pandas", "dask", "pytest")
    sys.exit(exit_code(lambda: cli.main(standalone_mode=False)))
