"""Familiar and unfamiliar inputs: how scores tell them apart, and how their trajectories move."""

from collections.abc import Iterable, Mapping, Sequence

import numpy as np
import pandas as pd
import seaborn as sns
from matplotlib.axes import Axes

from repinf_core.figures.images import sample_rows
from repinf_core.figures.style import CONTROL, TEST, TIME_AXIS, WIDTH, Figure, set_time, styled
from repinf_core.studies.familiarity import PLAIN, QUANTITIES, SCORES

_KINDS = {
    "test": {"color": TEST, "linestyle": "-", "linewidth": 3},
    "training": {"color": "#BDBDBD", "linestyle": "-"},
    "other data set": {"color": "#E69F00", "linestyle": "--"},
    "quarter turn": {"color": "#56B4E9", "linestyle": "-."},
    "uniform noise": {"color": "#882255", "linestyle": ":"},
    "blank": {"color": "black", "linestyle": (0, (1, 3))},
}


@styled
def separation_by_score(separations: pd.DataFrame) -> Figure:
    """AUROC against test images of every score, with its interval: a row of panels for each kind.

    Args:
        separations: of :class:`repinf_core.studies.unfamiliar_inputs.UnfamiliarInputs`.
    """
    kinds = separations.kind.unique()
    networks = separations.network.unique()
    figure = Figure(figsize=(WIDTH, 2.05 * len(kinds) + 0.7))
    grid = figure.subplots(len(kinds), len(networks), sharex=True, sharey=True, squeeze=False)
    for kind, line in zip(kinds, grid, strict=True):
        for network, axes in zip(networks, line, strict=True):
            here = (separations.kind == kind) & (separations.network == network)
            _score_dots(axes, separations[here].set_index("score").loc[[*SCORES]])
            axes.set_title(kind, loc="left", fontweight="bold")
    grid[0, 0].invert_yaxis()
    grid[0, 0].set(xlim=(-0.04, 1.04), xticks=(0, 0.5, 1))
    for network, axes in zip(networks, grid[0], strict=True):
        axes.annotate(
            f"network of {network}", (0.5, 1.24), xycoords="axes fraction", ha="center",
            annotation_clip=False, fontsize=12,
        )  # fmt: skip
    figure.supxlabel("AUROC against test images", fontsize=13)
    return figure


def _score_dots(axes: Axes, rows: pd.DataFrame) -> None:
    axes.axvline(0.5, color=CONTROL, linewidth=1)
    for place, (score, row) in enumerate(rows.iterrows()):
        plain = score == PLAIN
        axes.errorbar(
            row.auroc, place, xerr=[[row.auroc - row.low], [row.high - row.auroc]],
            fmt="s" if plain else "o", markerfacecolor="white" if plain else "black",
            color="black", markersize=7, capsize=3, linewidth=1.5, clip_on=False,
        )  # fmt: skip
    axes.set_yticks(range(len(rows)), [SCORES[score] for score in rows.index], fontsize=11)
    axes.grid(axis="y", color="0.9", linewidth=0.8)


@styled
def steps_by_kind(curves: pd.DataFrame) -> Figure:
    """The length of every step, median and quartiles over inputs: a panel for each network.

    Args:
        curves: of :class:`repinf_core.studies.unfamiliar_inputs.UnfamiliarInputs`.
    """
    steps = curves[curves.quantity == QUANTITIES[0]]
    panels = list(steps.groupby("network", sort=False))
    figure = Figure(figsize=(WIDTH, 3.3 * len(panels) + 0.9))
    grid = figure.subplots(len(panels), 1, sharex=True, squeeze=False)[:, 0]
    for axes, (network, panel) in zip(grid, panels, strict=True):
        for kind, rows in panel.groupby("kind", sort=False):
            colour = _KINDS[kind]["color"]
            axes.fill_between(rows.t, rows.lower, rows.upper, color=colour, alpha=0.2, linewidth=0)
            _curve(axes, rows, "median", kind)
        axes.set_yscale("log")
        axes.set_title(f"network of {network}", loc="left", fontweight="bold")
    time_axis(figure, grid, steps.t.max())
    figure.supylabel("length of the step from z(t) to z(t+1)", fontsize=13)
    return figure


@styled
def separation_by_time(curves: pd.DataFrame) -> Figure:
    """AUROC against test images at every t: a row for each quantity, a column for each network.

    Args:
        curves: of :class:`repinf_core.studies.unfamiliar_inputs.UnfamiliarInputs`.
    """
    told = curves[curves.kind != "test"]
    networks = told.network.unique()
    figure = Figure(figsize=(WIDTH, 2.4 * len(QUANTITIES) + 1.3))
    grid = figure.subplots(len(QUANTITIES), len(networks), sharex=True, sharey=True, squeeze=False)
    for quantity, line in zip(QUANTITIES, grid, strict=True):
        for network, axes in zip(networks, line, strict=True):
            here = told[(told.quantity == quantity) & (told.network == network)]
            axes.axhline(0.5, color=CONTROL, linewidth=1)
            for kind, rows in here.groupby("kind", sort=False):
                _curve(axes, rows, "auroc", kind)
        line[0].set_title(quantity, loc="left", fontweight="bold")
    for network, axes in zip(networks, grid[0], strict=True):
        axes.annotate(
            f"network of {network}", (0.5, 1.2), xycoords="axes fraction", ha="center",
            annotation_clip=False, fontsize=12,
        )  # fmt: skip
    grid[0, 0].set(ylim=(-0.04, 1.04), yticks=(0, 0.5, 1))
    time_axis(figure, grid.flat, told.t.max())
    figure.supylabel("AUROC against test images", fontsize=13)
    return figure


@styled
def samples_by_network(
    samples: Mapping[str, Mapping[str, np.ndarray]], times: Sequence[int]
) -> Figure:
    """x(t) of one input of each kind at chosen times, a block of rows for each network.

    Args:
        samples: of :class:`repinf_core.studies.unfamiliar_inputs.UnfamiliarInputs`.
        times: of the columns, likewise.
    """
    heights = [len(rows) * (WIDTH - 1.3) / len(times) + 0.7 for rows in samples.values()]
    figure = Figure(figsize=(WIDTH, sum(heights)))
    parts = figure.subfigures(len(samples), 1, squeeze=False, height_ratios=heights)[:, 0]
    for part, (network, rows) in zip(parts, samples.items(), strict=True):
        part.suptitle(f"network of {network}", fontsize=13, fontweight="bold")
        sample_rows(part, rows, times)
    return figure


def _curve(axes: Axes, rows: pd.DataFrame, y: str, kind: str) -> None:
    sns.lineplot(rows, x="t", y=y, errorbar=None, ax=axes, label=kind, legend=False, **_KINDS[kind])
    axes.set(xlabel="", ylabel="")


def time_axis(figure: Figure, grid: Iterable[Axes], last: int, columns: int = 3) -> None:
    """Label the time axes t = 0 ... ``last``, and give them one legend of ``columns``."""
    for axes in grid:
        set_time(axes, [t for t in (0, 5, 10, 30, 100) if t <= 1.05 * last])
        axes.set_xlim(-0.3, 1.05 * last)
    figure.supxlabel(TIME_AXIS, fontsize=13)
    handles, labels = axes.get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside upper center", ncols=columns, fontsize=12)
