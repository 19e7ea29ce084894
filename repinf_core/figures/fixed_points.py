"""Where trajectories end, how the step map acts there, and saddles near concepts (chapter 20)."""

from collections.abc import Mapping

import numpy as np
import pandas as pd
import seaborn as sns
from matplotlib.ticker import NullLocator

from repinf_core.figures.style import (
    ABSTRACT,
    CONCEPT,
    CONTROL,
    MEMORY,
    PAIR,
    WIDTH,
    Figure,
    show_image,
    styled,
)

_TARGETS = {
    "own_memory": "own memory",
    "nearest_memory": "nearest memory",
    "random_memory": "random memory of its label",
    "own_concept": "own concept",
    "nearest_concept": "nearest concept",
    "random_concept": "random other concept",
    "memory_to_next": "memory to next memory",
}
_CENTRES = {
    "concept": CONCEPT,
    "random memory": MEMORY,
    "prior point": CONTROL,
    "prior point, one step on": PAIR[1],
    "midpoint": ABSTRACT,
}


def _medians(
    rows: pd.DataFrame, y: str, hue: str, label: str, height: float, line: float | None = None
) -> Figure:
    """The median of ``value`` for each ``y`` and ``hue``, with a bar from 5% to 95%.

    Args:
        rows: a row for each observation.
        y: column of the categories, a line each.
        hue: column of the two groups that are told apart.
        label: of the horizontal axis.
        height: of the figure, in inches.
        line: where a dashed vertical line helps to compare, if anywhere.
    """
    figure = Figure(figsize=(WIDTH, height))
    axes = figure.subplots()
    sns.pointplot(
        rows, y=y, x="value", hue=hue, ax=axes, palette=[*PAIR], estimator="median",
        errorbar=("pi", 90), linestyle="none", dodge=0.35, markers=["o", "s"], markersize=7,
    )  # fmt: skip
    if line is not None:
        axes.axvline(line, color=CONTROL, linestyle="--", linewidth=1.5)
    axes.set(xlabel=label, ylabel="")
    axes.legend(title="", loc="lower center", bbox_to_anchor=(0.4, 1), ncols=2, fontsize=12)
    return figure


def _long(table: pd.DataFrame, names: Mapping[str, str]) -> pd.DataFrame:
    """Columns of a table below each other: ``where``, ``of`` (the column's name), ``value``."""
    values = table.melt("where", [*names], var_name="of")
    return values.assign(of=values.of.map(names))


@styled
def end_distances(ends: pd.DataFrame) -> Figure:
    """Distances from the ends of trajectories to memories and concepts.

    Args:
        ends: of :class:`repinf_core.studies.fixed_points.FixedPoints`.
    """
    far = ends.melt("start", [*_TARGETS], var_name="target")
    far["target"] = far.target.map(_TARGETS)
    far["start"] = far.start.map("from {} images".format)
    figure = _medians(far, "target", "start", "distance (Euclidean, in latent space)", 5.2)
    figure.axes[0].set_xlim(left=0)
    return figure


@styled
def still_moving(settling: pd.DataFrame) -> Figure:
    """The share of trajectories that still move, against time.

    Args:
        settling: of :class:`repinf_core.studies.fixed_points.FixedPoints`.
    """
    figure = Figure(figsize=(WIDTH, 3.2))
    axes = figure.subplots()
    sns.lineplot(settling, x="t", y="moving", ax=axes, color=CONTROL, marker="o", markersize=8)
    for t, moving in zip(settling.t, settling.moving, strict=True):
        axes.annotate(
            f"{moving:.1%}", (t, moving), (7, 4), textcoords="offset points", fontsize=12,
        )  # fmt: skip
    axes.set(xscale="log", xlabel="t (steps)", ylabel="share still moving", ylim=(0, 1.15))
    axes.set_xticks(settling.t, [f"{t:,}" for t in settling.t])
    axes.xaxis.set_minor_locator(NullLocator())
    axes.margins(x=0.12)
    axes.yaxis.set_major_formatter("{x:.0%}")
    axes.set_yticks([0, 0.5, 1])
    return figure


@styled
def largest_basins(fixed_points: pd.DataFrame, images: np.ndarray) -> Figure:
    """Images that the fixed points with the largest basins generate, each with its share.

    Args:
        fixed_points: of :class:`repinf_core.studies.fixed_points.FixedPoints`.
        images: images of the first n of them, ``[n, 784]``.
    """
    columns = 5
    rows = max(1, -(-len(images) // columns))
    figure = Figure(figsize=(WIDTH, rows * 1.75))
    grid = figure.subplots(rows, columns, squeeze=False)
    for axes in grid.flat[len(images) :]:
        axes.axis("off")
    if not len(images):
        grid[0, 0].text(0, 0.5, "no trajectory comes to rest", transform=grid[0, 0].transAxes)
    for axes, image, point in zip(grid.flat, images, fixed_points.itertuples(), strict=False):
        show_image(axes, image, f"{point.share:.1%}")
        axes.set_xlabel(point.label, fontsize=12)
    return figure


@styled
def spectra_by_place(spectra: pd.DataFrame) -> Figure:
    """Spectral radius and largest singular value of a step, at fixed points and elsewhere.

    Args:
        spectra: of :class:`repinf_core.studies.fixed_points.FixedPoints`.
    """
    factors = _long(spectra, {"radius": "spectral radius", "stretch": "largest singular value"})
    return _medians(factors, "where", "of", "factor per step (dashed: 1)", 4.4, line=1)


@styled
def saddles_by_trajectories(by_trajectories: pd.DataFrame) -> Figure:
    """The number of labels with a saddle near each centre, as more trajectories are searched from.

    Args:
        by_trajectories: of :class:`repinf_core.studies.fixed_points.FixedPoints`.
    """
    figure = Figure(figsize=(WIDTH, 4.2))
    axes = figure.subplots()
    sns.pointplot(
        by_trajectories, x="trajectories", y="labels", hue="centre", palette=_CENTRES,
        markers=["o", "s", "^", "D", "v"], markersize=7, linewidth=1.8, ax=axes,
    )  # fmt: skip
    axes.set(
        xlabel="trajectories of each label searched from",
        ylabel="labels of 10 with a saddle",
        ylim=(-0.4, 10.4),
    )
    axes.set_yticks(range(0, 11, 2))
    axes.legend(title="", loc="lower center", bbox_to_anchor=(0.45, 1), ncols=2, fontsize=12)
    return figure


@styled
def step_along_score(score: pd.DataFrame) -> Figure:
    """The cosine of a step with the score where it is taken, and with the score elsewhere.

    Args:
        score: of :class:`repinf_core.studies.fixed_points.FixedPoints`.
    """
    cosines = _long(score, {"cosine": "score there", "elsewhere": "score at another point"})
    figure = _medians(cosines, "where", "of", "cosine with the step f(z) - z", 4.6, line=0)
    figure.axes[0].set_xlim(-1.05, 1.05)
    return figure


@styled
def label_against_noise(kept: pd.DataFrame) -> Figure:
    """How often the nearest concept is of the image's own label, first and last, against p.

    Args:
        kept: of :class:`repinf_core.studies.fixed_points.FixedPoints`.
    """
    steps = kept.assign(t=kept.t.map("t = {}".format))
    figure = Figure(figsize=(WIDTH, 3.4))
    axes = figure.subplots()
    sns.lineplot(
        steps, x="p", y="kept", hue="t", style="t", markers=["o", "s"], dashes=["", (3, 1.5)],
        palette=[CONTROL, CONCEPT], markersize=7, ax=axes,
    )  # fmt: skip
    axes.axhline(0.1, color=CONTROL, linestyle=":", linewidth=1.5)
    axes.set(xlabel="noise fraction p (dotted: chance)", ylabel="label kept", ylim=(0, 1.05))
    axes.yaxis.set_major_formatter("{x:.0%}")
    axes.set_yticks([0, 0.5, 1])
    axes.legend(title="", fontsize=12)
    return figure
