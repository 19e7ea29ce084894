"""Figures of the latent dimension: concepts, their cosines, components, all against N_z."""

import itertools
from collections.abc import Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.image import AxesImage
from matplotlib.ticker import MaxNLocator

from repinf_core.figures.curves import distance_curve
from repinf_core.figures.style import ABSTRACT, CONCEPT, CONTROL, SIGNED, WIDTH, Figure, styled


def _heat_map(axes: Axes, values: np.ndarray, limit: float) -> AxesImage:
    """Signed values as coloured cells."""
    return axes.imshow(
        values, cmap=SIGNED, vmin=-limit, vmax=limit, aspect="auto", interpolation="nearest"
    )


def _ink(image: AxesImage) -> np.ndarray:
    """Black or white for each cell, whichever stands out more from its colour."""
    colours = image.to_rgba(image.get_array())[..., :3]
    luminance = colours**2.2 @ (0.2126, 0.7152, 0.0722)
    return np.where(luminance < 0.18, "white", "black")


def _dashes(image: AxesImage, below: float, length: float) -> None:
    """A dash, ``length`` points long, on each cell less than ``below``: read without colour."""
    marked = image.get_array() < below
    rows, columns = np.nonzero(marked)
    image.axes.scatter(
        columns, rows, marker="_", s=length**2, color=_ink(image)[marked], linewidths=1.6
    )


@styled
def concepts_by_latent(
    concepts: np.ndarray, variances: np.ndarray, threshold: float, names: Sequence[str]
) -> Figure:
    """Fig. 7a: the concepts as a heat map, over the variance of the memories along each latent.

    Args:
        concepts: ``[K, N_z]``.
        variances: of the memories, ``[N_z]``.
        threshold: variance above which a latent is active.
        names: of the K labels.
    """
    concepts, variances = np.asarray(concepts), np.asarray(variances)
    figure = Figure(figsize=(WIDTH, 6.4))
    top, bottom = figure.subplots(2, 1, sharex=True, height_ratios=(1.9, 1))
    n_z, limit = len(variances), float(np.abs(concepts).max())
    image = _heat_map(top, concepts, limit)
    below = float(f"{-0.1 * limit:.2g}")  # the many values near zero are of either sign
    _dashes(image, below, np.clip(0.7 * 72 * 5.4 / n_z, 3.5, 10))
    label = f"concept (a dash: below −{-below:g})"
    figure.colorbar(image, ax=top, location="top", label=label, aspect=40)
    top.set_yticks(range(len(names)), names, fontsize=12)
    top.set_ylabel("label")
    active = variances > threshold
    latents = np.arange(n_z)
    shown = np.maximum(variances, 1e-9)  # a logarithm has no place for a dead latent's zero
    bottom.plot(
        latents[active], shown[active], "o", color=CONCEPT, clip_on=False, label="active"
    )  # fmt: skip
    bottom.plot(
        latents[~active], shown[~active], "o", color=CONTROL, markerfacecolor="white",
        markersize=4, clip_on=False, label="inactive",
    )  # fmt: skip
    bottom.axhline(threshold, color="black", linestyle="--", linewidth=1)
    bottom.xaxis.set_major_locator(MaxNLocator(integer=True, min_n_ticks=1))
    bottom.set(yscale="log", ylabel="variance", xlabel="index of the latent variable")
    bottom.set_ylim(min(shown.min(), threshold / 10) / 2, max(shown.max(), threshold * 10) * 2)
    figure.legend(loc="outside lower center", ncols=2, fontsize=12)
    return figure


@styled
def contribution(ratios: np.ndarray, share: float, components: int, active: int) -> Figure:
    """Fig. 7b: cumulative contribution ratio of the principal components of the memories.

    Args:
        ratios: ``[N_z]``, largest first.
        share: of the variance, marked in the figure.
        components: how many reach ``share``.
        active: number of active latents.
    """
    figure = Figure(figsize=(WIDTH, 4.4))
    axes = figure.subplots()
    cumulative = np.cumsum(np.asarray(ratios))
    axes.plot(range(1, len(cumulative) + 1), cumulative, "o-", color=CONCEPT, markersize=4)
    noun = "component" if components == 1 else "components"
    axes.plot(
        [0, components, components], [share, share, 0], "--", color="black",
        label=f"{share:.0%} of the variance: {components} {noun}",
    )  # fmt: skip
    noun = "active latent" if active == 1 else "active latents"
    axes.axvline(active, color=CONTROL, linestyle=":", label=f"{active} {noun}")
    axes.set(xlabel="principal components", ylabel="cumulative contribution ratio")
    axes.xaxis.set_major_locator(MaxNLocator(integer=True, min_n_ticks=1))
    axes.set(xlim=(0, len(cumulative) + 1), ylim=(0, 1.03))
    figure.legend(loc="outside lower center", ncols=2, fontsize=12)
    return figure


@styled
def cosine_matrix(matrix: np.ndarray, names: Sequence[str]) -> Figure:
    """The cosine matrix C ``[K, K]`` of the concepts, with its numbers in the cells."""
    matrix = np.asarray(matrix)
    figure = Figure(figsize=(WIDTH, 6.2))
    axes = figure.subplots()
    ink = _ink(_heat_map(axes, matrix, 1))
    for (i, j), value in np.ndenumerate(matrix):
        number = f"{round(value, 2) + 0.0:.2f}".replace("-", "−")  # no minus before a zero
        axes.text(j, i, number, ha="center", va="center", fontsize=11, color=ink[i, j])
    rotation = 60 if max(map(len, names)) > 2 else 0
    axes.set_xticks(range(len(names)), names, rotation=rotation)
    axes.set_yticks(range(len(names)), names)
    axes.set(xlabel="label", ylabel="label")
    axes.spines[:].set_visible(False)
    return figure


@styled
def cosine_matrices(n_z: Sequence[int], matrices: np.ndarray) -> Figure:
    """Suppl. E: the cosine matrix for each N_z, ``[len(n_z), K, K]``, labels by their numbers."""
    rows = -(-len(n_z) // 3)
    figure = Figure(figsize=(WIDTH, 2.2 * rows + 1.1))
    grid = figure.subplots(rows, 3, squeeze=False)
    for axes, dimension, matrix in zip(grid.flat, n_z, np.asarray(matrices), strict=False):
        image = _heat_map(axes, matrix, 1)
        _dashes(image, 0, 6)
        axes.set_title(f"$N_z = {dimension}$")
        ticks = range(0, len(matrix), 3)
        axes.set(xticks=ticks, yticks=ticks, box_aspect=1)
    for axes in grid.flat[len(n_z) :]:
        axes.axis("off")
    label = "cosine of two concepts (a dash: negative)"
    ticks = (-1, -0.5, 0, 0.5, 1)
    figure.colorbar(image, ax=grid, location="top", label=label, aspect=40, ticks=ticks)
    figure.supxlabel("label", fontsize=13)
    figure.supylabel("label", fontsize=13)
    return figure


@styled
def against_dimension(
    n_z: Sequence[int],
    orthogonality: np.ndarray,
    least: np.ndarray,
    least_around_mean: np.ndarray,
    insets: Sequence[tuple[int, np.ndarray, np.ndarray]],
    epochs: Sequence[int],
) -> Figure:
    """Fig. 8: orthogonality of the concepts against N_z, and the dynamics for some of them.

    Args:
        n_z: latent dimensions, increasing.
        orthogonality: ||C - I||_F for each.
        least: the smallest value that any vectors can have, for every integer from the first of
            ``n_z`` to its last.
        least_around_mean: the same of vectors whose mean is the origin.
        insets: ``(N_z, distances [T+1, trials], control [T+1, trials])`` each.
        epochs: for how many each network was trained; those trained for less than the longest
            have open markers, and lines between unequal ones are dashed.
    """
    n_z, orthogonality, epochs = map(np.asarray, (n_z, orthogonality, epochs))
    figure = Figure(figsize=(WIDTH, 7.4))
    top, bottom = figure.subfigures(2, 1, height_ratios=(1.1, 1))
    axes = top.subplots()
    for i, j in itertools.pairwise(range(len(n_z))):
        axes.plot(
            n_z[[i, j]], orthogonality[[i, j]], "-" if epochs[i] == epochs[j] else "--",
            color=CONCEPT, zorder=2,
        )  # fmt: skip
    longest = epochs == epochs.max()
    several = not longest.all()
    axes.plot(
        n_z[longest], orthogonality[longest], "o", color=CONCEPT,
        label="the concepts" + f", after {epochs.max():,} epochs" * several,
    )  # fmt: skip
    if several:
        axes.plot(
            n_z[~longest], orthogonality[~longest], "o", color=CONCEPT, markerfacecolor="white",
            label="the concepts, after fewer",
        )  # fmt: skip
    every = range(n_z[0], n_z[-1] + 1)
    axes.plot(
        every, least_around_mean, "--", color=ABSTRACT, linewidth=1.2,
        label="none lie below with the origin as their mean",
    )  # fmt: skip
    axes.plot(every, least, ":", color=ABSTRACT, label="no vectors lie below")
    axes.fill_between(every, least, color=ABSTRACT, alpha=0.12, linewidth=0)
    axes.set_xscale("log")
    axes.set_xticks(n_z, [str(dimension) for dimension in n_z], fontsize=12)
    axes.minorticks_off()
    axes.set(xlabel="latent variables $N_z$", ylabel=r"$\Vert C - I\,\Vert_F$", ylim=(0, None))
    axes.margins(y=0.12)
    axes.legend()
    panels = bottom.subplots(1, len(insets), squeeze=False)[0]
    for letter, panel, (dimension, curves, line) in zip("ABC", panels, insets, strict=False):
        best = distance_curve(panel, curves, line, CONCEPT)
        (i,) = np.flatnonzero(n_z == dimension)
        panel.set_title(
            f"({letter}) $N_z = {dimension}$\n{epochs[i]:,} epochs\nminimum at t = {best}",
            loc="left", fontsize=12,
        )  # fmt: skip
        axes.annotate(
            f"({letter})",
            (dimension, orthogonality[i]),
            (0, 7),
            textcoords="offset points",
            ha="center",
            fontsize=12,
        )
    panels[0].set_ylabel("distance to the concept")
    bottom.supxlabel("t (steps)", fontsize=13)
    handles, labels = panels[0].get_legend_handles_labels()
    bottom.legend(handles, labels, loc="outside upper center", ncols=2, fontsize=12)
    return figure
