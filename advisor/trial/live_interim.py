"""What can be said of a live trial while it runs, at a cost that disturbs no window."""

from __future__ import annotations

from statistics import fmean

from advisor.trial.live import Progress
from advisor.trial.live_document import LiveMetric, Measure, Response, SoFar
from advisor.trial.live_measures import judged, measures_of, response_of, values_of


class Interim:
    """Follows one trial, progress by progress.

    The measure is settled at dose 0, as the trial itself does it. An interval takes milliseconds of CPU and more with
    many windows: it is made once a dose, when its last window is taken, and of that measure alone.
    """

    def __init__(self, metric: LiveMetric | None, windows_per_dose: int) -> None:
        self._metric = metric
        self._windows_per_dose = windows_per_dose
        self._measure: Measure | None = None
        self._responses: dict[float, Response] = {}

    def see(self, progress: Progress) -> SoFar:
        """What is known as of this progress."""
        taken = progress.taken
        if progress.dose == 0.0:
            self._measure = judged(measures_of(taken, self._metric)) if taken else None
        measure = self._measure
        if measure is not None and progress.windows == self._windows_per_dose:
            response = response_of(measure, progress.dose, taken)
            if response is not None:
                self._responses[progress.dose] = response
        return SoFar(
            dose=progress.dose,
            windows=progress.windows,
            asked_slots=progress.asked_slots,
            collapsed_slots=progress.collapsed_slots,
            filled_bytes=progress.filled_bytes,
            collapse_s=progress.collapse_s,
            window_wall_s=fmean(window.wall_s for window in taken) if taken else None,
            measure=measure.id if measure else None,
            unit=measure.unit if measure else "",
            better=measure.better if measure else "higher",
            values=[(window.dose, value) for window, value in values_of(measure.id, taken)] if measure else [],
            responses=list(self._responses.values()),
        )
