"""Figures that compare data sets (Suppl. D): labels that approach, distances, stages."""

import textwrap

import pandas as pd
import seaborn as sns
from matplotlib.axes import Axes

from repinf_core.figures.approach import distance_curve
from repinf_core.figures.style import ABSTRACT, CONCEPT, MEMORY, PAIR, WIDTH, Figure, styled

_LANDMARKS = {  # colour, marker, line, number of the stage in which it is nearest
    "memory": (MEMORY, "s", "--", "I"),
    "concept": (CONCEPT, "o", "-", "II"),
    "abstract concept": (ABSTRACT, "^", ":", "III"),
}


@styled
def counts_by_dataset(counts: pd.DataFrame) -> Figure:
    """Number of labels, of ten, whose mean curve approaches, by both readings, with the control.

    Args:
        counts: table of :class:`repinf_core.studies.fashion_mnist.FashionMNIST`.
    """
    of = counts.target.where(counts.metric == "Euclidean", counts.metric)
    asked = of + ",\n" + counts.reading
    columns = list(counts.assign(asked=asked).groupby("dataset", sort=False))
    figure = Figure(figsize=(WIDTH, 4.6))
    grid = figure.subplots(1, len(columns), sharex=True, sharey=True, squeeze=False)[0]
    for axes, (dataset, table) in zip(grid, columns, strict=True):
        sns.barplot(
            table, y="asked", x="labels", hue="reading", palette=list(PAIR), saturation=1,
            dodge=False, width=0.7, legend=False, ax=axes,
        )  # fmt: skip
        for bars in axes.containers:
            axes.bar_label(bars, padding=3, fontsize=12)
        axes.set_title(textwrap.fill(dataset, 14), loc="left", fontweight="bold")
        axes.set(xlabel="", ylabel="", xlim=(0, 12.5), xticks=(0, 5, 10))
    figure.supxlabel("labels of 10 whose mean curve approaches it", fontsize=13)
    return figure


@styled
def approach_by_dataset(curves: pd.DataFrame) -> Figure:
    """Fig. 3a with a column for each data set: mean distance to the concept, +-1 SEM.

    Args:
        curves: table of :class:`repinf_core.studies.fashion_mnist.FashionMNIST`.
    """
    columns = list(curves.groupby("dataset", sort=False))
    n_labels = max(table.label.nunique() for _, table in columns)
    figure = Figure(figsize=(WIDTH, 1.95 * n_labels + 0.9))
    grid = figure.subplots(n_labels, len(columns), sharex=True, squeeze=False)
    for column, (dataset, table) in zip(grid.T, columns, strict=True):
        for axes, (label, panel) in zip(column, table.groupby("label", sort=False), strict=True):
            distance_curve(axes, panel, CONCEPT)
            axes.set_title(label, loc="left", fontweight="bold")
            best = panel.loc[panel["mean"].idxmin()]
            axes.set_title(f"t = {best.t}", loc="right", fontsize=12)
        column[0].annotate(
            dataset, (0.5, 1.35), xycoords="axes fraction", ha="center", fontsize=14,
            annotation_clip=False,
        )  # fmt: skip
    figure.supxlabel("t (steps)", fontsize=13)
    figure.supylabel("distance to the concept", fontsize=13)
    handles, labels = grid.flat[0].get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside upper center", ncols=2, fontsize=12)
    return figure


@styled
def stages_by_dataset(closest: pd.DataFrame, stages: pd.DataFrame) -> Figure:
    """Fig. 4a for each data set: mean smallest distance to the landmarks, and the stages.

    Args:
        closest: table of :class:`repinf_core.studies.fashion_mnist.FashionMNIST`.
        stages: likewise.
    """
    panels = list(closest.groupby("dataset", sort=False))
    figure = Figure(figsize=(WIDTH, 3.4 * len(panels) + 0.6))
    grid = figure.subplots(len(panels), 1, sharex=True, squeeze=False)[:, 0]
    for axes, (dataset, panel) in zip(grid, panels, strict=True):
        _landmark_curves(axes, panel)
        _shade_stages(axes, stages[stages.dataset == dataset])
        axes.set_title(dataset, loc="left", fontweight="bold", pad=20)
        axes.set(xlabel="", ylabel="")
    figure.supxlabel("noise fraction p", fontsize=13)
    figure.supylabel("mean smallest distance over t", fontsize=13)
    figure.legend(
        *grid[0].get_legend_handles_labels(), loc="outside upper center", ncols=3, fontsize=12
    )
    return figure


def _landmark_curves(axes: Axes, panel: pd.DataFrame) -> None:
    for landmark, (colour, marker, line, _) in _LANDMARKS.items():
        of_landmark = panel[panel.landmark == landmark]
        axes.errorbar(
            of_landmark.p, of_landmark["mean"], of_landmark.two_sem, color=colour, marker=marker,
            markersize=5, linestyle=line, linewidth=1.5, capsize=3, label=landmark,
        )  # fmt: skip


def _shade_stages(axes: Axes, stages: pd.DataFrame) -> None:
    for stage in stages.itertuples():
        colour, *_, number = _LANDMARKS[stage.nearest]
        axes.axvspan(stage.start, stage.stop, color=colour, alpha=0.10, linewidth=0)
        if stage.start > stages.start.min():  # in grey the shadings look alike
            axes.axvline(stage.start, color="black", linewidth=0.8)
        axes.text(
            (stage.start + stage.stop) / 2, 1.0, number, ha="center", va="bottom",
            transform=axes.get_xaxis_transform(), fontweight="bold",
        )  # fmt: skip
