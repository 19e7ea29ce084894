"""Figures of the concepts and memories in latent space: their values, components and cosines."""

import numpy as np
import pandas as pd
import seaborn as sns
from matplotlib.axes import Axes
from matplotlib.collections import QuadMesh
from matplotlib.ticker import MaxNLocator

from repinf_core.figures.style import CONCEPT, CONTROL, SIGNED, WIDTH, Figure, styled


def _heat_map(axes: Axes, values: pd.DataFrame, limit: float) -> QuadMesh:
    """Draw signed values as coloured cells, each centred half a unit from its corner."""
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
    """Draw a dash of ``length`` points on each cell below ``below``, readable without colour."""
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
        concepts: table of :class:`repinf_core.studies.latent_dimension.LatentDimension`.
        latents: likewise.
        threshold: variance above which a latent is active.
    """
    names = concepts.label.unique()
    values = concepts.pivot(index="label", columns="latent", values="concept").loc[names]
    figure = Figure(figsize=(WIDTH, 6.4))
    top, bottom = figure.subplots(2, 1, sharex=True, height_ratios=(1.9, 1))
    limit = float(values.abs().max(axis=None))
    cells = _heat_map(top, values, limit)
    below = float(f"{-0.1 * limit:.2g}")  # many values near zero have either sign
    _dashes(cells, below, np.clip(0.7 * 72 * 5.4 / len(latents), 3.5, 10))
    label = f"concept (a dash: below −{-below:g})"
    figure.colorbar(cells, ax=top, location="top", label=label, aspect=40)
    top.set_yticks(np.arange(len(names)) + 0.5, names, fontsize=12, rotation=0)
    top.set(xlabel="", ylabel="label")
    _variances(bottom, latents, threshold)
    figure.legend(loc="outside lower center", ncols=2, fontsize=12)
    return figure


def _variances(axes: Axes, latents: pd.DataFrame, threshold: float) -> None:
    shown = latents.variance.clip(lower=1e-9)  # a logarithmic axis cannot show a zero
    place, active = latents.latent + 0.5, latents.active
    axes.plot(place[active], shown[active], "o", color=CONCEPT, clip_on=False, label="active")
    axes.plot(
        place[~active], shown[~active], "o", color=CONTROL, markerfacecolor="white",
        markersize=4, clip_on=False, label="inactive",
    )  # fmt: skip
    for points in axes.lines:  # an empty line would enlarge the layout
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
        components: table of :class:`repinf_core.studies.latent_dimension.LatentDimension`.
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
    """The cosines as a square matrix, with the labels in their own order."""
    names = cosines.label.unique()
    return cosines.pivot(index="label", columns="other", values="cosine").loc[names, names]


@styled
def cosine_matrix(cosines: pd.DataFrame) -> Figure:
    """Preprint Fig. 3c: the cosine of every two concepts, with its value in the cell.

    Args:
        cosines: table of :class:`repinf_core.studies.latent_dimension.LatentDimension`.
    """
    matrix = _matrix(cosines)
    names = list(matrix.index)
    figure = Figure(figsize=(WIDTH, 6.2))
    axes = figure.subplots()
    ink = _ink(_heat_map(axes, matrix, 1))
    for (i, j), value in np.ndenumerate(matrix):
        number = f"{value:z.2f}".replace("-", "−")
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
