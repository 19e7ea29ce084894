"""The distances and steps of a single trial."""

import pandas as pd

from repinf_core.figures.style import (
    ABSTRACT,
    CONCEPT,
    CONTROL,
    MEMORY,
    TIME_AXIS,
    WIDTH,
    Figure,
    set_time,
    styled,
)

_LINES = {
    "memory": {"color": MEMORY, "linestyle": "--", "label": "memory"},
    "abstract concept": {"color": ABSTRACT, "linestyle": ":", "label": "abstract concept"},
    "chord": {"color": CONTROL, "linewidth": 1, "label": "chord, to the concept"},
}
_OTHER = {"color": "0.75", "linewidth": 1}


@styled
def distances_and_lengths(curves: pd.DataFrame, lengths: pd.DataFrame) -> Figure:
    """Distances of z(t) against time, above the length of each step.

    Args:
        curves, lengths: of :class:`repinf_core.studies.one_trial.OneTrial`.
    """
    figure = Figure(figsize=(WIDTH, 6.4))
    upper, lower = figure.subplots(2, 1, sharex=True, height_ratios=(2, 1))
    named = "other concepts"
    for target, curve in curves[~curves.own].groupby("target", sort=False):
        line = _LINES.get(target)
        upper.plot(curve.t, curve.distance, **(line or _OTHER | {"label": named}))
        named = named if line else "_"
    own = curves[curves.own]
    upper.plot(own.t, own.distance, color=CONCEPT, linewidth=3, label="its concept")
    upper.set(ylabel="distance of z(t)", ylim=(0, None))
    figure.legend(*upper.get_legend_handles_labels(), loc="outside upper center", ncols=3)
    lower.plot(lengths.t, lengths.length, color="black")
    lower.set(ylabel="length of the step", yscale="log")
    steps = int(curves.t.max())
    set_time(lower, [t for t in (0, 5, 10, 20, 50, 100, 200, 500, 1000) if t <= steps])
    lower.set(xlabel=TIME_AXIS, xlim=(0, steps))
    return figure
