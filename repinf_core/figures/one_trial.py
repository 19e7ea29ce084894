"""The distances and steps of a single trial."""

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.ticker import NullLocator

from repinf_core.figures.style import ABSTRACT, CONCEPT, CONTROL, MEMORY, WIDTH, Figure, styled

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
    _set_time(lower, int(curves.t.max()))
    return figure


def _set_time(axes: Axes, steps: int) -> None:
    """A time axis that is logarithmic from t = 10 on: most changes happen before."""
    axes.set_xscale("symlog", linthresh=10, linscale=1)
    axes.set_xticks([t for t in (0, 5, 10, 20, 50, 100, 200, 500, 1000) if t <= steps])
    axes.xaxis.set_major_formatter("{x:g}")
    axes.xaxis.set_minor_locator(NullLocator())
    axes.set(xlabel="t (steps, logarithmic from 10 on)", xlim=(0, steps))
