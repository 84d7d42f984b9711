"""`model train | evaluate | show`: the gain model from its data, how good it is, and what it holds."""

from __future__ import annotations

import hashlib
import sys
from collections.abc import Sequence
from pathlib import Path

import click

from advisor.cli.errors import CommandError, ExitCode
from advisor.cli.output import write_output
from advisor.cli.talk import say
from advisor.predictor.facts import ModelError, ModelFacts
from advisor.predictor.store import FACTS, FORESTS, load_predictor, models_folder, save_model
from advisor.render.escape import visible_lines
from advisor.training.dataset import DatasetError, read_all
from advisor.training.learn import Learnt, TrainingError, learn, trained_on
from advisor.training.rows import Table, table_of
from advisor.training.settings import SHIPPED

DATA_PATTERN = "measurements*.jsonl.zst"
"""Data sets that are taken where none is named, in the models folder."""

READ_BYTES = 1 << 20


def train(data: Sequence[Path], output: Path | None) -> None:
    """Learn the model from the data and write it; say what was used."""
    folder = output or models_folder()
    files = _files(data)
    table = _table(files)
    learnt = _learn(table)
    used = trained_on(table, [path.name for path in files], _hash_of(files))
    facts = save_model(folder, learnt.facts(used), learnt.forests.forests, learnt.reference)
    for line in table.left_out:
        say(f"left out: {line}")
    click.echo(visible_lines("\n".join(_summary(facts))))
    say(f"{folder / FORESTS}: {(folder / FORESTS).stat().st_size} bytes")


def evaluate(data: Sequence[Path], card: Path | None, chart: Path | None, folds: int) -> None:
    """Print the honest tables; write the model card and the chart where asked."""
    from advisor.training.card import card as make_card
    from advisor.training.chart import points_of, svg_chart
    from advisor.training.evaluate import evaluate as make_evaluation
    from advisor.training.tables import evaluation_lines

    files = _files(data)
    table = _table(files)
    used = trained_on(table, [path.name for path in files], _hash_of(files))
    try:
        evaluation = make_evaluation(table, used, SHIPPED, _report_progress, folds)
    except TrainingError as error:
        raise CommandError(f"{_names(files)}: {error}", ExitCode.UNUSABLE) from error
    click.echo(visible_lines("\n".join(evaluation_lines(evaluation))))
    if card is not None:
        write_output(make_card(_learn(table).facts(used), evaluation), card)
    if chart is not None:
        write_output(svg_chart(points_of(evaluation.scores)), chart)


def show(folder: Path | None) -> None:
    """What the model file says of itself. Raises CommandError where there is none, or one that cannot be used."""
    where = folder or models_folder()
    try:
        predictor = load_predictor(where)
    except ModelError as error:
        raise CommandError(str(error), ExitCode.UNUSABLE) from error
    if predictor is None:
        raise CommandError(
            f"{where / FACTS}: there is no model; `hugepage-advisor model train` makes one", ExitCode.UNUSABLE
        )
    click.echo(visible_lines("\n".join(_summary(predictor.facts))))


def _files(data: Sequence[Path]) -> list[Path]:
    """The data sets named, or those beside the model."""
    found = list(data) or sorted(models_folder().glob(DATA_PATTERN))
    if not found:
        raise CommandError(
            f"{models_folder()}: holds no {DATA_PATTERN}; name a data set with --data", ExitCode.UNUSABLE
        )
    return found


def _table(files: Sequence[Path]) -> Table:
    try:
        return table_of(read_all(files))
    except DatasetError as error:
        raise CommandError(str(error), ExitCode.UNUSABLE) from error


def _learn(table: Table) -> Learnt:
    try:
        return learn(table, SHIPPED)
    except TrainingError as error:
        raise CommandError(f"not enough data: {error}", ExitCode.UNUSABLE) from error


def _hash_of(files: Sequence[Path]) -> str:
    """SHA-256 of the files one after another."""
    digest = hashlib.sha256()
    for path in files:
        with path.open("rb") as file:
            while chunk := file.read(READ_BYTES):
                digest.update(chunk)
    return digest.hexdigest()


def _names(files: Sequence[Path]) -> str:
    return ", ".join(str(path) for path in files)


def _report_progress(done: int, of: int) -> None:
    """A line that rewrites itself, on a terminal only."""
    if sys.stderr.isatty():
        click.echo(f"\r{done} of {of} families held out ", err=True, nl=done == of)


def _summary(facts: ModelFacts) -> list[str]:
    data, thresholds, domain = facts.trained_on, facts.thresholds, facts.domain
    versions = ", ".join(f"{name} {version}" for name, version in sorted(facts.versions.items()))
    lines = [
        f"schema       {facts.schema}, inputs version {facts.inputs_version}, {versions}",
        f"data         {', '.join(data.files)} (sha256 {data.sha256[:12]}), newest {data.newest}",
        f"             {data.families} families, {data.configurations} configurations, {data.rows} rows",
        f"settings     {', '.join(f'{name} {value}' for name, value in sorted(facts.settings.items()))}",
        f"inputs       {', '.join(facts.inputs)}",
    ]
    for output, calibration in facts.calibrations.items():
        lines.append(
            f"{output:<12} measured on {calibration.rows} configurations, {facts.level:.0%} interval: median "
            f"{calibration.low:+.2f} to {calibration.high:+.2f} x ({calibration.floor:g} + spread of the trees)"
        )
    return [
        *lines,
        f"worth it     from {thresholds.least_gain:.0%}, caution {thresholds.caution:g}, 2M pool "
        f"{thresholds.pool_margin:.0%} above THP, 1G pool {thresholds.gigantic_margin:.0%} above 2M",
        f"abstains     beyond distance {domain.farthest:.2f}, or where unknown: "
        f"{', '.join(name for name in domain.columns if name not in domain.may_be_unknown)}",
    ]
