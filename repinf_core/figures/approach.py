"""Figures of the mean distance to the targets over time (Fig. 3, Suppl. C), and of approaches."""

from collections.abc import Iterable

import pandas as pd
import seaborn as sns
from matplotlib.axes import Axes
from matplotlib.ticker import MaxNLocator

from repinf_core.figures.style import (
    ABSTRACT,
    CONCEPT,
    CONTROL,
    MEMORY,
    WIDTH,
    Figure,
    leave_empty,
    styled,
)

_COLOURS = {
    "concept": CONCEPT,
    "Mahalanobis": CONCEPT,
    "memory": MEMORY,
    "wrong concept": ABSTRACT,
}
_AXIS = {"Mahalanobis": "Mahalanobis distance to the concept"}


@styled
def approach_panels(curves: pd.DataFrame, target: str) -> Figure:
    """Fig. 3, Suppl. C: mean distance over time, a panel for each label, with +-1 SEM.

    Args:
        curves: table of :class:`repinf_core.studies.cluster_centers.ClusterCenters`.
        target: one of its targets.
    """
    of_target = curves[curves.target == target]
    return distance_curves(
        of_target.groupby("label", sort=False),
        _COLOURS[target],
        _AXIS.get(target, f"distance to the {target}"),
    )


def distance_curves(panels: Iterable[tuple[str, pd.DataFrame]], colour: str, ylabel: str) -> Figure:
    """A panel for each title, drawn by :func:`distance_curve`, with one legend for all.

    Args:
        panels: ``(title, rows)`` each, with the rows of :func:`distance_curve`.
        colour: colour of the curves.
        ylabel: label of the distance axis.
    """
    panels = list(panels)
    rows = -(-len(panels) // 2)
    figure = Figure(figsize=(WIDTH, 1.95 * rows + 0.7))
    grid = figure.subplots(rows, 2, sharex=True)
    for axes, (title, panel) in zip(grid.flat, panels, strict=False):
        distance_curve(axes, panel, colour)
        axes.set_title(title, loc="left", fontweight="bold")
        best = panel.loc[panel["mean"].idxmin()]
        axes.set_title(f"minimum at t = {int(best.t)}", loc="right", fontsize=12)
    leave_empty(grid, len(panels))
    figure.supxlabel("t (steps)", fontsize=13)
    figure.supylabel(ylabel, fontsize=13)
    handles, labels = grid.flat[0].get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside upper center", ncols=2, fontsize=12)
    return figure


def distance_curve(axes: Axes, panel: pd.DataFrame, colour: str) -> None:
    """Draw a mean distance with its +-1 SEM band and its chord, and the minimum of both.

    Args:
        axes: axes to draw on.
        panel: rows of one label, with ``t``, ``mean``, ``sem`` and ``chord``.
        colour: colour of the mean.
    """
    sns.lineplot(
        panel,
        x="t",
        y="chord",
        ax=axes,
        color=CONTROL,
        linestyle="--",
        label="chord",
        errorbar=None,
    )
    mean, sem = panel["mean"], panel["sem"]
    axes.fill_between(panel.t, mean - sem, mean + sem, color=colour, alpha=0.3, linewidth=0)
    sns.lineplot(
        panel, x="t", y="mean", ax=axes, color=colour, label="z(t), mean ±1 SEM", errorbar=None
    )
    for curve, face, words in (("chord", "white", "chord"), ("mean", "black", "mean")):
        best = panel.loc[panel[curve].idxmin()]
        edge = CONTROL if curve == "chord" else "black"
        axes.plot(
            best.t, best[curve], "o", color=edge, markerfacecolor=face, markersize=7,
            label=f"minimum of the {words}",
        )  # fmt: skip
    axes.get_legend().remove()
    axes.set(xlabel="", ylabel="")
    axes.yaxis.set_major_locator(MaxNLocator(4))
    axes.margins(y=0.1)


@styled
def approach_counts(targets: pd.DataFrame) -> Figure:
    """Number of labels, of ten, whose mean curve approaches each target, by both criteria.

    Args:
        targets: table of :class:`repinf_core.studies.cluster_centers.ClusterCenters`.
    """
    names = {"whole_chord": "below the whole chord", "same_time": "below the chord at the same t"}
    counts = targets.melt("target", [*names], var_name="criterion", value_name="labels")
    counts["criterion"] = counts.criterion.map(names)
    figure = Figure(figsize=(WIDTH, 3.4))
    axes = figure.subplots()
    sns.barplot(
        counts, y="target", x="labels", hue="criterion", palette=[CONCEPT, "#9CC9E3"], ax=axes
    )
    for bars in axes.containers:
        axes.bar_label(bars, padding=3, fontsize=12)
    axes.set(xlabel="labels of 10 whose mean curve approaches it", ylabel="", xlim=(0, 10.9))
    axes.legend(title="", loc="upper center", bbox_to_anchor=(0.4, 1.25), ncols=1, fontsize=12)
    return figure
