"""A live trial's document without the secrets of the user's metric command."""

from __future__ import annotations

from msgspec.structs import replace

from advisor.profile.redact import redact_command_line
from advisor.trial.live_document import LiveTrial
from advisor.trial.live_measures import METRIC, METRIC_PER_CPU


def without_secrets(made: LiveTrial) -> LiveTrial:
    """The command stands in the metric and in the description of what it measures."""
    metric = made.metric
    if metric is None:
        return made
    command = " ".join(redact_command_line(metric.command.split(" ")))
    measures = [
        replace(one, description=command) if one.id in (METRIC, METRIC_PER_CPU) else one for one in made.measures
    ]
    return replace(made, metric=replace(metric, command=command), measures=measures)
