"""The commands below `hugepage-advisor model`."""

from __future__ import annotations

from pathlib import Path

import click

from advisor.cli.left_over import RestoringGroup


@click.group(cls=RestoringGroup)
def model() -> None:
    """Train the model that predicts gains from measurements, see how good it is, or what it holds."""


DATA = click.option(
    "--data",
    "data",
    type=click.Path(path_type=Path),
    multiple=True,
    metavar="FILE",
    help="A data set of measurements (repeatable).  [default: those beside the shipped model]",
)


@model.command("train")
@DATA
@click.option(
    "-o",
    "--output",
    type=click.Path(path_type=Path, file_okay=False),
    metavar="DIR",
    help="Write the model there.  [default: in place of the shipped one]",
)
def train(data: tuple[Path, ...], output: Path | None) -> None:
    """Learn the model from data sets; the same data give the same model."""
    from advisor.cli import model as command

    command.train(data, output)


@model.command("evaluate")
@DATA
@click.option("--card", type=click.Path(path_type=Path), metavar="FILE", help="Write the model card, too.")
@click.option("--chart", type=click.Path(path_type=Path), metavar="FILE", help="Write the chart as SVG, too.")
@click.option(
    "--folds",
    type=click.IntRange(min=0),
    default=0,
    metavar="N",
    help="Groups of families that are held out together; quicker.  [default: each family by itself]",
)
def evaluate(data: tuple[Path, ...], card: Path | None, chart: Path | None, folds: int) -> None:
    """Print how good advice is on families of programs that the model has not seen, beside simple habits."""
    from advisor.cli import model as command

    command.evaluate(data, card, chart, folds)


@model.command("show")
@click.argument("folder", required=False, type=click.Path(path_type=Path, file_okay=False))
def show(folder: Path | None) -> None:
    """What the model in FOLDER, or else the shipped one, says of itself."""
    from advisor.cli import model as command

    command.show(folder)
