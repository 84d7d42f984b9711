"""A live trial's document without the secrets of the user's metric command."""

from __future__ import annotations

from msgspec.structs import replace

from advisor.profile.redact import redact_command_line, redact_name
from advisor.trial.live_document import LiveTrial
from advisor.trial.live_measures import METRIC, METRIC_PER_CPU


def without_secrets(made: LiveTrial) -> LiveTrial:
    """The command stands in the metric and in the description of what it measures; a process names itself."""
    made = replace(made, name=redact_name(made.name))
    metric = made.metric
    if metric is None:
        return made
    command = redact_command_line([metric.command])[0]
    measures = [
        replace(one, description=command) if one.id in (METRIC, METRIC_PER_CPU) else one for one in made.measures
    ]
    return replace(made, metric=replace(metric, command=command), measures=measures)
