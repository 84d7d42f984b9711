"""Options that several commands have."""

from __future__ import annotations

import click

from advisor.cli.wish import MODES, Wanted, WantedPool

PIDS = click.option(
    "--pid", "pids", type=click.IntRange(min=1), multiple=True, help="Only this process (repeatable)."
)
INTERVAL = click.option(
    "--interval", type=click.FloatRange(min=0.05), default=None, metavar="S", help="Seconds between samples."
)
DURATION = click.option(
    "--duration",
    type=click.FloatRange(min=0),
    default=2.0,
    show_default=True,
    metavar="S",
    help="Seconds to watch the host; rates need more than 0.",
)
WANT = click.option(
    "--want",
    "wanted",
    type=Wanted(),
    multiple=True,
    help="What it takes to give this process thp, thp-off, 2M, 1G or leave, unless a rule forbids it (repeatable).",
)
WANT_THP = click.option(
    "--want-thp",
    "wanted_thp",
    type=click.Choice(MODES),
    help="What it takes to give the host this THP mode, and who then goes without.",
)
WANT_POOL = click.option(
    "--want-pool",
    "wanted_pools",
    type=WantedPool(),
    multiple=True,
    help="What it takes to give the pool of this page size so many pages in all, and who fits in (repeatable).",
)
NO_REDACT = click.option("--no-redact", is_flag=True, help="Keep command lines as they are, secrets included.")
