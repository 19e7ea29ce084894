"""Figures of the latent dimension: concepts, their cosines, components, all against N_z."""

import itertools

import numpy as np
import pandas as pd
import seaborn as sns
from matplotlib.axes import Axes
from matplotlib.collections import QuadMesh
from matplotlib.ticker import MaxNLocator

from repinf_core.figures.approach import distance_curve, distance_curves
from repinf_core.figures.style import (
    ABSTRACT,
    CONCEPT,
    CONTROL,
    MEMORY,
    SIGNED,
    WIDTH,
    Figure,
    styled,
)

_STAGES = {  # number: colour, hatching; told apart in grey too
    "I": (MEMORY, ""),
    "II": (CONCEPT, "//"),
    "III": (ABSTRACT, ".."),
}


def _heat_map(axes: Axes, values: pd.DataFrame, limit: float) -> QuadMesh:
    """Signed values as coloured cells, each centred half a unit from its corner."""
    sns.heatmap(
        values, ax=axes, cmap=SIGNED, vmin=-limit, vmax=limit, cbar=False, xticklabels=False,
        yticklabels=False,
    )  # fmt: skip
    return axes.collections[0]


def _ink(cells: QuadMesh) -> np.ndarray:
    """Black or white for each cell, whichever stands out more from its colour."""
    colours = cells.to_rgba(cells.get_array())[..., :3]
    luminance = colours**2.2 @ (0.2126, 0.7152, 0.0722)
    return np.where(luminance < 0.18, "white", "black")


def _dashes(cells: QuadMesh, below: float, length: float) -> None:
    """A dash, ``length`` points long, on each cell less than ``below``: read without colour."""
    marked = np.asarray(cells.get_array()) < below
    rows, columns = np.nonzero(marked)
    cells.axes.scatter(
        columns + 0.5, rows + 0.5, marker="_", s=length**2, color=_ink(cells)[marked],
        linewidths=1.6,
    )  # fmt: skip


@styled
def concepts_by_latent(concepts: pd.DataFrame, latents: pd.DataFrame, threshold: float) -> Figure:
    """Fig. 7a: the concepts as a heat map, over the variance of the memories along each latent.

    Args:
        concepts: of :class:`repinf_core.studies.latent_dimension.LatentDimension`.
        latents: likewise.
        threshold: variance above which a latent is active.
    """
    names = concepts.label.unique()
    values = concepts.pivot(index="label", columns="latent", values="concept").loc[names]
    figure = Figure(figsize=(WIDTH, 6.4))
    top, bottom = figure.subplots(2, 1, sharex=True, height_ratios=(1.9, 1))
    limit = float(values.abs().max(axis=None))
    cells = _heat_map(top, values, limit)
    below = float(f"{-0.1 * limit:.2g}")  # the many values near zero are of either sign
    _dashes(cells, below, np.clip(0.7 * 72 * 5.4 / len(latents), 3.5, 10))
    label = f"concept (a dash: below −{-below:g})"
    figure.colorbar(cells, ax=top, location="top", label=label, aspect=40)
    top.set_yticks(np.arange(len(names)) + 0.5, names, fontsize=12, rotation=0)
    top.set(xlabel="", ylabel="label")
    _variances(bottom, latents, threshold)
    figure.legend(loc="outside lower center", ncols=2, fontsize=12)
    return figure


def _variances(axes: Axes, latents: pd.DataFrame, threshold: float) -> None:
    shown = latents.variance.clip(lower=1e-9)  # a logarithm has no place for a dead latent's zero
    place, active = latents.latent + 0.5, latents.active
    axes.plot(place[active], shown[active], "o", color=CONCEPT, clip_on=False, label="active")
    axes.plot(
        place[~active], shown[~active], "o", color=CONTROL, markerfacecolor="white",
        markersize=4, clip_on=False, label="inactive",
    )  # fmt: skip
    for points in axes.lines:  # without any, the layout would leave room down to the corner
        points.set_in_layout(False)
    axes.axhline(threshold, color="black", linestyle="--", linewidth=1)
    axes.set(yscale="log", ylabel="variance", xlabel="index of the latent variable")
    axes.set_ylim(min(shown.min(), threshold / 10) / 2, max(shown.max(), threshold * 10) * 2)
    numbered = MaxNLocator(integer=True, min_n_ticks=1).tick_values(0, len(latents) - 1)
    numbered = numbered[(numbered >= 0) & (numbered < len(latents))].astype(int)
    axes.set_xticks(numbered + 0.5, numbered)


@styled
def contribution(components: pd.DataFrame, latents: pd.DataFrame) -> Figure:
    """Fig. 7b: cumulative contribution ratio of the principal components of the memories.

    Args:
        components: of :class:`repinf_core.studies.latent_dimension.LatentDimension`.
        latents: likewise; the number of active ones is marked.
    """
    needed = int((components.cumulative < 0.7).sum()) + 1
    active = int(latents.active.sum())
    figure = Figure(figsize=(WIDTH, 4.4))
    axes = figure.subplots()
    sns.lineplot(
        components, x="component", y="cumulative", color=CONCEPT, marker="o", markersize=5, ax=axes
    )
    axes.plot(
        [0, needed, needed], [0.7, 0.7, 0], "--", color="black",
        label=f"components for 70% of the variance: {needed}",
    )  # fmt: skip
    axes.axvline(active, color=CONTROL, linestyle=":", label=f"active latents: {active}")
    axes.set(xlabel="principal components", ylabel="cumulative contribution ratio")
    axes.xaxis.set_major_locator(MaxNLocator(integer=True, min_n_ticks=1))
    axes.set(xlim=(0, len(components) + 1), ylim=(0, 1.03))
    figure.legend(loc="outside lower center", ncols=1, fontsize=12)
    return figure


def _matrix(cosines: pd.DataFrame) -> pd.DataFrame:
    """The cosines as a square, labels in their own order."""
    names = cosines.label.unique()
    return cosines.pivot(index="label", columns="other", values="cosine").loc[names, names]


@styled
def cosine_matrix(cosines: pd.DataFrame) -> Figure:
    """Preprint Fig. 3c: the cosine of every two concepts, with its number in the cell.

    Args:
        cosines: of :class:`repinf_core.studies.latent_dimension.LatentDimension`.
    """
    matrix = _matrix(cosines)
    names = list(matrix.index)
    figure = Figure(figsize=(WIDTH, 6.2))
    axes = figure.subplots()
    ink = _ink(_heat_map(axes, matrix, 1))
    for (i, j), value in np.ndenumerate(matrix):
        number = f"{round(value, 2) + 0.0:.2f}".replace("-", "−")  # no minus before a zero
        axes.text(
            j + 0.5, i + 0.5, number, ha="center", va="center", fontsize=11, color=ink[i, j]
        )  # fmt: skip
    middle = np.arange(len(names)) + 0.5
    axes.set_xticks(middle, names, rotation=60 if max(map(len, names)) > 2 else 0)
    axes.set_yticks(middle, names, rotation=0)
    axes.set(xlabel="label", ylabel="label")
    return figure


@styled
def cosine_matrices(cosines: pd.DataFrame) -> Figure:
    """Suppl. E: the cosine matrix for each N_z, labels by their numbers.

    Args:
        cosines: ``cosines_by_dimension`` of
            :class:`repinf_core.studies.dimension_grid.DimensionGrid`.
    """
    panels = list(cosines.groupby("n_z"))
    rows = -(-len(panels) // 3)
    figure = Figure(figsize=(WIDTH, 2.2 * rows + 1.1))
    grid = figure.subplots(rows, 3, squeeze=False)
    for axes, (n_z, of_network) in zip(grid.flat, panels, strict=False):
        matrix = _matrix(of_network)
        cells = _heat_map(axes, matrix, 1)
        _dashes(cells, 0, 6)
        numbers = np.arange(0, len(matrix), 3)
        axes.set_xticks(numbers + 0.5, numbers, rotation=0)
        axes.set_yticks(numbers + 0.5, numbers, rotation=0)
        axes.set(title=f"$N_z = {n_z}$", box_aspect=1, xlabel="", ylabel="")
    for axes in grid.flat[len(panels) :]:
        axes.axis("off")
    label = "cosine of two concepts (a dash: negative)"
    ticks = (-1, -0.5, 0, 0.5, 1)
    figure.colorbar(cells, ax=grid, location="top", label=label, aspect=40, ticks=ticks)
    figure.supxlabel("label", fontsize=13)
    figure.supylabel("label", fontsize=13)
    return figure


@styled
def against_dimension(networks: pd.DataFrame, bounds: pd.DataFrame, curves: pd.DataFrame) -> Figure:
    """Fig. 8: orthogonality of the concepts against N_z, and the dynamics for three of them.

    Networks trained for fewer epochs than the longest have open markers, and lines between
    unequal ones are dashed.

    Args:
        networks: of :class:`repinf_core.studies.dimension_grid.DimensionGrid`.
        bounds: likewise.
        curves: likewise.
    """
    figure = Figure(figsize=(WIDTH, 7.8))
    top, bottom = figure.subfigures(2, 1, height_ratios=(1.2, 1))
    axes = top.subplots()
    _roots(axes, networks)
    _bounds(axes, bounds)
    axes.set_xscale("log")
    axes.set_xticks(networks.n_z, networks.n_z.astype(str), fontsize=12)
    axes.minorticks_off()
    axes.set(xlabel="latent variables $N_z$", ylabel=r"$\Vert C - I\,\Vert_F$", ylim=(0, None))
    axes.margins(y=0.12)
    axes.get_legend().remove()  # it would hide the curve: the whole width above is free
    top.legend(loc="outside upper left", fontsize=12)
    lettered = networks[networks.n_z.isin(_lettered(networks.n_z.tolist()))]
    panels = bottom.subplots(1, len(lettered), squeeze=False)[0]
    for letter, panel, network in zip("ABC", panels, lettered.itertuples(), strict=False):
        of_network = curves[curves.n_z == network.n_z]
        distance_curve(panel, of_network, CONCEPT)
        panel.set_title(
            f"({letter}) $N_z = {network.n_z}$\n{network.epochs_trained:,} epochs\n"
            f"minimum at t = {of_network.t[of_network['mean'].idxmin()]}",
            loc="left", fontsize=12,
        )  # fmt: skip
        axes.annotate(
            f"({letter})", (network.n_z, network.orthogonality_root), (0, 7),
            textcoords="offset points", ha="center", fontsize=12,
        )  # fmt: skip
    panels[0].set_ylabel("distance to the concept")
    bottom.supxlabel("t (steps)", fontsize=13)
    handles, labels = panels[0].get_legend_handles_labels()
    bottom.legend(handles, labels, loc="outside upper center", ncols=2, fontsize=12)
    return figure


def _lettered(grid: list[int]) -> set[int]:
    """The paper's N_z of Fig. 8A-C; where the grid lacks one, its first, middle and last."""
    of_paper = {2, 20, 100}
    return of_paper if of_paper <= set(grid) else {grid[0], grid[len(grid) // 2], grid[-1]}


def _roots(axes: Axes, networks: pd.DataFrame) -> None:
    for before, after in itertools.pairwise(networks.itertuples()):
        axes.plot(
            [before.n_z, after.n_z], [before.orthogonality_root, after.orthogonality_root],
            "-" if before.epochs_trained == after.epochs_trained else "--", color=CONCEPT, zorder=2,
        )  # fmt: skip
    most = networks.epochs_trained.max()
    fewer = networks[networks.epochs_trained < most]
    longest = networks[networks.epochs_trained == most]
    axes.plot(
        longest.n_z, longest.orthogonality_root, "o", color=CONCEPT,
        label=f"the concepts, after {most:,} epochs",
    )  # fmt: skip
    if len(fewer):
        axes.plot(
            fewer.n_z, fewer.orthogonality_root, "o", color=CONCEPT, markerfacecolor="white",
            label="the concepts, after fewer",
        )  # fmt: skip


def _bounds(axes: Axes, bounds: pd.DataFrame) -> None:
    sns.lineplot(
        bounds, x="n_z", y="least_around_mean", color=ABSTRACT, linestyle="--", linewidth=1.2,
        label="lower bound if their mean is the origin", ax=axes,
    )  # fmt: skip
    sns.lineplot(
        bounds, x="n_z", y="least", color=ABSTRACT, linestyle=":",
        label="lower bound for any ten vectors", ax=axes,
    )  # fmt: skip
    axes.fill_between(bounds.n_z, bounds.least, color=ABSTRACT, alpha=0.12, linewidth=0)


@styled
def approach_by_dimension(curves: pd.DataFrame) -> Figure:
    """Preprint Fig. 6: mean distance to the concept over time, a panel for each N_z.

    Args:
        curves: of :class:`repinf_core.studies.dimension_grid.DimensionGrid`.
    """
    panels = ((f"$N_z = {n_z}$", panel) for n_z, panel in curves.groupby("n_z"))
    return distance_curves(panels, CONCEPT, "distance to the concept")


@styled
def stages_by_dimension(stages: pd.DataFrame) -> Figure:
    """Which landmark trajectories approach closest as the noise grows, a bar for each N_z.

    Args:
        stages: of :class:`repinf_core.studies.dimension_grid.DimensionGrid`.
    """
    grid = stages.n_z.unique()
    place = stages.n_z.map({n_z: place for place, n_z in enumerate(grid)})
    figure = Figure(figsize=(WIDTH, 0.42 * len(grid) + 1.6))
    axes = figure.subplots()
    for (number, nearest), of_stage in stages.groupby(["stage", "nearest"]):
        colour, hatch = _STAGES[number]
        bars = axes.barh(
            place[of_stage.index], of_stage.stop - of_stage.start, left=of_stage.start,
            height=0.75, color=colour, alpha=0.45, hatch=hatch, edgecolor="black",
            label=f"{number}: {nearest}",
        )  # fmt: skip
        axes.bar_label(
            bars, [number] * len(bars), label_type="center", fontsize=12, fontweight="bold",
            bbox={"facecolor": "white", "edgecolor": "none", "pad": 1, "alpha": 0.8},
        )  # fmt: skip
    axes.set_yticks(range(len(grid)), grid)
    axes.invert_yaxis()
    axes.set(xlabel="noise fraction p", ylabel="latent variables $N_z$")
    figure.legend(loc="outside upper center", ncols=3, fontsize=12)
    return figure
