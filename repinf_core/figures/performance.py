"""Figures of speed: bars of ratios to other programs, with the range of the repeats."""

import pandas as pd
import seaborn as sns
from matplotlib.axes import Axes

from repinf_core.figures.style import PAIR, WIDTH, Figure, styled


@styled
def training_ratios(epochs: pd.DataFrame) -> Figure:
    """Time of a training epoch for every contestant, relative to ours in float32.

    Args:
        epochs: table of :class:`repinf_core.studies.performance.Performance`.
    """
    figure = Figure(figsize=(WIDTH, 4.8))
    axes = figure.subplots()
    order = epochs.groupby("contestant").ratio.median().sort_values(ascending=False).index
    _bars(axes, epochs, "ratio", "contestant", "precision", list(order))
    axes.axvline(1, color="black", linewidth=1, linestyle=":")
    axes.set(xlabel="time of an epoch, ours in float32 = 1", ylabel="")
    _legend(figure, axes)
    return figure


@styled
def inference_shares(rollouts: pd.DataFrame) -> Figure:
    """Speed of repeated inference relative to the machine's product rate, by number of trials.

    Args:
        rollouts: table of :class:`repinf_core.studies.performance.Performance`.
    """
    sizes = list(rollouts.groupby("trials"))
    figure = Figure(figsize=(WIDTH, 2.1 * len(sizes) + 0.9))
    panels = figure.subplots(len(sizes), 1, sharex=True, squeeze=False)[:, 0]
    for axes, (trials, of_size) in zip(panels, sizes, strict=True):
        _bars(axes, of_size, "share", "contestant", "library", list(of_size.contestant.unique()))
        axes.axvline(1, color="black", linewidth=1, linestyle=":")
        axes.set_title(f"{trials:,} trials", loc="left", fontweight="bold")
        axes.set(xlabel="", ylabel="")
    panels[-1].set_xlabel("share of the library's product rate")
    _legend(figure, panels[0])
    return figure


@styled
def neighbour_ratios(neighbours: pd.DataFrame) -> Figure:
    """Time of a training beside a busy neighbour, by how long the waiting threads spin.

    Args:
        neighbours: table of :class:`repinf_core.studies.performance.Performance`.
    """
    figure = Figure(figsize=(WIDTH, 3.6))
    axes = figure.subplots()
    _bars(axes, neighbours, "ratio", "turns", "beside", list(neighbours.turns.unique()))
    axes.axvline(1, color="black", linewidth=1, linestyle=":")
    axes.set(xlabel="time of a training, ours alone = 1", ylabel="turns of a waiting thread")
    _legend(figure, axes)
    return figure


def _bars(
    axes: Axes, table: pd.DataFrame, value: str, name: str, hue: str, order: list[str]
) -> None:
    """Draw the medians of the repeats, with a line from the smallest to the largest value."""
    sns.barplot(
        table, x=value, y=name, hue=hue, order=order, estimator="median",
        errorbar=("pi", 100), palette=list(PAIR), saturation=1, err_kws={"linewidth": 1.2}, ax=axes,
    )  # fmt: skip
    axes.get_legend().remove()


def _legend(figure: Figure, axes: Axes) -> None:
    figure.legend(
        *axes.get_legend_handles_labels(), loc="outside upper center", ncols=2, fontsize=12
    )
